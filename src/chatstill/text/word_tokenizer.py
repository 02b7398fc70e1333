"""A tokenizer of whole words: a segmenter, a list of words, and files that transformers saves and loads."""

from __future__ import annotations

import hashlib
import json
import logging
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizer
from typing_extensions import override

from ..disk.json_file import fault_of, read_json
from ..disk.write import write_text
from ..errors import Problem, UserError
from .cut_many import MOST_WORDS_KEPT, cut_many
from .segment import Segmenter, load_segmenter

PAD, UNK, SEP = "[PAD]", "[UNK]", "[SEP]"
SPECIAL = (PAD, UNK, SEP)
WORDS_FILE, DICTIONARY_FILE = "words.json", "user_dictionary.txt"
log = logging.getLogger("chatstill")


class WordTokenizer(PreTrainedTokenizer):
    """Words of a segmenter as ids; ``words [SEP]``, pairs ``words [SEP] words [SEP]`` with types 0 and 1.

    What stands in a text is a word, ``[SEP]`` too. Texts are normalised and lower-cased before they are
    cut, as asked for.

    Args:
        words_file: ``words.json``: a list, a word's place is its id; special ones first.
        dictionary_file: ``user_dictionary.txt`` of jieba's format.
        words: The list itself, in place of the file.
        dictionary: The content, in place of the file.
        segmenter: See ``load_segmenter``.
        do_lower_case: Texts are lower-cased.
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
        segmenter_probe: Sequence[str] | None = None,
        place: str | None = None,
        **more: Any,
    ) -> None:
        if dictionary_file is not None:
            dictionary = Path(dictionary_file).read_text(encoding="utf-8")
        place = place or (str(Path(words_file).parent) if words_file else "segmenter")
        self.words = list(words) if words is not None else _read_words(words_file)
        self._numbers = {word: number for number, word in enumerate(self.words)}
        self.cutter = load_segmenter(segmenter, dictionary, place=place)
        probe = self.cutter.probe()
        _compare(self.cutter, segmenter_version, segmenter_probe, probe)
        self.do_lower_case, self.normalize_form = do_lower_case, normalize
        self._cut_before: dict[str, tuple[str, ...]] = {}
        self._num_kept = 0
        for key in ("pad_token", "unk_token", "sep_token", "split_special_tokens"):
            more.pop(key, None)
        super().__init__(
            segmenter=segmenter,
            do_lower_case=do_lower_case,
            normalize=normalize,
            segmenter_version=self.cutter.version,
            segmenter_probe=probe,
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

    def prepared(self, text: str) -> str:
        """A text as it is cut."""
        if self.normalize_form == "nfkc":
            text = unicodedata.normalize("NFKC", text)
        return text.lower() if self.do_lower_case else text

    def cut(self, text: str) -> list[str]:
        """Its words; one that is written as a special one is unknown."""
        return next(self.cut_all([text]))

    def cut_all(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """The words of each text; a text that was cut before is looked up."""
        prepared = [self.prepared(text) for text in texts]
        new = [text for text in dict.fromkeys(prepared) if text not in self._cut_before]
        room = MOST_WORDS_KEPT - self._num_kept
        fresh: dict[str, tuple[str, ...]] = {}
        for text, found in zip(new, cut_many(self.cutter, new), strict=True):
            words = tuple(UNK if word in SPECIAL else sys.intern(word) for word in found)
            fresh[text] = words
            if (room := room - len(words) - 1) > 0:
                self._cut_before[text] = words
                self._num_kept += len(words) + 1
        for text in prepared:
            yield list(self._cut_before.get(text) or fresh.get(text, ()))

    def like(self, words: Sequence[str]) -> WordTokenizer:
        """The same with other words: what was cut is not cut again."""
        cutter = self.cutter
        other = WordTokenizer(
            words=words,
            segmenter=cutter.name,
            dictionary=cutter.dictionary,
            do_lower_case=self.do_lower_case,
            normalize=self.normalize_form,
            place=cutter.place,
        )
        other._cut_before, other._num_kept = self._cut_before, self._num_kept
        return other

    def ids_of_all(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of the words of each text, without special ones."""
        unknown, known = self._numbers[UNK], self._numbers
        return [[known.get(word, unknown) for word in words] for words in self.cut_all(texts)]

    def identity(self) -> dict[str, Any]:
        """All that decides which ids a text becomes, by content."""
        words = "\n".join(self.words).encode("utf-8", "surrogatepass")
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
            return [
                int(number in (self._numbers[PAD], self._numbers[SEP])) for number in token_ids_0
            ]
        second = [] if token_ids_1 is None else [0] * len(token_ids_1) + [1]
        return [0] * len(token_ids_0) + [1] + second

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
        write_text(dictionary, self.cutter.dictionary)
        return str(words), str(dictionary)


def _read_words(file: str | None) -> list[str]:
    if file is None:
        raise UserError(Problem(WORDS_FILE, "is missing: it holds the words of the tokenizer"))
    try:
        words = read_json(Path(file))
    except (OSError, ValueError) as error:
        raise UserError(Problem(file, f"{fault_of(error)}.")) from None
    sound = isinstance(words, list) and all(isinstance(word, str) for word in words)
    if not sound or tuple(words[: len(SPECIAL)]) != SPECIAL or len(set(words)) != len(words):
        message = f"is no list of different words that begins with {', '.join(SPECIAL)}"
        raise UserError(Problem(file, message))
    return list(words)


def _compare(
    segmenter: Segmenter, wanted: str | None, probe: Sequence[str] | None, now: Sequence[str]
) -> None:
    """Today's segmenter with that of training: by its cut of the probe sentence, and its version."""
    if probe is not None and list(probe) != list(now):
        message = (
            f"{segmenter.name} {segmenter.version} cuts otherwise than {wanted or 'the version'} of "
            f"training: {_differing(probe, now)}"
        )
        hint = f"Install what training had: python -m pip install {segmenter.name}=={wanted}"
        raise UserError(Problem(segmenter.place, message, hint if wanted else ""))
    if wanted is not None and wanted != segmenter.version:
        log.warning(
            "%s %s is installed, training had %s; a probe sentence is cut alike",
            segmenter.name,
            segmenter.version or "of no version",
            wanted or "one of no version",
        )


def _differing(one: Sequence[str], other: Sequence[str]) -> str:
    at = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    return f"{' | '.join(one[at : at + 3])} is now {' | '.join(other[at : at + 3])}"
