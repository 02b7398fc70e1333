"""Finding and loading the tokenizer of a network, with guards against ones that know no words.

``BertTokenizerFast(vocab_file=path)`` ignores the file without a word and knows five tokens, and
``AutoTokenizer`` builds the same from a folder with only a config.json; both lead to a model that
reads nothing but [UNK]. So a folder counts only if it holds tokenizer files, a ``vocab.txt`` is
read here, and what comes out is asked to read its own vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..disk.json_file import fault_of, known_object, read_object
from ..errors import Problem, UserError
from ..registry.hub import hub_problem, require_hub
from .added import ADDED, SPECIAL, with_added
from .casing import casing_report, check_texts, lower_cases, set_lower_case, unk_share
from .normalize import with_nfkc
from .tokenizer_checks import HINT, check_length, check_reads, ensure_padding
from .vocabulary import check_vocabulary, looks_cased, read_vocabulary, tokenizer_fingerprint

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    Tokenizer = PreTrainedTokenizerBase

__all__ = [
    "casing_report",
    "check_texts",
    "check_vocabulary",
    "lower_cases",
    "resolve_tokenizer",
    "set_lower_case",
    "tokenizer_fingerprint",
    "unk_share",
]

FILES = ("tokenizer.json", "vocab.json", "merges.txt", "vocab.txt", "tekken.json", "words.json")
SIDE_FILES = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
SAME_VOCABULARY = ("distilbert", "electra")
FILE_ENDINGS = (".bin", ".safetensors", ".txt", ".json", ".pt", ".pth", ".ckpt", ".model", ".h5")


def resolve_tokenizer(
    explicit: str | None,
    weights: str | None,
    config_file: str | None,
    do_lower_case: bool | None = None,
    cache_dir: str | None = None,
    normalize: str | None = None,
) -> Tokenizer:
    """The tokenizer of a network, with a padding token, and checked to know words.

    Order: ``explicit``; the weights' folder or hub name; tokenizer files or a ``vocab.txt`` beside
    the weights file or the configuration file.

    Args:
        explicit: ``tokenizer_name_or_path``: a folder, a ``vocab.txt``, a ``tokenizer.json`` or a
            hub name.
        weights: ``model_name_or_path``: a folder, a weights file or a hub name.
        config_file: The architecture file.
        do_lower_case: Overrules the tokenizer's own casing. The own value is left on the tokenizer
            as ``own_lower_case`` for ``casing_report``.
        cache_dir: Where files of the hub are kept.
        normalize: ``nfkc`` makes that the tokenizer's first step.

    Raises:
        UserError: none found, or one that knows no words, naming every place that was tried.
    """
    tried: list[Problem] = []
    tokenizer = None
    for name in (explicit,) if explicit else (weights, config_file):
        if name is None:
            continue
        try:
            tokenizer = _load(name, config_file, cache_dir, is_model=not explicit)
            break
        except UserError as error:
            tried.extend(error.problems)
    if tokenizer is None:
        raise UserError(
            tried
            or Problem("tokenizer", "there is none to load", HINT, code="tokenizer.none-to-load")
        )
    object.__setattr__(tokenizer, "own_lower_case", lower_cases(tokenizer))
    if do_lower_case is not None:
        set_lower_case(tokenizer, do_lower_case)
    return with_nfkc(tokenizer) if normalize == "nfkc" else tokenizer


def _load(name: str, config_file: str | None, cache_dir: str | None, is_model: bool) -> Tokenizer:
    """The tokenizer at one place.

    Raises:
        UserError: there is none, or it knows no words.
    """
    path = Path(name).expanduser()
    if path.is_file() and not is_model and path.suffix == ".json":
        tokenizer = _from_json(path)
    elif path.is_file() and not is_model:
        tokenizer = _from_vocabulary(path, config_file)
    elif path.exists():
        tokenizer = _from_folder(path if path.is_dir() else path.parent, config_file)
    elif _is_path(name):
        raise UserError(
            Problem(name, "no such file or folder", HINT, code="tokenizer.no-such-file")
        )
    else:
        require_hub(name, name, wanted="the tokenizer's files", cache_dir=cache_dir)
        tokenizer = _from_pretrained(name, cache_dir)
    check_length(tokenizer, name)
    ensure_padding(tokenizer, name)
    check_reads(tokenizer, name)
    return tokenizer


def _is_path(name: str) -> bool:
    """Whether a name that does not exist was meant as a path; else it is one of the hub."""
    return (
        name.startswith((".", "/", "~"))
        or name.endswith(FILE_ENDINGS)
        or name.count("/") > 1
        or "\\" in name
    )


def _from_folder(folder: Path, config_file: str | None) -> Tokenizer:
    names = [file.name for file in folder.iterdir()]
    present = [name for name in names if name in FILES or name.endswith(".model")]
    if not present:
        raise UserError(
            Problem(
                str(folder), "holds no tokenizer files", HINT, code="tokenizer.not-in-the-folder"
            )
        )
    _check_json(folder, SIDE_FILES)
    if "words.json" in present:
        return _of_words(folder)
    config = config_file or str(folder / "config.json")
    if "tokenizer_config.json" not in names:
        if present == ["vocab.txt"] and _model_type(config) in (None, "bert", *SAME_VOCABULARY):
            if "config.json" in names and {ADDED, SPECIAL} & set(names):
                return _with_vocabularys_casing(_from_pretrained(str(folder), None), folder)
            return with_added(_from_vocabulary(folder / "vocab.txt", config), folder)
        if present == ["tokenizer.json"] and "config.json" not in names:
            return with_added(_from_json(folder / "tokenizer.json"), folder)
    try:
        tokenizer = _from_pretrained(str(folder), None)
    except UserError:
        if "vocab.txt" not in present or "tokenizer.json" in present:
            _check_json(folder, ("tokenizer.json", "vocab.json"))
            raise
        return with_added(_from_vocabulary(folder / "vocab.txt", config), folder)
    _follow_saved_casing(tokenizer, folder)
    return tokenizer


def _of_words(folder: Path) -> Tokenizer:
    from .byte_tokenizer import ByteTokenizer
    from .word_tokenizer import WordTokenizer

    named = known_object(folder / "tokenizer_config.json").get("tokenizer_class")
    kind = ByteTokenizer if named == ByteTokenizer.__name__ else WordTokenizer
    try:
        return kind.from_pretrained(str(folder))
    except UserError:
        raise
    except Exception as error:  # what transformers raises of other values in tokenizer_config.json
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        problem = Problem(
            str(folder),
            f"no tokenizer of words can be loaded: {reason}",
            HINT,
            code="tokenizer.words-not-loadable",
        )
        raise UserError(problem) from error


def _check_json(folder: Path, names: Sequence[str]) -> None:
    """Names the file that keeps a tokenizer from being loaded, or that it could not be saved with again.

    Raises:
        UserError: one of the files is no JSON object.
    """
    for path in (folder / name for name in names):
        try:
            read_object(path)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            raise UserError(
                Problem(str(path), fault_of(error), HINT, code="tokenizer.file-unreadable")
            ) from None


def _from_pretrained(name: str, cache_dir: str | None) -> Tokenizer:
    from transformers import AutoTokenizer

    try:
        # Said explicitly: with None transformers asks on the terminal whether to run hub code.
        return AutoTokenizer.from_pretrained(name, cache_dir=cache_dir, trust_remote_code=False)
    except Exception as error:
        # The library raises OSError, ValueError, KeyError, TypeError and the backend's own plain
        # Exception for damaged or missing files; to the user they are the same finding.
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        if not Path(name).exists():
            raise UserError(hub_problem(name, name, error, "the tokenizer's files")) from error
        raise UserError(
            Problem(
                name, f"no tokenizer can be loaded: {reason}", HINT, code="tokenizer.not-loadable"
            )
        ) from error


def _from_json(path: Path) -> Tokenizer:
    """A bare ``tokenizer.json``; its special tokens are found among the usual names."""
    from transformers import PreTrainedTokenizerFast

    try:
        tokenizer: Any = PreTrainedTokenizerFast(tokenizer_file=str(path))
    except Exception as error:
        # The backend raises plain Exception for a malformed file.
        raise UserError(
            Problem(
                str(path),
                f"is no tokenizer file: {error}",
                HINT,
                code="tokenizer.no-tokenizer-file",
            )
        ) from error
    known = tokenizer.get_vocab()
    for name, usual in {
        "pad_token": ("[PAD]", "<pad>"),
        "unk_token": ("[UNK]", "<unk>"),
        "cls_token": ("[CLS]", "<s>"),
        "sep_token": ("[SEP]", "</s>"),
        "mask_token": ("[MASK]", "<mask>"),
    }.items():
        for token in usual:
            if getattr(tokenizer, name) is None and token in known:
                setattr(tokenizer, name, token)
    return tokenizer


def _from_vocabulary(path: Path, config_file: str | None) -> Tokenizer:
    """A BERT tokenizer from a ``vocab.txt``; whether it lower-cases is told by capitals in it."""
    from transformers import BertTokenizer, DistilBertTokenizer

    vocabulary = read_vocabulary(path)
    kind = DistilBertTokenizer if _model_type(config_file) == "distilbert" else BertTokenizer
    return kind(vocab=vocabulary, do_lower_case=not looks_cased(vocabulary))


def _with_vocabularys_casing(tokenizer: Tokenizer, folder: Path) -> Tokenizer:
    """Where no file says the casing, capitals in the vocabulary do; transformers lower-cases all."""
    lower = not looks_cased(read_vocabulary(folder / "vocab.txt"))
    if lower_cases(tokenizer) != lower:
        set_lower_case(tokenizer, lower)
    return tokenizer


def _follow_saved_casing(tokenizer: Tokenizer, folder: Path) -> None:
    """Where only ``tokenizer.json`` states the casing, follow it: transformers does not."""
    if "do_lower_case" in known_object(folder / "tokenizer_config.json"):
        return
    normalizer = known_object(folder / "tokenizer.json").get("normalizer")
    steps = normalizer.get("normalizers", [normalizer]) if isinstance(normalizer, dict) else []
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, dict) and step.get("type") == "BertNormalizer" and "lowercase" in step:
            set_lower_case(tokenizer, bool(step["lowercase"]))


def _model_type(config_file: str | None) -> str | None:
    found = known_object(Path(config_file)).get("model_type") if config_file else None
    return found if isinstance(found, str) else None
