"""Cutting texts into words: jieba, any module with a function ``cut``, word boundaries, or characters."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from itertools import islice

from ..errors import Problem, UserError

JIEBA, WORDS, CHARACTERS = "jieba", "words", "characters"
EXTRA = 'python -m pip install "chatstill[words]"'
# Both kinds of language, digits, a name in Latin letters and signs: what versions may cut otherwise.
PROBE = (
    "我们在北京大学生前来应聘，可以退款吗？It's 3.5 km to B-52, isn't it: don't e-mail me@here.com "
    "他来到了网易杭研大厦"
)
SAMPLE = 2000  # texts that a language is told by


@dataclass(frozen=True)
class Segmenter:
    """Cuts texts into words; made by ``load_segmenter``.

    Attributes:
        name: ``jieba``, ``words``, ``characters`` or a module.
        version: Of the package that cuts; empty where none is known.
        dictionary: Content of a user dictionary of jieba's; empty without one.
        place: The key that names it, for messages.
    """

    name: str
    version: str
    dictionary: str
    place: str
    _cut: Callable[[str], Iterable[str]] = field(repr=False, compare=False)

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
            raise UserError(Problem(self.place, message)) from error
        words = [word for word in words if word]
        if _plain("".join(words)) != _plain(text):
            message = (
                f"{self.name} gives another text than it got: {_short(text)} became {words[:12]}"
            )
            hint = "A segmenter cuts a text and changes nothing in it."
            raise UserError(Problem(self.place, message, hint))
        return words

    def probe(self) -> list[str]:
        """The words of a fixed sentence: two segmenters that cut it alike are taken for the same."""
        return self.cut(PROBE)


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
        raise UserError(
            Problem(place, message, f'Set the segmenter to "{JIEBA}", or leave it out.')
        )
    if name in (WORDS, CHARACTERS):
        return Segmenter(name, segmenter_version(name), "", place, _boundaries(name))
    if name == JIEBA:
        return Segmenter(
            name, segmenter_version(name), dictionary, place, _jieba(dictionary, place)
        )
    return Segmenter(name, segmenter_version(name), "", place, _module(name, place))


def usual_segmenter(texts: Iterable[str]) -> str:
    """``jieba`` where letters are mostly Chinese, else ``words``; the first texts decide."""
    chinese = letters = 0
    for text in islice(texts, SAMPLE):
        letters += sum(sign.isalpha() for sign in text)
        chinese += sum("\u4e00" <= sign <= "\u9fff" for sign in text)
    return JIEBA if 2 * chinese > letters else WORDS


def _jieba(dictionary: str, place: str) -> Callable[[str], Iterable[str]]:
    """jieba with a dictionary of its own; the cache in the shared temporary folder is passed by."""
    try:
        import jieba
    except ImportError as error:
        message = "the segmenter jieba is not installed"
        raise UserError(Problem(place, message, f"Install it: {EXTRA}")) from error
    logging.getLogger("jieba").setLevel(logging.WARNING)
    own = jieba.Tokenizer()
    own.FREQ, own.total = own.gen_pfdict(own.get_dict_file())
    own.initialized = True
    for number, line in enumerate(dictionary.splitlines(), 1):
        parts = line.lstrip("\ufeff").split()
        if not parts:
            continue
        if len(parts) > 3 or (len(parts) > 1 and not parts[1].isdigit() and len(parts) == 3):
            message = (
                f"user dictionary, line {number}: {_short(line)} is no word with frequency and tag"
            )
            hint = "A line is a word, and if you like its frequency (a whole number) and a tag."
            raise UserError(Problem(place, message, hint))
        frequency = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else None
        own.add_word(parts[0], frequency)
    cut: Callable[[str], Iterable[str]] = own.cut
    return cut


def _boundaries(name: str) -> Callable[[str], Iterable[str]]:
    """Words by Unicode's boundaries (UAX 29), or the characters that a reader sees."""
    import regex

    if name == CHARACTERS:
        every = regex.compile(r"\X")
        return lambda text: every.findall(text)
    between = regex.compile(r"\b", flags=regex.WORD | regex.V1)
    return lambda text: between.split(text)


def _module(name: str, place: str) -> Callable[[str], Iterable[str]]:
    known = f"Known: {JIEBA}, {WORDS}, {CHARACTERS}, pieces, or a module with a function `cut`."
    try:
        module = importlib.import_module(name)
    except Exception as error:  # also what a module raises while it is imported
        if isinstance(error, ModuleNotFoundError) and error.name == name.split(".")[0]:
            message = f"there is no segmenter or module '{name}' here"
            hint = f"Install it: python -m pip install {name}. {known}"
        else:
            message = (
                f"the module '{name}' fails when it is imported ({type(error).__name__}: {error})"
            )
            hint = known
        raise UserError(Problem(place, message, hint)) from error
    cut = getattr(module, "cut", None)
    if not callable(cut):
        raise UserError(Problem(place, f"the module '{name}' has no function `cut`", known))
    found: Callable[[str], Iterable[str]] = cut
    return found


def segmenter_version(name: str) -> str:
    """Version of the package that cuts; empty where none is known."""
    package = "regex" if name in (WORDS, CHARACTERS) else name
    try:
        return version(package.split(".")[0])
    except PackageNotFoundError:
        return ""


def _plain(text: str) -> str:
    return "".join(text.split())


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
