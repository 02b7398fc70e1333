"""Tokens that stand beside a vocabulary: added_tokens.json and special_tokens_map.json of older folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..disk.json_file import fault_of, read_object
from ..errors import Problem, UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ADDED, SPECIAL = "added_tokens.json", "special_tokens_map.json"
NAMED = ("unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "bos_token", "eos_token")
MORE = "additional_special_tokens"


def with_added(tokenizer: PreTrainedTokenizerBase, folder: Path) -> PreTrainedTokenizerBase:
    """A tokenizer made of a vocabulary alone, with the tokens that its folder adds to it.

    What comes out reads what ``AutoTokenizer`` reads of the folder.

    Raises:
        UserError: one of the files is damaged, or an added token's number is not the next free one.
    """
    from tokenizers import AddedToken

    special = _object(folder / SPECIAL)
    named = {name: _token(special[name], folder) for name in NAMED if special.get(name)}
    more = [_token(value, folder) for value in _list(special.get(MORE), folder)]
    for name, token in named.items():
        if getattr(tokenizer, name, None) != token.content:
            setattr(tokenizer, name, token)
    names = {*tokenizer.all_special_tokens, *(token.content for token in more)}
    added = _object(folder / ADDED)
    for text, number in sorted(added.items(), key=lambda item: _number(item[1], folder)):
        if tokenizer.convert_tokens_to_ids(text) == number:
            continue
        is_special = text in names
        tokenizer.add_tokens([AddedToken(text, special=is_special, normalized=not is_special)])
        found = tokenizer.convert_tokens_to_ids(text)
        if found != number:
            message = f"gives {text!r} the number {number}, and the vocabulary makes it {found}"
            hint = "The files are not of one tokenizer: save it anew with save_pretrained."
            raise UserError(
                Problem(
                    str(folder / ADDED), message, hint, code="tokenizer.added-number-contradicts"
                )
            )
    if more:
        tokenizer.add_special_tokens({MORE: more})
    return tokenizer


def _object(path: Path) -> dict[str, Any]:
    """The JSON object of a file; empty where there is no file.

    Raises:
        UserError: it holds something else.
    """
    if not path.is_file():
        return {}
    try:
        return read_object(path)
    except (OSError, ValueError) as error:
        raise UserError(
            Problem(str(path), fault_of(error), code="tokenizer.file-unreadable")
        ) from None


def _list(value: Any, folder: Path) -> list[Any]:
    if value is None or isinstance(value, list):
        return value or []
    raise UserError(
        Problem(str(folder / SPECIAL), f"{MORE} is no list", code="tokenizer.added-is-no-list")
    )


def _token(value: Any, folder: Path) -> Any:
    from tokenizers import AddedToken

    if isinstance(value, str):
        return AddedToken(value, special=True, normalized=False)
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        flags = {key: bool(value.get(key)) for key in ("lstrip", "rstrip", "single_word")}
        normalized = bool(value.get("normalized"))
        return AddedToken(value["content"], special=True, normalized=normalized, **flags)
    raise UserError(
        Problem(str(folder / SPECIAL), f"{value!r} is no token", code="tokenizer.added-is-no-token")
    )


def _number(value: Any, folder: Path) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise UserError(
        Problem(
            str(folder / ADDED),
            f"{value!r} is no token's number",
            code="tokenizer.added-is-no-number",
        )
    )
