"""What all phases of a run share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..methods.base import Method, by_loss
from .checkpoints import CheckpointStore
from .control import StopRequest
from .settings import Steps

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

    from ..config.schema import RunConfig
    from .stage import AddsStates
    from .teachers import TeacherSource


@dataclass
class Engine:
    """What all phases of a run share.

    Attributes:
        config: The run's keys, settled.
        folder: The run folder.
        store: Checkpoints.
        data: Rows by ``Phase.data``.
        on_log: Called with every log record, on the first process.
        evaluate: Main metric and all metrics of the kept network on dev; None = never evaluate.
        lower_is_better: Whether a lower main metric is a better one, as of a loss.
        own_loss: Of a phase by its number: the method's own loss on dev, and its terms. It is asked in place
            of ``evaluate`` where a phase is selected by it; lower is better. None = never.
        sources: Stored teacher by the phase's name; the others run the teacher itself.
        tokens: By ``Phase.data``, ids of the tokens that the rows hold, padding among them: of the word
            embeddings those alone are trained where that helps (``takes_rows``). Else the whole table is.
        states: By the phase's name, stored states of a part of the student that is not trained; the others
            compute them.
        console: Where progress is shown; None shows none.
        stop: Request by a signal.
    """

    config: RunConfig
    folder: Path
    store: CheckpointStore
    data: Mapping[str, Steps]
    on_log: Callable[[dict[str, Any]], None]
    evaluate: Callable[[], tuple[float, dict[str, float]]] | None = None
    lower_is_better: bool = False
    own_loss: Callable[[int], tuple[float, dict[str, float]]] | None = None
    sources: Mapping[str, TeacherSource] = field(default_factory=dict)
    tokens: Mapping[str, np.ndarray] = field(default_factory=dict)
    states: Mapping[str, AddsStates] = field(default_factory=dict)
    console: Console | None = None
    stop: StopRequest = field(default_factory=StopRequest)

    def looks(
        self, method: Method, index: int
    ) -> tuple[Callable[[], tuple[float, dict[str, float]]] | None, bool]:
        """What scores dev in a phase, None where nothing does, and whether a lower value is better."""
        if not by_loss(method, method.phases()[index]):
            return self.evaluate, self.lower_is_better
        return None if self.own_loss is None else partial(self.own_loss, index), True
