"""Runs a method's phases in order, from the last good checkpoint on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from safetensors.torch import load_file

from ..data.sampler import steps_per_epoch
from .arguments import training_arguments
from .checkpoints import Checkpoint, CheckpointStore, read_selection
from .control import Interrupted
from .device import device_of
from .engine import Engine
from .launch import rank, say, world_size
from .precision import precision_of
from .progress import ProgressDisplay
from .stage import StageModule
from .steps import batch_text
from .trainer import DistillationTrainer
from .try_arguments import check_arguments

if TYPE_CHECKING:
    from ..config.schema import RunConfig
    from ..methods.base import Method, Phase

ROUNDING = (
    1e-9  # 0.07 epochs of 100 steps are 7, not the 7.000000000000001 that floats make of them
)


@dataclass
class PhaseResult:
    """What a phase ended with, for the report: ``best`` is the best dev value, seen at ``best_step``.

    ``data`` is the kind of its rows, ``planned`` the steps that it was to have.
    """

    name: str
    steps: int
    best_step: int | None
    best: float | None
    data: str
    planned: int


def num_steps(phase: Phase, steps_per_epoch: int) -> int:
    """Optimizer steps of a phase."""
    if phase.max_steps > 0:
        return phase.max_steps
    return math.ceil(phase.epochs * steps_per_epoch - ROUNDING)


def steps_of(config: RunConfig, phase: Phase, num_rows: int) -> tuple[int, int]:
    """(steps of the phase, steps per epoch) over a number of rows."""
    batch = config.per_gpu_train_batch_size * world_size()
    per_epoch = steps_per_epoch(num_rows, batch, config.gradient_accumulation_steps)
    return num_steps(phase, per_epoch), per_epoch


def epochs_of(config: RunConfig, steps: int, num_rows: int) -> float:
    """Passes over a number of rows that so many steps come to."""
    batch = config.per_gpu_train_batch_size * world_size()
    return round(steps / steps_per_epoch(num_rows, batch, config.gradient_accumulation_steps), 4)


def run_phases(method: Method, engine: Engine) -> list[PhaseResult]:
    """Trains; afterwards ``method.kept()`` holds the result.

    Raises:
        Interrupted: a signal asked to stop; the step is saved.
        RunFailure: the run cannot go on; the last good checkpoint stands.
    """
    newest, lines = engine.store.newest()
    for line in lines:
        say(line)
    results = []
    for index, phase in enumerate(method.phases()):
        total = num_steps(phase, engine.data[phase.data].steps_per_epoch)
        if newest is not None and (newest.phase > index or (newest.phase == index and newest.done)):
            results.append(restore_phase(method, phase, index, total, engine.store))
            continue
        resume = newest if newest is not None and newest.phase == index else None
        results.append(_train_phase(method, index, total, resume, engine))
    return results


def restore_phase(
    method: Method, phase: Phase, index: int, total: int, store: CheckpointStore
) -> PhaseResult:
    """Loads a finished phase's result."""
    path = store.path(index)
    StageModule(method, phase).load_trained_state(load_file(path / "trained.safetensors"))
    say(f"phase '{phase.name}' was finished before")
    saved = read_selection(path)
    step = saved.get("step", total)
    return PhaseResult(phase.name, step, saved["best_step"], saved["best"], phase.data, total)


def _train_phase(
    method: Method, index: int, total: int, resume: Checkpoint | None, engine: Engine
) -> PhaseResult:
    config, phase = engine.config, method.phases()[index]
    rows = engine.data[phase.data].num_rows
    precision = precision_of(fp16=config.fp16, bf16=config.bf16)
    where = f"{precision} on {device_of(config).type}"
    say(f"phase '{phase.name}': {total:,} steps; {batch_text(config, rows)}; {where}")
    arguments = training_arguments(
        config, phase, engine.folder, total, unused_parameters=method.unused_parameters
    )
    trainer = DistillationTrainer(method, index, arguments, engine)
    if engine.console is not None and rank() == 0:
        a_step = rows / engine.data[phase.data].steps_per_epoch
        trainer.add_callback(ProgressDisplay(engine.console, phase, index, method, a_step))
    words = trainer.stage.words
    if words is not None:
        some, every = len(words.rows), len(words.full)
        say(f"word embeddings: {some:,} of {every:,} occur in the rows and are trained")
    if resume is not None:
        say(f"phase '{phase.name}' goes on after step {resume.step} of {total}")
    check_arguments(arguments, total)
    try:
        trainer.train(resume_from_checkpoint=str(resume.path) if resume is not None else None)
    finally:
        trainer.close_data()
    if trainer.flow.interrupted:
        raise Interrupted(trainer.flow.interrupted)
    trainer.finish_phase()
    selection = trainer.selection
    step = trainer.state.global_step
    return PhaseResult(phase.name, step, selection.best_step, selection.best, phase.data, total)
