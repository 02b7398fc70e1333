"""A tokenizer of whole words: a segmenter, a list of words, and files that transformers saves and loads."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizer
from typing_extensions import override

from ..disk.write import write_text
from ..errors import Problem, UserError
from .cutting import cutter_of
from .longest_first import longest_first
from .segment import check_same, load_segmenter
from .unknown import UNKNOWN_SIGN
from .word_files import (
    DICTIONARY_FILE,
    PAD,
    SEP,
    SPECIAL,
    UNK,
    WORDS_FILE,
    check_words,
    read_dictionary,
    read_words,
)

NEVER_WORDS = frozenset((*SPECIAL, UNKNOWN_SIGN))
NFKC = "nfkc"
RECENT = 16_384  # texts whose words are at hand for calls in the manner of transformers


class WordTokenizer(PreTrainedTokenizer):
    """Words of a segmenter as ids; ``words [SEP]``, pairs ``words [SEP] words [SEP]`` with types 0 and 1.

    What stands in a text is a word, ``[SEP]`` too. A text is normalised as asked for and cut, then its words
    are lower-cased: dictionaries hold ``T恤`` and ``iPhone``.

    Args:
        words_file: ``words.json``: a list, a word's place is its id; special ones first.
        dictionary_file: ``user_dictionary.txt`` of jieba's format.
        words: The list itself, in place of the file.
        dictionary: The content, in place of the file.
        segmenter: See ``load_segmenter``.
        do_lower_case: Words are lower-cased.
        normalize: ``nfkc`` turns compatibility characters into plain ones first.
        segmenter_version: Of the segmenter that training had; None takes what is installed.
        segmenter_probe: Its cut of the probe sentence; compared with today's.
        place: Where the segmenter is named, for messages; the folder of the files else.

    Raises:
        UserError: the segmenter is missing or cuts otherwise than in training, or a file is damaged.
    """

    vocab_files_names = {  # noqa: RUF012 (as transformers has them)
        "words_file": WORDS_FILE,
        "dictionary_file": DICTIONARY_FILE,
    }
    model_input_names = ["input_ids", "token_type_ids", "attention_mask"]  # noqa: RUF012
    padding_side = "right"

    def __init__(
        self,
        words_file: str | None = None,
        dictionary_file: str | None = None,
        *,
        words: Sequence[str] | None = None,
        dictionary: str = "",
        segmenter: str = "words",
        do_lower_case: bool = True,
        normalize: str | None = None,
        segmenter_version: str | None = None,
        segmenter_probe: list[str] | None = None,
        place: str | None = None,
        **more: Any,
    ) -> None:
        place = place or (str(Path(words_file).parent) if words_file else "segmenter")
        for key, value, sound in (
            ("segmenter", segmenter, isinstance(segmenter, str)),
            ("normalize", normalize, normalize in (None, NFKC)),
            ("do_lower_case", do_lower_case, isinstance(do_lower_case, bool)),
            ("segmenter_probe", segmenter_probe, isinstance(segmenter_probe, list | None)),
        ):
            if not sound:
                raise UserError(
                    Problem(place, f"'{key}' cannot be {value!r}", code="words.setting-faulty")
                )
        if dictionary_file is not None:
            dictionary = read_dictionary(Path(dictionary_file))
        self.words = read_words(words_file) if words is None else list(words)
        check_words(self.words, words_file or "words")
        self._numbers = {word: number for number, word in enumerate(self.words)}
        self.cutter = load_segmenter(segmenter, dictionary, place=place)
        check_same(self.cutter, segmenter_version, segmenter_probe)
        self.do_lower_case, self.normalize_form = do_lower_case, normalize
        self._recent: OrderedDict[str, list[str]] = OrderedDict()
        for key in ("pad_token", "unk_token", "sep_token", "split_special_tokens"):
            more.pop(key, None)
        super().__init__(
            segmenter=segmenter,
            do_lower_case=do_lower_case,
            normalize=normalize,
            segmenter_version=self.cutter.version,
            segmenter_probe=self.cutter.probe(),
            pad_token=PAD,
            unk_token=UNK,
            sep_token=SEP,
            split_special_tokens=True,
            **more,
        )

    @property
    def vocab_size(self) -> int:
        return len(self.words)

    @override
    def get_vocab(self) -> dict[str, int]:
        return dict(self._numbers)

    def set_nfkc(self) -> None:
        """Turns compatibility characters into plain ones from now on, and in what is saved."""
        self.normalize_form = self.init_kwargs["normalize"] = NFKC

    def cut(self, text: str) -> list[str]:
        """The words of a text; one that is written as a special one is unknown."""
        form = _normal(text, self.normalize_form)
        words = self._recent.get(form)
        if words is None:
            known = cutter_of(self.cutter).known(form)
            words = self.cutter.cut(form) if known is None else known
            self._recent[form] = words
            if len(self._recent) > RECENT:
                self._recent.popitem(last=False)
        return self.as_known(words)

    def cut_all(self, texts: Iterable[str]) -> Iterator[list[str]]:
        """The same for many texts: in several processes, and none that was cut before is cut again."""
        forms = (_normal(text, self.normalize_form) for text in texts)
        for words in cutter_of(self.cutter)(forms):
            yield self.as_known(words)

    def as_known(self, words: Iterable[str]) -> list[str]:
        """Words of the segmenter as they are looked up."""
        found = [word.lower() for word in words] if self.do_lower_case else words
        return [UNK if word in NEVER_WORDS else word for word in found]

    def cut_as_they_stand(self, texts: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        """Of each text what is cut, normalised where asked for, and its words as they stand there."""
        forms = [_normal(text, self.normalize_form) for text in texts]
        yield from zip(forms, cutter_of(self.cutter)(forms), strict=True)

    def like(self, words: Sequence[str]) -> WordTokenizer:
        """The same with other words."""
        return WordTokenizer(
            words=words,
            segmenter=self.cutter.name,
            dictionary=self.cutter.dictionary,
            do_lower_case=self.do_lower_case,
            normalize=self.normalize_form,
            place=self.cutter.place,
        )

    def ids_of_all(self, texts: Iterable[str]) -> list[list[int]]:
        """Ids of the words of each text, without special ones."""
        return [self._ids(words) for words in self.cut_all(texts)]

    def ids_of_words(self, words: Iterable[str]) -> list[int]:
        """Ids of words as they stand in a text."""
        return self._ids(self.as_known(words))

    def _ids(self, words: Iterable[str]) -> list[int]:
        unknown, known = self._numbers[UNK], self._numbers
        return [known.get(word, unknown) for word in words]

    def identity(self) -> dict[str, Any]:
        """All that decides which ids a text becomes, by content."""
        words = json.dumps(self.words).encode("ascii")
        return {
            "words": hashlib.sha256(words).hexdigest(),
            "segmenter": [self.cutter.name, self.cutter.version, self.cutter.dictionary],
            "probe": self.cutter.probe(),
            "do_lower_case": self.do_lower_case,
            "normalize": self.normalize_form,
        }

    @override
    def tokenize(
        self,
        text: str,
        pair: str | None = None,
        add_special_tokens: bool = False,
        **_: Any,
    ) -> list[str]:
        return self.cut(text)

    def _tokenize(self, text: str, **_: Any) -> list[str]:
        return self.cut(text)

    def _convert_token_to_id(self, token: str) -> int:
        return self._numbers.get(token, self._numbers[UNK])

    def _convert_id_to_token(self, index: int) -> str:
        return self.words[index] if 0 <= index < len(self.words) else UNK

    @override
    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return " ".join(tokens)

    @override
    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        end = [self._numbers[SEP]]
        return token_ids_0 + end + ([] if token_ids_1 is None else token_ids_1 + end)

    @override
    def create_token_type_ids_from_sequences(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        second = [] if token_ids_1 is None else [1] * (len(token_ids_1) + 1)
        return [0] * (len(token_ids_0) + 1) + second

    @override
    def get_special_tokens_mask(
        self,
        token_ids_0: list[int],
        token_ids_1: list[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        if already_has_special_tokens:
            ends = (self._numbers[PAD], self._numbers[SEP])
            return [int(number in ends) for number in token_ids_0]
        second = [] if token_ids_1 is None else [0] * len(token_ids_1) + [1]
        return [0] * len(token_ids_0) + [1] + second

    @override
    def truncate_sequences(
        self,
        ids: list[int],
        pair_ids: list[int] | None = None,
        num_tokens_to_remove: int = 0,
        truncation_strategy: Any = "longest_first",
        stride: int = 0,
    ) -> tuple[list[int], list[int], list[int]]:
        """Pairs are cut as fast tokenizers, and our own rows, cut them; Python's gives odd ones otherwise."""
        how = getattr(truncation_strategy, "value", truncation_strategy)
        if how != "longest_first" or pair_ids is None or num_tokens_to_remove <= 0:
            return super().truncate_sequences(
                ids, pair_ids, num_tokens_to_remove, truncation_strategy, stride
            )
        room = max(0, len(ids) + len(pair_ids) - num_tokens_to_remove)
        num_a, num_b = longest_first(len(ids), len(pair_ids), room)
        if self.truncation_side == "left":
            return ids[len(ids) - num_a :], pair_ids[len(pair_ids) - num_b :], []
        return ids[:num_a], pair_ids[:num_b], []

    @override
    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        return 1 + pair

    def save_vocabulary(
        self, save_directory: str, filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Writes the list of words and the user dictionary."""
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        words = Path(save_directory) / f"{prefix}{WORDS_FILE}"
        write_text(words, json.dumps(self.words, ensure_ascii=False, indent=0) + "\n")
        if not self.cutter.dictionary:
            return (str(words),)
        dictionary = words.with_name(f"{prefix}{DICTIONARY_FILE}")
        write_text(dictionary, self.cutter.dictionary, newline="")
        return str(words), str(dictionary)


def _normal(text: str, form: str | None) -> str:
    return unicodedata.normalize("NFKC", text) if form == NFKC else text
