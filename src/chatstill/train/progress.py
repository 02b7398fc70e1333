"""What a run shows while it trains: a bar with rates and time left, or plain lines without a terminal."""

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..data.teacher_cache import Filled
from ..methods.base import Context, Method, Phase


def clock(seconds: float) -> str:
    """``4:07`` or ``1:02:09``."""
    minutes, second = divmod(round(max(seconds, 0)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


class Pace:
    """Examples per second and time left, over the steps of this process's life."""

    def __init__(self) -> None:
        self.first_step: int | None = None
        self.started = 0.0
        self.paused = 0.0

    def start(self, step: int) -> None:
        self.first_step, self.started, self.paused = step, time.monotonic(), 0.0

    def read(self, step: int, total: int, batch: float) -> tuple[float, float]:
        """(examples per second, seconds left)."""
        done = step - (self.first_step or 0)
        seconds = max(time.monotonic() - self.started - self.paused, 1e-9)
        return done * batch / seconds, (total - step) * seconds / max(done, 1)


class ProgressDisplay(TrainerCallback):
    """One phase's progress on the console.

    Args:
        console: Where to.
        phase: The phase.
        index: Its number.
        method: Source of the gauges (replacing rate).
        batch: Rows per optimizer step, over all processes.
    """

    def __init__(
        self, console: Console, phase: Phase, index: int, method: Method, batch: float
    ) -> None:
        self.console, self.phase, self.index = console, phase, index
        self.method, self.batch = method, batch
        self.pace = Pace()
        self.loss: float | None = None
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._last_line = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.pace.start(state.global_step)
        if self.console.is_terminal:
            self._bar = Progress(
                TextColumn("[bold]{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.completed:.0f}/{task.total:.0f}"),
                TextColumn("{task.fields[facts]}"),
                console=self.console,
                transient=False,
            )
            self._task = self._bar.add_task(
                self.phase.name, total=state.max_steps, completed=state.global_step, facts=""
            )
            self._bar.start()

    def facts(self, args: TrainingArguments, state: TrainerState) -> str:
        """``87.3 examples/s  2:13 left  replacing_rate 0.42  loss 0.531``."""
        rate, left = self.pace.read(state.global_step, state.max_steps, self.batch)
        epoch = int(state.epoch or 0)
        context = Context(args.seed, self.index, state.global_step, 0, epoch, state.max_steps)
        parts = [f"{rate:.1f} examples/s", f"{clock(left)} left"]
        parts += [f"{k} {v:.2f}" for k, v in self.method.gauges(context).items()]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.3f}")
        return "  ".join(parts)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=state.global_step, facts=self.facts(args, state))
            return
        now = time.monotonic()
        last = state.global_step >= state.max_steps
        if last or now - self._last_line >= 10 or state.global_step == 1:
            self._last_line = now
            line = f"{self.phase.name} {state.global_step}/{state.max_steps}  "
            self.console.print(line + self.facts(args, state), highlight=False, soft_wrap=True)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs is not None and logs.get("loss") is not None:
            self.loss = float(logs["loss"])

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leaves the terminal as it was, also after an error."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class FillDisplay:
    """Progress of a pass that stores outputs: rows, rate and time left.

    Args:
        console: Where to.
        rows: All of them.
        tokens: Their valid tokens.
        shown: Whether this process speaks.
        what: Is stored.
    """

    def __init__(
        self,
        console: Console,
        rows: int,
        tokens: int,
        shown: bool = True,
        what: str = "teacher's outputs",
    ) -> None:
        self.what, self.console, self.shown = what, console, shown
        self.rows, self.tokens = rows, tokens
        self.started = self._last_line = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> "FillDisplay":
        if self.shown and self.console.is_terminal:
            self._bar = Progress(
                TextColumn("[bold]{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.completed:,.0f}/{task.total:,.0f} rows"),
                TextColumn("{task.fields[facts]}"),
                console=self.console,
                transient=True,
            )
            self._task = self._bar.add_task(self.what, total=self.rows, facts="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, state: Filled) -> None:
        """After each batch. The time left goes by tokens: the rows come shortest first."""
        if not self.shown:
            return
        now = time.monotonic()
        seconds = max(now - self.started, 1e-9)
        facts = ""
        if state.computed_tokens:
            left = (self.tokens - state.tokens) * seconds / state.computed_tokens
            facts = f"{state.computed_rows / seconds:,.0f} rows/s  {clock(left)} left"
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=state.rows, facts=facts)
        elif facts and now - self._last_line >= 10:
            self._last_line = now
            line = f"{self.what} {state.rows:,}/{self.rows:,} rows  {facts}"
            self.console.print(line, highlight=False, soft_wrap=True)

    def summary(self, computed: int) -> str:
        """``20,000 of 20,000 rows in 0:14``, or that all were there."""
        if not computed:
            return f"all {self.rows:,} rows were there"
        return f"{computed:,} of {self.rows:,} rows in {clock(time.monotonic() - self.started)}"
