"""``run.log`` and its lines on the console."""

from __future__ import annotations

import logging
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..disk.run_names import LOG
from ..disk.write import open_append
from ..errors import shown

if TYPE_CHECKING:
    from rich.console import Console

log = logging.getLogger("chatstill")


class _File(logging.FileHandler):
    def _open(self) -> TextIOWrapper:
        """Appends to a file of ours, never through a link."""
        return cast(TextIOWrapper, open_append(Path(self.baseFilename)))

    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk is said once, by what the run itself writes; no traceback per line."""


def _escape(record: logging.LogRecord) -> bool:
    """Names in a line are anybody's: it stays one line, without codes for the terminal that shows it."""
    record.msg, record.args = shown(record.getMessage()), ()
    return True


class _Shown(logging.Handler):
    """Plain lines, whole: a terminal wraps them, a file keeps them."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        style = "yellow" if record.levelno >= logging.WARNING else None
        self.console.print(
            record.getMessage(), style=style, markup=False, highlight=False, soft_wrap=True
        )


def say(console: Console, *lines: str) -> None:
    """Prints and logs a text as whole lines. A line end inside a name does not start a new line."""
    text = "\n".join(shown(line) for line in lines)
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def start_log(folder: Path, console: Console) -> None:
    """Opens ``run.log``; a run that goes on appends to it."""
    for handler in list(log.handlers):
        log.removeHandler(handler)
        with suppress(OSError):  # of a full disk, as above
            handler.close()
    file = _File(folder / LOG, encoding="utf-8")
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(file)
    log.addHandler(_Shown(console))
    if _escape not in log.filters:
        log.addFilter(_escape)
    log.setLevel(logging.INFO)
    log.propagate = False


def note_in_file(lines: list[str]) -> None:
    """Lines that the console has seen already."""
    for handler in log.handlers:
        if isinstance(handler, logging.FileHandler):
            for line in lines:
                handler.handle(log.makeRecord(log.name, logging.INFO, "", 0, shown(line), (), None))
