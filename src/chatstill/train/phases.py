"""Runs a method's phases in order, from the last good checkpoint on."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from safetensors.torch import load_file
from transformers import TrainerCallback, TrainingArguments

from ..errors import Problem, UserError
from ..methods.base import Method, Phase
from .arguments import takes_rows
from .checkpoints import Checkpoint, CheckpointStore, read_selection
from .control import Interrupted, StopRequest
from .settings import PhaseSettings, Steps
from .stage import StageModule
from .teachers import TeacherSource
from .trainer import DistillationTrainer


@dataclass
class PhaseResult:
    """What a phase ended with, for the report: ``best`` is the best dev value, seen at ``best_step``."""

    name: str
    steps: int
    best_step: int | None
    best: float | None


@dataclass
class Engine:
    """Everything that the phases of a run share.

    Attributes:
        store: Checkpoints.
        steps_for: Data of a phase.
        arguments_for: TrainingArguments of a phase, given its number of steps.
        settings_for: Settings of a phase, given its index and steps per epoch.
        evaluate_kept: Main metric and all metrics of the kept network on dev; None = never evaluate.
        stop: Request by a signal.
        on_log: Called with every log record on the main process.
        say: Prints a line to the log.
        callbacks_for: Progress display of a phase.
        source_for: Teacher features of a phase; None is the live teacher.
        tokens_for: Ids of the tokens that a phase's rows hold, asked where it helps (``takes_rows``);
            None trains all word embeddings.
    """

    store: CheckpointStore
    steps_for: Callable[[Phase], Steps]
    arguments_for: Callable[[Phase, int], TrainingArguments]
    settings_for: Callable[[int, int], PhaseSettings]
    evaluate_kept: Callable[[], tuple[float, dict[str, float]]] | None
    stop: StopRequest
    on_log: Callable[[dict[str, Any]], None]
    say: Callable[[str], None]
    callbacks_for: Callable[[int, Phase, Steps], list[TrainerCallback]]
    source_for: Callable[[Phase], TeacherSource | None] = lambda phase: None
    tokens_for: Callable[[Phase], np.ndarray | None] = lambda phase: None


def num_steps(phase: Phase, steps_per_epoch: int) -> int:
    """Optimizer steps of a phase."""
    return phase.max_steps if phase.max_steps > 0 else math.ceil(phase.epochs * steps_per_epoch)


def run_phases(method: Method, engine: Engine) -> list[PhaseResult]:
    """Trains; afterwards ``method.kept()`` holds the result.

    Raises:
        Interrupted: a signal asked to stop; the step is saved.
        RunFailure: the run cannot go on; the last good checkpoint stands.
    """
    newest, lines = engine.store.newest()
    for line in lines:
        engine.say(line)
    results = []
    for index, phase in enumerate(method.phases()):
        steps = engine.steps_for(phase)
        total = num_steps(phase, steps.steps_per_epoch)
        if newest is not None and (newest.phase > index or (newest.phase == index and newest.done)):
            results.append(restore_phase(method, phase, index, total, engine.store, engine.say))
            continue
        resume = newest if newest is not None and newest.phase == index else None
        results.append(_train_phase(method, phase, index, steps, total, resume, engine))
    return results


def restore_phase(
    method: Method,
    phase: Phase,
    index: int,
    total: int,
    store: CheckpointStore,
    say: Callable[[str], None],
) -> PhaseResult:
    """Loads a finished phase's result."""
    path = store.path(index)
    StageModule(method, phase).load_trained_state(load_file(path / "trained.safetensors"))
    say(f"phase '{phase.name}' was finished before")
    saved = read_selection(path)
    return PhaseResult(phase.name, saved.get("step", total), saved["best_step"], saved["best"])


def _train_phase(
    method: Method,
    phase: Phase,
    index: int,
    steps: Steps,
    total: int,
    resume: Checkpoint | None,
    engine: Engine,
) -> PhaseResult:
    arguments = engine.arguments_for(phase, total)
    trainer = DistillationTrainer(
        method,
        phase,
        arguments,
        engine.settings_for(index, steps.steps_per_epoch),
        steps,
        engine.store,
        engine.evaluate_kept,
        engine.stop,
        engine.on_log,
        engine.source_for(phase),
        engine.tokens_for(phase) if takes_rows(arguments) else None,
    )
    for callback in engine.callbacks_for(index, phase, steps):
        trainer.add_callback(callback)
    words = trainer.stage.words
    if words is not None:
        some, every = len(words.rows), len(words.full)
        engine.say(f"word embeddings: {some:,} of {every:,} occur in the rows and are trained")
    if resume is not None:
        engine.say(f"phase '{phase.name}' goes on after step {resume.step} of {total}")
    model: Any = trainer.model
    try:  # some optimizers live in libraries of their own
        trainer.get_optimizer_cls_and_kwargs(arguments, model)
    except ImportError as error:
        raise UserError(
            Problem("training_arguments.optim", str(error), code="training.optimizer-refused")
        ) from None
    try:
        trainer.train(resume_from_checkpoint=str(resume.path) if resume is not None else None)
    finally:
        trainer.close_data()
    if trainer.flow.interrupted:
        raise Interrupted(trainer.flow.interrupted)
    trainer.finish_phase()
    selection = trainer.selection
    return PhaseResult(phase.name, trainer.state.global_step, selection.best_step, selection.best)
