"""What a tokenizer has to be able to, wherever it came from: pad, count, and read its own vocabulary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Problem, UserError
from .casing import unk_share

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

HINT = "set tokenizer_name_or_path to a folder with tokenizer files, a vocab.txt, or a hub name"


def check_length(tokenizer: Tokenizer, name: str) -> None:
    """transformers compares every row with it, whatever it is."""
    most = tokenizer.model_max_length
    if isinstance(most, bool) or not isinstance(most, int | float) or most < 0:
        message = (
            f"tokenizer_config.json: model_max_length is {most!r}, expected a number from 0 on"
        )
        raise UserError(
            Problem(
                name,
                message,
                "Put the longest row there that the model reads.",
                code="tokenizer.longest-row-faulty",
            )
        )


def ensure_padding(tokenizer: Tokenizer, name: str) -> None:
    """Decoders often come without a padding token; the end token serves, as the mask hides it."""
    if tokenizer.pad_token_id is not None:
        return
    for token in (tokenizer.eos_token, tokenizer.unk_token):
        if token is not None:
            tokenizer.pad_token = token
            return
    raise UserError(
        Problem(name, "the tokenizer has no padding token", HINT, code="tokenizer.no-padding")
    )


def check_reads(tokenizer: Tokenizer, name: str) -> None:
    """A tokenizer knows words, and reads them as other than unknown."""
    special = set(tokenizer.all_special_tokens)
    words = [piece for piece in tokenizer.get_vocab() if piece not in special]
    if not words:
        message = f"the tokenizer knows nothing but its {len(special)} special tokens"
        raise UserError(Problem(name, message, HINT, code="tokenizer.special-tokens-alone"))
    plain = [piece for piece in words if not piece.startswith(("##", "[", "<"))] or words
    sample = sorted(plain)[:: max(1, len(plain) // 200)]
    try:
        share = unk_share(tokenizer, sample)
    except Exception as error:  # whatever a library raises of a value in tokenizer_config.json
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        message = f"the tokenizer cannot read its own words ({type(error).__name__}: {reason})"
        raise UserError(
            Problem(name, message, HINT, code="tokenizer.cannot-read-its-words")
        ) from error
    if share > 0.99:
        message = f"the tokenizer reads its own vocabulary ({len(words)} pieces) as unknown"
        raise UserError(Problem(name, message, HINT, code="tokenizer.all-words-unknown"))
