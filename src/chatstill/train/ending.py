"""Ends a run before its time, with the network of its best or last checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors.torch import load_file

from ..disk.json_file import known_object
from ..methods.base import Context, Method, by_loss
from .checkpoints import TRAINER_STATE, Checkpoint, CheckpointStore, damage_of, read_selection
from .launch import say
from .phases import PhaseResult, restore_phase
from .settings import better
from .stage import StageModule

if TYPE_CHECKING:
    from ..methods.base import Phase

VERB = "chatstill finish"


@dataclass(frozen=True)
class Ended:
    """Where a run was ended.

    Attributes:
        phase: The last phase that was trained in.
        step: Steps that it had done.
        steps: Steps that it was planned to have.
        not_run: Phases that never began.
        warnings: What that means for the network.
    """

    phase: str
    step: int
    steps: int
    not_run: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The same as a sentence."""
        where = f"step {self.step:,} of {self.steps:,} of phase '{self.phase}'"
        text = f"ended before its time by `{VERB}`, after {where}"
        names = ", ".join(f"'{name}'" for name in self.not_run)
        kind = "phases" if len(self.not_run) > 1 else "phase"
        return f"{text}; not run: {kind} {names}" if names else text

    def facts(self) -> dict[str, Any]:
        """For ``metrics.json``."""
        facts = {"phase": self.phase, "step": self.step, "steps": self.steps}
        return {**facts, "not_run": self.not_run, "text": self.text}


@dataclass(frozen=True)
class _Place:
    """The weights that are kept of the phase under way."""

    weights: Path
    step: int
    selection: dict[str, Any]


def end_phases(
    method: Method,
    store: CheckpointStore,
    totals: Sequence[int],
    *,
    keep: str,
    seed: int,
    lower_is_better: bool = False,
) -> tuple[list[PhaseResult], Ended | None] | list[str]:
    """Loads what the run came to; afterwards ``method.kept()`` holds it. Nothing is trained.

    Args:
        method: Of the run, as before its first step.
        store: Its checkpoints.
        totals: Planned steps of each phase.
        keep: ``best`` or ``last``.
        seed: The run's.
        lower_is_better: Of the metric that selects, where a phase's own loss does not.

    Returns:
        Results by phase, and where the run was ended, None where all phases were over; a list of lines
        about checkpoints that are damaged where nothing can be taken.
    """
    newest, lines = store.newest()
    phases = method.phases()
    index = 0 if newest is None else newest.phase + newest.done
    place = None
    if index < len(phases):
        step = newest if newest is not None and not newest.done else None
        lower = lower_is_better or by_loss(method, phases[index])
        place = _place(store, index, step, keep, lines, lower=lower)
    if newest is None and place is None:
        return lines
    for line in lines:
        say(line)
    results = [
        restore_phase(method, phases[number], number, totals[number], store)
        for number in range(index)
    ]
    if index == len(phases):
        return results, None
    left = [phase.name for phase in phases[index + (place is not None) :]]
    if place is None:  # between two phases
        done = results[-1]
        found = _warnings(method, phases, index - 1, done.steps, done.steps, seed)
        return results, Ended(done.name, done.steps, done.steps, left, found)
    phase = phases[index]
    StageModule(method, phase).load_trained_state(load_file(place.weights / "trained.safetensors"))
    done_steps, total = _steps(newest, place, index, totals[index])
    best_step, best = place.selection.get("best_step"), place.selection.get("best")
    results.append(PhaseResult(phase.name, done_steps, best_step, best, phase.data, total))
    found = _warnings(method, phases, index, place.step, total, seed)
    if keep == "best" and best_step is None:
        found.append(
            "dev had not been scored before the run was ended: the last weights are kept, not the best"
        )
    return results, Ended(phase.name, done_steps, total, left, found)


def kept_early(
    method: Method, results: Sequence[PhaseResult], *, keep: str, seed: int
) -> list[str]:
    """What it means for the kept network where its weights are from, of a run that came to its end.

    ``patience`` may have ended it, and ``keep: best`` may have chosen a step of long before.
    """
    last = results[-1]
    best = last.best_step if keep == "best" else None
    step = last.steps if best is None else best
    return method.ended_early(Context(seed, len(results) - 1, step, 0, 0, last.planned))


def _place(
    store: CheckpointStore,
    index: int,
    newest: Checkpoint | None,
    keep: str,
    lines: list[str],
    *,
    lower: bool,
) -> _Place | None:
    """The best weights of a phase so far, else those of its newest checkpoint; None without any."""
    best: _Place | None = None
    for path in sorted(store.folder.glob(f"phase{index}-best*")) if keep == "best" else ():
        if (damage := damage_of(path)) is not None:
            lines.append(f"the best weights in {path} are damaged and not counted: {damage}")
            continue
        known = read_selection(path)
        value, step = known.get("best"), known.get("best_step")
        if value is None or step is None:
            continue
        if best is None or better(value, best.selection["best"], lower=lower):
            best = _Place(path, step, known)
    if best is not None or newest is None:
        return best
    known = read_selection(newest.path)
    if keep == "best":  # those that were the best are damaged
        known = {**known, "best": None, "best_step": None}
    return _Place(newest.path, newest.step, known)


def _steps(newest: Checkpoint | None, place: _Place, index: int, total: int) -> tuple[int, int]:
    """(steps done, steps planned) of a phase, as far as is known."""
    if newest is None or newest.phase != index:
        return place.step, total
    planned = known_object(newest.path / TRAINER_STATE).get("max_steps")
    total = planned if isinstance(planned, int) and planned > 0 else total
    return max(newest.step, place.step), total


def _warnings(
    method: Method, phases: Sequence[Phase], index: int, step: int, total: int, seed: int
) -> list[str]:
    """What it means for the kept network that training ended where its weights are from."""
    found = method.ended_early(Context(seed, index, step, 0, 0, total))
    left = [phase.name for phase in phases[index + 1 :]]
    if left:
        named = ", ".join(f"'{name}'" for name in left)
        what, they = ("phase was", "it") if len(left) == 1 else ("phases were", "they")
        found.append(
            f"the {what} not run: {named}, so the network lacks what {they} would have taught it"
        )
    return found
