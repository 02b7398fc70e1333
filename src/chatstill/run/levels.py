"""What the main path asks of a level: a task with labels, or the pre-training of a network on a corpus.

A method says which it is of (``Method.level``); a network in a folder is looked at by the rows it is given.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

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
    """The steps of a run. A job, its rows and what training ended with are each level's own."""

    def open_job(self, config: RunConfig, verb: Any, method_class: type[Method]) -> Any:
        """The parts of a run, loaded and fitting."""
        ...

    def without_networks(self, config: RunConfig, method_class: type[Method]) -> list[Problem]:
        """What can be said where the networks cannot be put together."""
        ...

    def preflight(self, job: Any) -> Plan:
        """All that can be known before training."""
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
        ranking: bool = False,
    ) -> dict[str, Any]:
        """Figures of a network in a folder."""
        ...

    def predict(
        self, folder: Path, file: Path, config: RunConfig, output: Path | None
    ) -> tuple[Path, list[Problem]]:
        """Scores every row of a file."""
        ...


class _Task:
    """Rows with labels, and classifiers."""

    def open_job(self, config: RunConfig, verb: Any, method_class: type[Method]) -> Any:
        from .job import open_job

        return open_job(config, verb, method_class)

    def without_networks(self, config: RunConfig, method_class: type[Method]) -> list[Problem]:
        from ..preflight.preflight import without_networks

        return without_networks(config, method_class)

    def preflight(self, job: Any) -> Plan:
        from ..preflight.preflight import preflight

        return preflight(job)

    def renew_data_report(self, job: Any, path: Path) -> None:
        from ..preflight.preflight import renew_data_report

        renew_data_report(job, path)

    def prepare(self, job: Any, folder: Path, console: Console, *, trains: bool = True) -> Any:
        from .train import prepare_views

        return prepare_views(job, folder, console, trains=trains)

    def train(self, job: Any, views: Any, *more: Any) -> Any:
        from .train import train_job

        return train_job(job, views, *more)

    def scored(self, job: Any, views: Any, phases: list[Any]) -> Any:
        from .train import scored

        return scored(job, views, phases)

    def report(
        self, job: Any, views: Any, folder: Path, trained: Any, seconds: float
    ) -> dict[str, Any] | None:
        from .results import report_run

        return report_run(job, views, folder, trained, seconds)

    def evaluate(
        self,
        named: Path,
        config: RunConfig,
        split: Split,
        output: Path | None,
        *,
        ranking: bool = False,
    ) -> dict[str, Any]:
        from .results import evaluate_folder

        return evaluate_folder(named, config, split, output, ranking=ranking)

    def predict(
        self, folder: Path, file: Path, config: RunConfig, output: Path | None
    ) -> tuple[Path, list[Problem]]:
        from .results import predict_file

        return predict_file(folder, file, config, output)


class _Pretraining:
    """A corpus, and networks with a head over the vocabulary."""

    def open_job(self, config: RunConfig, verb: Any, method_class: type[Method]) -> Any:
        from .pretraining.job import open_job

        return open_job(config, verb, method_class)

    def without_networks(self, config: RunConfig, method_class: type[Method]) -> list[Problem]:
        return []  # ``open_job`` reads the corpus too

    def preflight(self, job: Any) -> Plan:
        from .pretraining.plan import preflight

        return preflight(job)

    def renew_data_report(self, job: Any, path: Path) -> None:
        """A corpus has no report of its rows."""

    def prepare(self, job: Any, folder: Path, console: Console, *, trains: bool = True) -> Any:
        from .pretraining.train import prepare_corpus

        return prepare_corpus(job, folder, console)

    def train(self, job: Any, views: Any, *more: Any) -> Any:
        from .pretraining.train import train_job

        return train_job(job, views, *more)

    def scored(self, job: Any, views: Any, phases: list[Any]) -> Any:
        from .pretraining.train import scored

        return scored(job, views, phases)

    def report(
        self, job: Any, views: Any, folder: Path, trained: Any, seconds: float
    ) -> dict[str, Any] | None:
        from .pretraining.results import report_run

        return report_run(job, views, folder, trained, seconds)

    def evaluate(
        self,
        named: Path,
        config: RunConfig,
        split: Split,
        output: Path | None,
        *,
        ranking: bool = False,
    ) -> dict[str, Any]:
        from .pretraining.results import evaluate_folder

        return evaluate_folder(named, config, split, output, ranking=ranking)

    def predict(
        self, folder: Path, file: Path, config: RunConfig, output: Path | None
    ) -> tuple[Path, list[Problem]]:
        from .pretraining.results import refuse_prediction

        raise refuse_prediction(folder)


LEVELS: dict[str, Level] = {"task": _Task(), "pretraining": _Pretraining()}


def level_of(loaded: Loaded) -> Level:
    """That of the method that runs."""
    return LEVELS["task" if loaded.trains is None else loaded.trains.level]


def level_of_rows(config: RunConfig) -> Level:
    """That of the rows that a configuration names: texts without labels are a corpus."""
    from ..tasks import without_labels

    is_corpus = config.data is None and without_labels(config.task_name)
    return LEVELS["pretraining" if is_corpus else "task"]
