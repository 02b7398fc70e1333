"""When to log, evaluate, save and stop. All of it is decided at the end of a step, on all processes alike."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .control import Agreement, StopRequest

if TYPE_CHECKING:
    from .settings import PhaseSettings


class FlowCallback(TrainerCallback):
    """The schedule of a phase.

    An evaluation due at a step comes before a checkpoint of that step, so that a run resumed from it
    has nothing to catch up on.
    """

    def __init__(
        self,
        settings: PhaseSettings,
        agreement: Agreement,
        stop: StopRequest,
    ) -> None:
        self.settings, self.agreement, self.stop = settings, agreement, stop
        self.interrupted = 0
        self._last_save = time.monotonic()

    def saved(self) -> None:
        """Restarts the clock of time-based checkpoints."""
        self._last_save = time.monotonic()

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> TrainerControl:
        settings, step = self.settings, state.global_step
        last = step >= state.max_steps
        due = time.monotonic() - self._last_save >= settings.save_seconds
        wishes = self.agreement.largest([float(self.stop.signal_number), float(due)])
        self.interrupted = int(wishes[0])
        first = args.logging_first_step and step == 1
        control.should_log = first or last or step % max(int(args.logging_steps), 1) == 0
        if settings.eval_steps:
            control.should_evaluate = last or step % settings.eval_steps == 0
        if settings.save_steps:
            control.should_save = step % settings.save_steps == 0
        else:
            control.should_save = bool(wishes[1])
        if last or self.interrupted:
            control.should_training_stop = True
            control.should_save = control.should_save or bool(self.interrupted)
        return control
