"""What the main path asks of a level: a task with labels, or the pre-training of a network on a corpus.

A method says which it is of (``Method.level_of``); a network in a folder is looked at by the rows that it is
given.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from rich.console import Console

    from ..config import Loaded
    from ..config.schema import RunConfig
    from ..errors import Problem
    from ..methods.base import Method
    from ..preflight.plan import Plan
    from ..tasks.base import Split
    from ..train.checkpoints import CheckpointStore
    from ..train.launch import Gate


class Level(Protocol):
    """The steps of a run, the functions of a module. Jobs, rows, and what training ends with are its own."""

    def open_job(self, config: RunConfig, verb: Any, method_class: type[Method]) -> Any:
        """The parts of a run, loaded and fitting."""
        ...

    def without_networks(self, config: RunConfig, method_class: type[Method]) -> list[Problem]:
        """What can be said where the networks cannot be put together."""
        ...

    def preflight(self, job: Any) -> Plan:
        """All that can be known before training."""
        ...

    def stand_in(self, job: Any, folder: Path) -> None:
        """Writes the network as it is, for links that are checked before it is trained."""
        ...

    def renew_data_report(self, job: Any, path: Path) -> None:
        """``data_report.json`` of a run that goes on, where the level writes one."""
        ...

    def prepare(self, job: Any, folder: Path, console: Console, *, trains: bool = True) -> Any:
        """The rows, tokenised once."""
        ...

    def train(
        self,
        job: Any,
        views: Any,
        folder: Path,
        store: CheckpointStore,
        gate: Gate,
        console: Console,
    ) -> Any:
        """Runs the phases."""
        ...

    def scored(self, job: Any, views: Any, phases: list[Any]) -> Any:
        """What training ended with, dev scored."""
        ...

    def report(
        self, job: Any, views: Any, folder: Path, trained: Any, seconds: float
    ) -> dict[str, Any] | None:
        """Writes the kept network and its figures."""
        ...

    def evaluate(
        self,
        named: Path,
        config: RunConfig,
        split: Split,
        output: Path | None,
        *,
        rivals: Collection[str] = (),
    ) -> dict[str, Any]:
        """Figures of a network in a folder."""
        ...

    def predict(
        self, folder: Path, file: Path, config: RunConfig, output: Path | None
    ) -> tuple[Path, list[Problem]]:
        """Scores every row of a file."""
        ...


LEVELS = {"task": "task_level", "pretraining": "pretraining.level"}


def level(name: str) -> Level:
    """The module of a level; it is loaded where it is asked for."""
    found: Any = import_module(f".{LEVELS[name]}", __package__)
    return cast(Level, found)


def level_of(loaded: Loaded) -> Level:
    """That of the method that runs."""
    return level(loaded.level)


def level_of_rows(config: RunConfig) -> Level:
    """That of the network that is looked at, or of its rows: texts without labels are a corpus."""
    from ..tasks import without_labels

    is_corpus = config.data is None and without_labels(config.task_name)
    return level("pretraining" if is_corpus else config.level)
