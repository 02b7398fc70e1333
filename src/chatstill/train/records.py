"""``history.jsonl`` and TensorBoard: every log record of a run."""

import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ..disk.full import writing
from ..disk.json_file import parse_json
from ..disk.run_names import HISTORY, TENSORBOARD
from ..disk.write import open_append, write_text
from .balance import Balance
from .curves import Curves

log = logging.getLogger("chatstill")


class Records:
    """The log records of a run, cut back to the checkpoint where it goes on.

    Args:
        folder: The run folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path, self.folder = folder / HISTORY, folder / TENSORBOARD
        self._file: IO[str] | None = None
        self._curves: Curves | None = None
        self._steps_before: dict[int, int] = {}
        self._balance = Balance()

    def open(self, steps_before: dict[int, int], after: tuple[int, int]) -> None:
        """Goes on after a checkpoint; later records of an interrupted run are dropped.

        Args:
            steps_before: Steps of all phases before each phase, for one axis over the run.
            after: (phase, step) of the checkpoint; (0, 0) for a new run.
        """
        if self.path.is_file():
            lines = self.path.read_text(encoding="utf-8", errors="replace").split("\n")
            kept = [line for line in lines if _position(line) <= after]
            write_text(self.path, "".join(f"{line}\n" for line in kept))
        self._steps_before = steps_before
        self._file = open_append(self.path)
        # Curves of a run that goes on: what came after the checkpoint is drawn anew.
        purge = steps_before.get(after[0], 0) + after[1] + 1 if self.folder.is_dir() else None
        self._curves = Curves(self.folder, purge)

    def add(self, record: dict[str, Any]) -> None:
        """Appends a record; every number in it becomes a TensorBoard curve.

        Where one term of the loss drowns another, a warning says so.
        """
        assert self._file is not None and self._curves is not None
        with writing(self.path):
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
            self._file.flush()
        step = record["step"] + self._steps_before[record["phase_index"]]
        for name, value in record.items():
            if isinstance(value, int | float) and name not in ("step", "phase_index"):
                self._curves.add(name, value, step)
        self._curves.flush()
        if (text := self._balance.look(record)) is not None:
            log.warning("%s", text)

    def close(self) -> None:
        """Closes both files."""
        for file in (self._file, self._curves):
            with suppress(OSError):  # the disk is full: told by what was not written
                if file is not None:
                    file.close()


def _position(line: str) -> tuple[int, int]:
    try:
        record = parse_json(line, finite=False)
        return int(record["phase_index"]), int(record["step"])
    except (ValueError, KeyError, TypeError, OverflowError):
        return (1 << 30, 0)  # a line cut short by a kill
