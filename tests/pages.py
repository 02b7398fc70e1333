"""Reading the documentation: fenced blocks, tables, and a small finished run to hold it against."""

import contextlib
import io
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from chatstill import cli

ROOT = Path(__file__).resolve().parents[1]
READMES = ("README.md", "README.zh-CN.md")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def fences(page: str, kind: str) -> list[str]:
    """The fenced blocks of a kind (``json``, ``sh``, empty for those without) in order."""
    found = re.findall(r"^```([a-z]*)\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    return [body for name, body in found if name == kind]


def files_of(page: str) -> dict[str, str]:
    """Name -> text of the blocks that a line which begins with the file's name leads in."""
    found = re.findall(
        r"^`([\w./]+\.\w+)`[^\n]*\n\n```[a-z]*\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL
    )
    return dict(found)


def run_page(page: str, folder: Path, more: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Runs the commands of a page's first shell block in a folder, in this process.

    Args:
        page: The page.
        folder: Where its files lie.
        more: Verb -> ``--set`` arguments that make its run a short one.

    Returns:
        Verb -> what it printed; each command must end with 0.
    """
    said = {}
    with contextlib.chdir(folder):
        for command in fences(page, "sh")[0].splitlines():
            program, verb, *words = shlex.split(command)
            assert program == "chatstill"
            sets = [word for value in more.get(verb, ()) for word in ("--set", value)]
            with contextlib.redirect_stdout(io.StringIO()) as out:
                code = cli.main([verb, *words, *sets])
            assert code == 0, (command, out.getvalue())
            said[verb] = out.getvalue()
    return said


def section(page: str, title: str) -> str:
    """The text under a heading, up to the next heading of any level."""
    parts = re.split(r"^#+ (.*)$", text_of(page), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[title]


def table(text: str) -> list[list[str]]:
    """The cells of every table row in a text, headers and rulers left out."""
    rows = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        header = number + 1 < len(lines) and lines[number + 1].startswith("|---")
        if line.startswith("|") and not line.startswith("|---") and not header:
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def names(cell: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def documented(text: str) -> set[str]:
    """Names in the first column of the tables of a text."""
    return {name for row in table(text) for name in names(row[0])}
