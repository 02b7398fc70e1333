"""Cutting texts into words: jieba, any module with a function ``cut``, word boundaries, or characters."""

from __future__ import annotations

import importlib
import logging
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from itertools import islice
from typing import Any

from ..errors import Problem, UserError

JIEBA, WORDS, CHARACTERS, PIECES = "jieba", "words", "characters", "pieces"
SEGMENTERS = (JIEBA, WORDS, CHARACTERS, PIECES)
EXTRA = 'python -m pip install "chatstill[words]"'
# Both kinds of language, digits, a name in Latin letters and signs: what versions may cut otherwise.
PROBE = (
    "我们在北京大学生前来应聘，可以退款吗？It's 3.5 km to B-52, isn't it: don't e-mail me@here.com "
    "他来到了网易杭研大厦"
)
SAMPLE = 2000  # texts that a language is told by
log = logging.getLogger("chatstill")
_KNOWN = f"Known: {', '.join(SEGMENTERS)}, or a module with a function `cut`."


@dataclass(frozen=True)
class Segmenter:
    """Cuts texts into words; made by ``load_segmenter``. Another process loads it by its name.

    Attributes:
        name: ``jieba``, ``words``, ``characters`` or a module.
        version: Of the package that cuts; empty where none is known.
        dictionary: Content of a user dictionary of jieba's; empty without one.
        place: The key that names it, for messages.
    """

    name: str
    version: str
    dictionary: str
    place: str = field(compare=False)
    _cut: Callable[[str], Iterable[str]] = field(repr=False)

    def cut(self, text: str) -> list[str]:
        """The words of a text in their order, blanks dropped.

        Raises:
            UserError: the segmenter raises, or gives another text than it got.
        """
        try:
            words = [word.strip() for word in self._cut(text)]
        except Exception as error:  # whatever a user's own module raises
            reason = " ".join(str(error).split())[:200]
            message = f"{self.name} fails on {_short(text)} ({type(error).__name__}: {reason})"
            raise UserError(Problem(self.place, message, code="segmenter.fails")) from error
        words = [word for word in words if word]
        if _plain("".join(words)) != _plain(text):
            message = (
                f"{self.name} gives another text than it got: {_short(text)} became {words[:12]}"
            )
            hint = "A segmenter cuts a text and changes nothing in it."
            raise UserError(Problem(self.place, message, hint, code="segmenter.changes-the-text"))
        return words

    def probe(self) -> list[str]:
        """The words of a fixed sentence: two segmenters that cut it alike are taken for the same."""
        return self.cut(PROBE)

    def __reduce__(self) -> tuple[Any, ...]:
        return _load, (self.name, self.dictionary, self.place)


def load_segmenter(name: str, dictionary: str = "", *, place: str = "segmenter") -> Segmenter:
    """The segmenter of a name.

    Args:
        name: ``jieba``, ``words`` (Unicode word boundaries), ``characters`` (those that a reader takes
            for one), or a module with a function ``cut``.
        dictionary: Content of a user dictionary in jieba's format: a word, blank, frequency, blank, tag;
            the last two may be missing.
        place: The key that names it.

    Raises:
        UserError: it is not installed, has no ``cut``, or the dictionary does not go with it.
    """
    if dictionary and name != JIEBA:
        message = f"a user dictionary goes with jieba, and the segmenter is '{name}'"
        hint = f'Set the segmenter to "{JIEBA}", or leave the dictionary out.'
        raise UserError(Problem(place, message, hint, code="segmenter.dictionary-without-jieba"))
    if name == PIECES:
        message = f"'{PIECES}' are those of the teacher's tokenizer, they are no words"
        raise UserError(Problem(place, message, _KNOWN, code="segmenter.pieces-are-no-words"))
    if name in (WORDS, CHARACTERS):
        cut = _boundaries(name)
    elif name == JIEBA:
        cut = _jieba(dictionary, place)
    else:
        cut = _module(name, place)
    return Segmenter(name, segmenter_version(name), dictionary, place, cut)


def _load(name: str, dictionary: str, place: str) -> Segmenter:
    return load_segmenter(name, dictionary, place=place)


def usual_segmenter(texts: Iterable[str]) -> str:
    """``jieba`` where letters are mostly Chinese, else ``words``; the first texts decide."""
    chinese = letters = 0
    for text in islice(texts, SAMPLE):
        letters += sum(sign.isalpha() for sign in text)
        chinese += sum("\u4e00" <= sign <= "\u9fff" for sign in text)
    return JIEBA if 2 * chinese > letters else WORDS


def package_of(name: str) -> str:
    """The package that does what a segmenter's name says."""
    return "regex" if name in (WORDS, CHARACTERS) else name.split(".")[0]


def segmenter_version(name: str) -> str:
    """Version of the package that cuts; empty where none is known."""
    try:
        return version(package_of(name))
    except (PackageNotFoundError, ValueError):
        return ""


def _jieba(dictionary: str, place: str) -> Callable[[str], Iterable[str]]:
    """jieba with a user dictionary.

    Raises:
        UserError: it is not installed, or a line of the dictionary is faulty.
    """
    lines = enumerate(dictionary.split("\n"), 1)
    entries = [entry for number, line in lines if (entry := _entry(line, number, place))]
    try:
        return _own_jieba(tuple(entries))
    except ImportError as error:
        message = "the segmenter jieba is not installed"
        raise UserError(
            Problem(place, message, f"Install it: {EXTRA}", code="segmenter.jieba-not-installed")
        ) from error


@lru_cache(maxsize=2)  # it takes a second and 150 MB
def _own_jieba(entries: tuple[tuple[str, int | None], ...]) -> Callable[[str], Iterable[str]]:
    """jieba with a table of its own; the cache in the shared temporary folder is passed by."""
    with warnings.catch_warnings():  # of pkg_resources, and of its regular expressions
        warnings.simplefilter("ignore")
        import jieba
    cutter = jieba.Tokenizer()
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True  # else it would look for the shared file
    for word, frequency in entries:
        cutter.add_word(word, frequency)
    cut: Callable[[str], Iterable[str]] = cutter.cut
    return cut


def _entry(line: str, number: int, place: str) -> tuple[str, int | None] | None:
    """(word, frequency) of a line of a user dictionary; None for an empty one.

    Raises:
        UserError: the line is neither.
    """
    word, *more = line.removeprefix("\ufeff").split() or [""]
    if not word:
        return None
    whole = bool(more) and re.fullmatch("[0-9]{1,15}", more[0]) is not None
    if len(more) > 2 or (len(more) == 2 and not whole) or (more and _is_odd(more[0]) and not whole):
        fault = f"{_short(line.strip())} is no word with frequency and tag"
        hint = (
            "A line is a word without blanks (jieba cuts there), and if you like its frequency, "
            "a whole number, and a tag."
        )
        raise UserError(
            Problem(
                place,
                f"user dictionary, line {number}: {fault}",
                hint,
                code="segmenter.dictionary-line-faulty",
            )
        )
    return word, int(more[0]) if whole else None


def _is_odd(field: str) -> bool:
    """Whether it is a number of another kind than frequencies are; tags are letters."""
    return any(sign.isnumeric() for sign in field) and not any(sign.isalpha() for sign in field)


@lru_cache(maxsize=2)
def _boundaries(name: str) -> Callable[[str], Iterable[str]]:
    """Words by Unicode's boundaries (UAX 29), or the characters that a reader sees."""
    import regex

    if name == CHARACTERS:
        every = regex.compile(r"\X")
        return lambda text: every.findall(text)
    between = regex.compile(r"\b", flags=regex.WORD | regex.V1)
    return lambda text: between.split(text)


def _module(name: str, place: str) -> Callable[[str], Iterable[str]]:
    try:
        module = importlib.import_module(name)
    except (
        Exception
    ) as error:  # also what a module raises while it is imported, or for a name of dots
        if isinstance(error, ModuleNotFoundError) and name.startswith(error.name or " "):
            message = f"there is no segmenter or module '{name}' here"
            hint = f"Install it: python -m pip install {package_of(name)}. {_KNOWN}"
        else:
            reason = f"{type(error).__name__}: {error}"
            message, hint = f"the module '{name}' cannot be imported ({reason})", _KNOWN
        raise UserError(Problem(place, message, hint, code="segmenter.unknown")) from error
    cut = getattr(module, "cut", None)
    if not callable(cut):
        raise UserError(
            Problem(
                place,
                f"the module '{name}' has no function `cut`",
                _KNOWN,
                code="segmenter.without-cut",
            )
        )
    found: Callable[[str], Iterable[str]] = cut
    return found


def check_same(segmenter: Segmenter, version: str | None, probe: Sequence[str] | None) -> None:
    """Compares a segmenter with that of training; another version that cuts alike is a warning.

    Args:
        segmenter: What is installed.
        version: What training had; None where that is not known.
        probe: Its cut of the probe sentence; None where that is not known.

    Raises:
        UserError: they cut the probe sentence otherwise.
    """
    now = segmenter.probe()
    if probe is not None and list(probe) != now:
        message = (
            f"{segmenter.name} {segmenter.version} cuts otherwise than {version or 'the version'} of "
            f"training: {_differing(probe, now)}"
        )
        package = package_of(segmenter.name)
        hint = f"Install what training had: python -m pip install {package}=={version}"
        raise UserError(
            Problem(
                segmenter.place, message, hint if version else "", code="segmenter.cuts-otherwise"
            )
        )
    if version is not None and version != segmenter.version:
        log.warning(
            "%s %s is installed, training had %s; a probe sentence is cut alike",
            segmenter.name,
            segmenter.version or "of no version",
            version or "one of no version",
        )


def _differing(one: Sequence[str], other: Sequence[str]) -> str:
    pairs = enumerate(zip(one, other, strict=False))
    at = next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
    return f"{' | '.join(map(str, one[at : at + 3]))} is now {' | '.join(other[at : at + 3])}"


def _plain(text: str) -> str:
    return "".join(text.split())


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
