"""A tokenizer whose words are their bytes: a network of characters needs no list of words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from transformers import BatchEncoding
from typing_extensions import override

from ..errors import Problem, UserError
from .word_tokenizer import SPECIAL, WordTokenizer

MOST_BYTES = 48  # of a word; what follows is not read
SHIFT = (
    2  # an id is that of the character in an ELMo's table, and these more: padding, [UNK], [SEP]
)
FIRST_ID = 1 + SHIFT  # of the byte 0
BOS_ID, EOS_ID, END_ID = 257 + SHIFT, 258 + SHIFT, 260 + SHIFT
BOUNDARIES = {"<S>": BOS_ID, "</S>": EOS_ID}
NAMES = (*SPECIAL, *(f"<0x{byte:02X}>" for byte in range(256)), "<S>", "</S>", "<word>", "</word>")

Word = tuple[int, ...]


class ByteTokenizer(WordTokenizer):
    """Words of a segmenter as ids: the first 48 bytes of each one's UTF-8, then an id that ends the word.

    Signs that UTF-8 cannot hold are left out. The words ``<S>`` and ``</S>`` are one id, as ELMo has them.
    Rows are put together as ``WordTokenizer`` does. What ``max_length`` counts where rows are cut is words
    and separators: no word is cut.

    Args:
        words_file: ``words.json``: the names of the ids, which are always the same.
        dictionary_file: See ``WordTokenizer``.
        do_lower_case: Words are lower-cased; off, since a network of characters reads both.
        more: See ``WordTokenizer``.

    Raises:
        UserError: see ``WordTokenizer``; or the names are others.

    Attributes:
        lengths_are: What lengths of rows count.
    """

    lengths_are = "words"

    def __init__(
        self,
        words_file: str | None = None,
        dictionary_file: str | None = None,
        *,
        do_lower_case: bool = False,
        **more: Any,
    ) -> None:
        more.pop("words", None)
        words = NAMES if words_file is None else None
        super().__init__(
            words_file, dictionary_file, words=words, do_lower_case=do_lower_case, **more
        )
        if tuple(self.words) != NAMES:
            message = f"are not the {len(NAMES)} names of bytes, boundaries and special tokens"
            raise UserError(Problem(words_file or "words", message, code="words.not-of-bytes"))

    @override
    def as_known(self, words: Iterable[str]) -> list[str]:
        return [word.lower() for word in words] if self.do_lower_case else list(words)

    def counted_of(self, ids: np.ndarray) -> np.ndarray:
        """Which ids (total,) count where lengths of rows do: a word's last one, and special ones."""
        return (ids == END_ID) | (ids <= SHIFT)

    def words_of_all(self, texts: Iterable[str]) -> list[list[Word]]:
        """The ids of each word of each text."""
        return [[word_ids(word) for word in words] for words in self.cut_all(texts)]

    @override
    def ids_of_all(self, texts: Iterable[str]) -> list[list[int]]:
        return [flat(words) for words in self.words_of_all(texts)]

    @override
    def tokenize(
        self,
        text: str,
        pair: str | None = None,
        add_special_tokens: bool = False,
        **_: Any,
    ) -> list[str]:
        return [NAMES[number] for word in self.cut(text) for number in word_ids(word)]

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        return self.tokenize(text)

    @override
    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        """The words with a blank between them; of one that was cut within a sign, that sign is left out."""
        words, data = list[str](), bytearray()
        numbers = {name: number for number, name in enumerate(NAMES)}
        for token in tokens:
            number = numbers.get(token, 0)
            if FIRST_ID <= number < BOS_ID:
                data.append(number - FIRST_ID)
            elif token in BOUNDARIES:
                data += token.encode("ascii")
            else:
                words.append(data.decode("utf-8", "ignore"))
                data.clear()
        return " ".join(word for word in (*words, data.decode("utf-8", "ignore")) if word)

    @override
    def prepare_for_model(  # type: ignore[override]
        self,
        ids: list[int],
        pair_ids: list[int] | None = None,
        add_special_tokens: bool = True,
        padding: Any = False,
        truncation: Any = False,
        max_length: int | None = None,
        stride: int = 0,
        **more: Any,
    ) -> BatchEncoding:
        """See transformers; ``max_length`` counts words and separators where it cuts, ids where it pads."""
        how = getattr(truncation, "value", truncation)
        how = "longest_first" if how is True else how
        if how not in (False, None, "do_not_truncate") and max_length:
            one, two = _words(ids), None if pair_ids is None else _words(pair_ids)
            special = self.num_special_tokens_to_add(two is not None) if add_special_tokens else 0
            over = len(one) + len(two or []) + special - max_length
            if over > 0:
                cut: Any = self.truncate_sequences(one, two, over, how, stride)  # type: ignore[arg-type]
                ids, pair_ids = flat(cut[0]), None if cut[1] is None else flat(cut[1])
        return super().prepare_for_model(
            ids, pair_ids, add_special_tokens, padding, False, max_length, stride, **more
        )


def word_ids(word: str) -> Word:
    """Ids of a word's bytes, or of a boundary, and that of its end."""
    if word in BOUNDARIES:
        return BOUNDARIES[word], END_ID
    data = word.encode("utf-8", "ignore")[:MOST_BYTES]
    return (*(byte + FIRST_ID for byte in data), END_ID)


def flat(words: Iterable[Sequence[int]]) -> list[int]:
    """The ids of words one after another."""
    return [number for word in words for number in word]


def _words(ids: Sequence[int]) -> list[Word]:
    """Flat ids word by word; what follows the last end is one too."""
    found, begin = list[Word](), 0
    for place, number in enumerate(ids):
        if number == END_ID:
            found.append(tuple(ids[begin : place + 1]))
            begin = place + 1
    return [*found, tuple(ids[begin:])] if begin < len(ids) else found
