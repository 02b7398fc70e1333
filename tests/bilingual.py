"""A page in two languages: what has to be the same in both, and where it is not.

A page is taken apart into blocks (headings, paragraphs, list items, tables, fenced blocks), which
stand in one order in both languages. In each pair of blocks, of a table in each pair of cells, the
code, the figures and the links are compared; the words are not.
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from .pages import ROOT

CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NUMBER = re.compile(
    r"(?:(?<![A-Za-z0-9])[-+±])?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)*(?:e[-+]?\d+)?[²³]?(?:\s?%)?"
)
ANCHOR = re.compile(r'^<a id="([^"]+)"></a>$')
RULER = re.compile(r"^\|(?:\s*:?-+:?\s*\|)+$")
OTHER_LANGUAGE = {"[中文]": "zh", "[English]": "en"}


@dataclass
class Block:
    """A piece of a page: its kind (``heading 2``, ``table`` …), first line and text.

    Attributes:
        kind: What it is; a fenced block's language belongs to it.
        line: Number of its first line, from 1.
        text: The lines, joined; of a fenced block what stands between the fences.
        anchors: Explicit ones right before it.
    """

    kind: str
    line: int
    text: str
    anchors: list[str] = field(default_factory=list)


def blocks(text: str) -> list[Block]:
    """The blocks of a page in order; explicit anchors belong to the block behind them."""
    found: list[Block] = []
    waiting: list[str] = []
    fenced = blank = False
    for number, line in enumerate(text.splitlines(), 1):
        if fenced:
            if line == "```":
                fenced, blank = False, True
            else:
                found[-1].text += line + "\n"
            continue
        if anchor := ANCHOR.match(line):
            waiting.append(anchor[1])
            continue
        kind = _kind(line)
        fenced = kind.startswith("block of code")
        goes_on = kind == "paragraph" or kind == "table" == (found[-1].kind if found else "")
        if kind and goes_on and not blank and found:
            found[-1].text += "\n" + line
        elif kind:
            found.append(Block(kind, number, "" if fenced else line, waiting))
            waiting = []
        blank = not kind or kind.startswith("heading")
    return found


def _kind(line: str) -> str:
    if not line.strip():
        return ""
    if line.startswith("```"):
        return f"block of code {line[3:]}".strip()
    if heading := re.match(r"(#+) ", line):
        return f"heading {len(heading[1])}"
    if line.startswith("|"):
        return "table"
    if re.match(r"\s*(-|\d+\.) ", line):
        return "item of a list"
    return "paragraph"


def cells(line: str) -> list[str]:
    """The cells of a table's row."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def slug(title: str) -> str:
    """The anchor that a heading gets by itself."""
    plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title.lstrip("#").strip()).lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """All anchors of a page, those of its headings and explicit ones."""
    found = set()
    for block in blocks(text):
        found |= {*block.anchors}
        if block.kind.startswith("heading"):
            found.add(slug(block.text))
    return found


def links(page: str, text: str) -> list[tuple[str, str]]:
    """(file, anchor) of every local link outside code, the file counted from the repository."""
    found = []
    for block in blocks(text):
        if not block.kind.startswith("block of code"):
            for target in LINK.findall(CODE.sub("", block.text)):
                if not re.match(r"[a-z]+:", target):
                    found.append(_resolved(page, target))
    return found


def _resolved(page: str, target: str) -> tuple[str, str]:
    file, _, anchor = target.partition("#")
    here = os.path.normpath(os.path.join(os.path.dirname(page), file)) if file else page
    return here.replace(os.sep, "/"), anchor


def english(path: str) -> str:
    """The English page that a page of either language belongs to."""
    return path.replace("docs/zh/", "docs/", 1).replace("README.zh-CN.md", "README.md")


def chinese(path: str) -> str:
    """The Chinese page of an English one, or the path itself where there is none."""
    other = path.replace("docs/", "docs/zh/", 1) if path.startswith("docs/") else path
    other = "README.zh-CN.md" if path == "README.md" else other
    return other if (ROOT / other).is_file() else path


def differences(page: str, text: str, other: str, translated: str) -> list[str]:
    """What is not the same in a page and its translation, each difference with file and line."""
    pairs = [_without_the_switch(blocks(side)) for side in (text, translated)]
    found = []
    for ours, theirs in zip(*pairs, strict=False):
        where = f"{page}:{ours.line} and {other}:{theirs.line}"
        if ours.kind != theirs.kind:
            return [*found, f"{where}: {ours.kind} and {theirs.kind}; all behind is not compared"]
        if ours.kind.startswith("block of code"):
            found += [f"{where}: {what}" for what in _code(ours, theirs)]
            continue
        if ours.kind.startswith("heading") and ours.kind != "heading 1":
            if slug(ours.text) not in {slug(theirs.text), *theirs.anchors}:
                found.append(f'{where}: no <a id="{slug(ours.text)}"></a> before the heading')
        if ours.kind == "table":
            found += list(_table(page, ours, other, theirs))
        else:
            found += [f"{where}: {what}" for what in _marks(page, ours.text, other, theirs.text)]
    counts = [len(side) for side in pairs]
    if counts[0] != counts[1]:
        longer = max(pairs, key=len)[min(counts)]
        name = page if counts[0] > counts[1] else other
        found.append(f"{name}:{longer.line}: {longer.kind} without its like in the other language")
    return found


def _without_the_switch(found: list[Block]) -> list[Block]:
    """All but the line that leads to the other language."""
    return [block for block in found if not block.text.startswith((*OTHER_LANGUAGE,))]


def _code(ours: Block, theirs: Block) -> Iterator[str]:
    language = ours.kind.removeprefix("block of code").strip()
    pair = [
        [_without_comment(line, language) for line in block.text.splitlines()]
        for block in (ours, theirs)
    ]
    for number, (one, two) in enumerate(zip(*pair, strict=False), 1):
        if one != two:
            yield f"line {number} of the block: {one!r} and {two!r}"
    if len(pair[0]) != len(pair[1]):
        yield f"{len(pair[0])} and {len(pair[1])} lines in the block"


def _without_comment(line: str, language: str) -> str:
    """A line of code, what a comment says taken out, its place kept."""
    if language in ("", "sh", "python"):
        return re.sub(r"(^|\s)#\s.*", r"\1#", line)
    return re.sub(r"^(\s*)//.*", r"\1//", line) if language == "json" else line


def _table(page: str, ours: Block, other: str, theirs: Block) -> Iterator[str]:
    rows, lines = ours.text.splitlines(), theirs.text.splitlines()
    if len(rows) != len(lines):
        yield (
            f"{page}:{ours.line} and {other}:{theirs.line}: "
            f"{len(rows)} and {len(lines)} lines in the table; it is not compared further"
        )
        return
    for number, (row, line) in enumerate(zip(rows, lines, strict=True)):
        where = f"{page}:{ours.line + number} and {other}:{theirs.line + number}"
        pair = cells(row), cells(line)
        if len(pair[0]) != len(pair[1]) or bool(RULER.match(row)) != bool(RULER.match(line)):
            yield f"{where}: {len(pair[0])} and {len(pair[1])} columns"
            continue
        for column, (one, two) in enumerate(zip(*pair, strict=True), 1):
            for what in _marks(page, one, other, two):
                yield f"{where}: column {column}: {what}"
            if bool(one) != bool(two):
                yield f"{where}: column {column} is empty in one language"


def _marks(page: str, one: str, other: str, two: str) -> Iterator[str]:
    """The differences in code, figures and links of a pair of texts."""
    for name, read in (("code", _spans), ("figures", _figures), ("links", _targets)):
        ours, theirs = Counter(read(page, one)), Counter(read(other, two))
        if ours != theirs:
            left, right = ([*(side).elements()] for side in (ours - theirs, theirs - ours))
            yield f"{name}: only in English {left}, only in Chinese {right}"


def _spans(_page: str, text: str) -> list[str]:
    return [re.sub(r"\s+", " ", span[1]) for span in CODE.findall(text)]


def _figures(_page: str, text: str) -> list[str]:
    plain = re.sub(r"^\s*\d+\. ", "", LINK.sub("]", CODE.sub(" ` ", text)))
    plain = re.sub("[−–]", "-", "".join(_narrow(letter) for letter in plain))
    return [re.sub(r"[,\s]", "", number) for number in NUMBER.findall(plain)]


def _narrow(letter: str) -> str:
    """A full-width digit, sign or Latin letter as the usual one."""
    usual = unicodedata.normalize("NFKC", letter)
    return usual if "\uff01" <= letter <= "\uff5e" and letter not in "，：；（）" else letter


def _targets(page: str, text: str) -> list[str]:
    found = []
    for target in LINK.findall(CODE.sub("", text)):
        if re.match(r"[a-z]+:", target):
            found.append(target)
        else:
            file, anchor = _resolved(page, target)
            found.append(f"{english(file)}#{anchor}")
    return found
