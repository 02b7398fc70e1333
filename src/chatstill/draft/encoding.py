"""The encoding of a text file, told by its first lines."""

import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from ..errors import Problem, UserError
from ..tasks.reading import CONTROL, HAN, looks_gb18030, shorten

START, LINES = 1 << 20, 2000  # bytes that are read, and lines beyond ASCII that are looked at
NEARLY_ALL = 0.8  # of the words beyond ASCII are Chinese, where a file is taken for GB18030
OFTEN = 0.05  # of their signs are ``COMMON``: of Chinese text a fifth and more, else hardly any
GUESS = "a guess: nearly all words beyond ASCII are Chinese in it; see that a row reads well"
# Of simplified and traditional text. Signs whose bytes are frequent syllables in Korean (EUC-KR) are
# left out.
COMMON = frozenset(
    "的一是不了在人有我他这個个中来大为上们到说时要就出会可也你对生能而子那得着下自之年后作里用"
    "道行所种事成方多么去都同现当没起定天分还好小部其些主样心她本前但因只从想日這們為來說時會對"
    "過後裡種樣沒還開現當很吗什怎请吃钱问知让把被最第见再两新服买嗎給與于於呢哪谁点店差推市动机"
)
_WORD = re.compile(r"[^\s!-/:-@\[-`{-~]+")


def encoding_of(file: Path) -> str:
    """UTF-16 by its mark, UTF-8, or GB18030 where the lines are Chinese text in it.

    A file of which most lines beyond ASCII are UTF-8 is UTF-8 with faults: its reader names them.

    Raises:
        UserError: it is likely none of them.
    """
    start = _start(file)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    lines = _beyond_ascii(start)
    if 2 * sum(_is(line, "utf-8") for line in lines) > len(lines) or _is(start, "utf-8"):
        return "utf-8"
    if _is_chinese(lines):
        return "gb18030"
    hint = (
        f"UTF-8, UTF-16 and GB18030 are told. Convert it: iconv -f ITS_ENCODING -t UTF-8 {file.name} > "
        f"new{file.suffix}. Names of encodings: CP1252, BIG5, CP932, CP949 …"
    )
    if start.startswith(b"\x1f\x8b"):
        hint = "This looks like a gzip file: unpack it first."
    raise UserError(
        Problem(str(file), "its encoding can't be told.", hint, code="draft.encoding-not-told")
    )


def require_one(file: Path, encoding: str, others: Iterable[Path]) -> None:
    """One encoding holds for all files of a block.

    Args:
        file: The training file.
        encoding: Its own.
        others: Those beside it; plain ASCII is read in any of them but UTF-16.

    Raises:
        UserError: some are in another one.
    """
    found = [(other, encoding_of(other)) for other in others]
    problems = [
        Problem(
            str(other),
            f"is {theirs}, the training file {file.name} is {encoding}",
            f"One encoding holds for all: iconv -f {theirs} -t {encoding} {other.name} > new{other.suffix}",
            code="draft.other-encoding",
        )
        for other, theirs in found
        if theirs != encoding and not (_start(other).isascii() and encoding != "utf-16")
    ]
    if problems:
        raise UserError(problems)


def as_decoded(file: Path, encoding: str) -> str:
    """The first line beyond ASCII as it reads in a guessed encoding; empty where there is no guess."""
    if encoding != "gb18030":
        return ""
    start = _start(file)
    line = _beyond_ascii(start)[0]
    number = start[: start.find(line)].count(b"\n") + 1
    text = shorten(line.decode(encoding, errors="replace").strip(), 60)
    return f"encoding: {encoding} is a guess; in it line {number} reads {text}"


def _start(file: Path) -> bytes:
    """Whole lines from the beginning."""
    with file.open("rb") as stream:
        start = stream.read(START)
    return start[: start.rfind(b"\n") + 1] or start


def _beyond_ascii(start: bytes) -> list[bytes]:
    return list(islice((line for line in start.split(b"\n") if not line.isascii()), LINES))


def _is(text: bytes, encoding: str) -> bool:
    try:
        text.decode(encoding)
        return True
    except UnicodeDecodeError:
        return False


def _is_chinese(lines: Iterable[bytes]) -> bool:
    """Whether nearly all words beyond ASCII are Chinese in GB18030, and of signs that Chinese text has.

    Words, since names, labels and keys of JSON lines are often more of a line than its text. Signs,
    since words of Korean, Japanese and Thai encodings are Chinese signs in GB18030 too, of rare ones. A
    line that is no GB18030 counts as one word of another encoding.
    """
    right = words = signs = common = 0
    for line in lines:
        if not _is(line, "gb18030"):
            words += 1
            continue
        for word in _WORD.findall(line.decode("gb18030")):
            if any(sign > "\x7f" and sign.isalpha() for sign in word) or CONTROL.search(word):
                words += 1
                right += looks_gb18030(word.encode("gb18030"))
                found = HAN.findall(word)
                signs += len(found)
                common += sum(sign in COMMON for sign in found)
    return right > 0 and right >= NEARLY_ALL * words and common >= OFTEN * signs
