"""The tokenizers that a configuration names, or that stand beside its teacher."""

from pathlib import Path

from ..errors import Problem
from .near import absent
from .places import KeyPath, dotted
from .schema import RunKeys
from .source import Source
from .weights import TOKENIZER_FILES, kind_of, with_weights

_TOKENIZERS = "tokenizer.json, vocab.txt, vocab.json or a sentencepiece model"


def check_tokenizer(keys: RunKeys, source: Source) -> list[Problem]:
    """One of the places where a tokenizer is looked for has to hold one."""
    if keys.tokenizer_name_or_path is not None:
        return named_tokenizer(keys.tokenizer_name_or_path, source, ())
    teacher = keys.teacher_architectures
    if teacher is None or not keys.do_train or teacher.tokenizer_name_or_path is not None:
        return []
    folders = []
    for name in (teacher.model_name_or_path, teacher.config_file):
        if name is not None and not kind_of(Path(name)):
            return []  # a hub name brings its tokenizer; a missing file is reported already
        if name is not None:
            folders.append(Path(name) if kind_of(Path(name)) == "folder" else Path(name).parent)
    if not folders or any(_has_tokenizer(folder) for folder in folders):
        return []
    weights = Path(teacher.model_name_or_path or "")
    if teacher.model_name_or_path and with_weights(weights) != weights:
        return []  # a run folder in place of its network, which is told already
    where = " and ".join(dict.fromkeys(str(folder) for folder in folders))
    message = f"no tokenizer: looked for {_TOKENIZERS} in {where}."
    hint = 'Copy the teacher\'s vocab.txt there, or set "tokenizer_name_or_path".'
    key = "model_name_or_path" if teacher.model_name_or_path else "config_file"
    return [source.problem(("teacher_architectures", key), message, hint, code="tokenizer.nowhere")]


def named_tokenizer(name: str, source: Source, block: KeyPath) -> list[Problem]:
    """The key ``tokenizer_name_or_path`` of a block leads to a tokenizer."""
    path = (*block, "tokenizer_name_or_path")
    kind = kind_of(Path(name))
    if not kind and name in source.promised:
        return []
    if not kind:
        return [absent(name, source, path)]
    if kind == "folder" and not _has_tokenizer(Path(name)):
        message = f"'{dotted(path)}': {name} holds no tokenizer."
        return [
            source.problem(
                path, message, f"Looked for {_TOKENIZERS}.", code="tokenizer.not-in-the-folder"
            )
        ]
    return []


def _has_tokenizer(folder: Path) -> bool:
    return any(kind_of(folder / name) == "file" for name in TOKENIZER_FILES)
