"""What all phases of a run share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checkpoints import CheckpointStore
from .control import StopRequest
from .settings import Steps

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console

    from ..config.schema import RunConfig
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
        sources: Stored teacher by the phase's name; the others run the teacher itself.
        tokens: Ids of the tokens that the rows hold, padding among them: of the word embeddings those
            alone are trained where that helps (``takes_rows``). None trains the whole table.
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
    sources: Mapping[str, TeacherSource] = field(default_factory=dict)
    tokens: np.ndarray | None = None
    console: Console | None = None
    stop: StopRequest = field(default_factory=StopRequest)
