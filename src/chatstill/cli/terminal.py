"""The one way to the terminal: what names and values hold is shown, and does nothing to it.

A label, a column or a folder may hold escape codes, line ends, or signs that the terminal's encoding does
not have. They come out as escapes (``\\x1b``, ``\\u8f93``); nothing in them is taken for our own markup.
"""

import io
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.status import Status
from rich.text import Text

from ..errors import shown


class Terminal(Console):
    """A console that shows control characters, without markup and emoji codes in what it is given."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, **options})

    def render_str(self, text: str, **options: Any) -> Text:
        """Lines and cells that are given as plain texts, before they are measured and cut."""
        return super().render_str(shown(text, lines=True), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Whatever is printed comes through here, cell by cell; rich's own codes are marked as such."""
        for segment in super().render(renderable, options):
            if segment.control:
                yield segment
            else:
                yield Segment(shown(segment.text, lines=True), segment.style)

    def status(self, status: RenderableType, **options: Any) -> Status:
        """A line that turns, of signs that the terminal's encoding has."""
        return super().status(
            status, **{"spinner": "line" if self.options.ascii_only else "dots", **options}
        )


def standard_output() -> Terminal:
    """Tables and colours on a terminal, plain elsewhere."""
    return Terminal()


def standard_error() -> Terminal:
    """Plain and unwrapped where it is no terminal."""
    return Terminal(stderr=True, highlight=False, soft_wrap=True)


def write(text: str) -> None:
    """A line, or several, to standard output as they are, tabs included."""
    sys.stdout.write(shown(text, lines=True) + "\n")
    sys.stdout.flush()


def is_utf8() -> bool:
    """Whether standard output takes every sign."""
    return (sys.stdout.encoding or "").lower().replace("-", "") in ("utf8", "utf8sig")


def take_any_sign() -> None:
    """Signs that a stream's encoding does not have are written as escapes; they would end a run."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
