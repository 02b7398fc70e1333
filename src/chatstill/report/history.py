"""``history.jsonl`` of a run as curves: the steps of all phases one after the other."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..disk.json_file import parse_json
from ..disk.run_names import HISTORY

Point = tuple[float, float]
RATE = "replacing_rate"
TERM, WEIGHTED = "term/", "_weighted"


class History:
    """The log records of a run.

    Args:
        records: As they stand in the file.
        phase_steps: Optimizer steps of each phase, where known; else taken from the records.
    """

    def __init__(
        self, records: Sequence[Mapping[str, Any]], phase_steps: Sequence[int] = ()
    ) -> None:
        self._records = records
        ends = {index: int(steps) for index, steps in enumerate(phase_steps)}
        names: dict[int, str] = {}
        for record in records:
            index = record["phase_index"]
            names.setdefault(index, str(record["phase"]))
            if index >= len(phase_steps):
                ends[index] = max(ends.get(index, 0), record["step"])
        self._before = {index: sum(ends[i] for i in ends if i < index) for index in {*ends, *names}}
        self.phases = [(self._before[index], name) for index, name in sorted(names.items())]

    def curve(self, key: str) -> list[Point]:
        """(step of the run, value) of every record that has a finite value under ``key``."""
        return self._points(lambda record: record.get(key))

    def terms(self) -> dict[str, list[Point]]:
        """The weighted share of each term of the loss, by its name."""
        keys = dict.fromkeys(key for record in self._records for key in record)
        found = {
            key.removeprefix(TERM).removesuffix(WEIGHTED): self.curve(key)
            for key in keys
            if key.startswith(TERM) and key.endswith(WEIGHTED)
        }
        return {name: points for name, points in found.items() if points}

    def rate_is_one_at(self) -> float | None:
        """The first step that was logged with replacing rate 1 after a lower one; None if none."""
        rates = self.curve(RATE)
        if not rates or rates[0][1] >= 1:
            return None
        return next((step for step, rate in rates if rate >= 1), None)

    def marks(self) -> list[tuple[float, str]]:
        """Steps worth a vertical line: where the rate reaches 1, where a later phase begins."""
        reached = self.rate_is_one_at()
        marks = [] if reached is None else [(reached, "rate reaches 1")]
        return marks + [(float(start), f"phase {name}") for start, name in self.phases[1:]]

    def _points(self, value_of: Callable[[Mapping[str, Any]], Any]) -> list[Point]:
        points = []
        for record in self._records:
            value = value_of(record)
            if isinstance(value, int | float) and math.isfinite(value):
                points.append((float(self._before[record["phase_index"]] + record["step"]), value))
        return points


def _is_record(value: Any) -> bool:
    """Whether a line is what a run logs."""
    kinds = {"phase": str, "phase_index": int, "step": int}
    return isinstance(value, dict) and all(isinstance(value.get(k), t) for k, t in kinds.items())


def read_history(folder: Path, phase_steps: Sequence[int] = ()) -> History:
    """The records of a run folder; none if it has no history. Lines that are cut short are skipped."""
    path = folder / HISTORY
    if not path.is_file():
        return History([], phase_steps)
    records = []
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            record = parse_json(line, finite=False)
        except ValueError:
            continue
        if _is_record(record):
            records.append(record)
    return History(records, phase_steps)
