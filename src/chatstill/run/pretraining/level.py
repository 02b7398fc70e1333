"""A level: a corpus, and networks with a head over the vocabulary. Steps by the names of ``levels.Level``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models.save import save_student
from .job import open_job
from .networks import network_to_keep
from .plan import preflight
from .results import evaluate_folder as evaluate
from .results import refuse_prediction
from .results import report_run as report
from .train import prepare_corpus, scored
from .train import train_job as train

if TYPE_CHECKING:
    from rich.console import Console

    from ...config.schema import RunConfig
    from ...errors import Problem
    from ...methods.base import Method
    from .job import CorpusJob
    from .train import Prepared

__all__ = ["evaluate", "open_job", "preflight", "report", "scored", "train"]


def without_networks(config: RunConfig, method_class: type[Method]) -> list[Problem]:
    """Nothing more: ``open_job`` reads the corpus too."""
    return []


def stand_in(job: CorpusJob, folder: Path) -> None:
    """As the run itself writes it."""
    save_student(network_to_keep(job.method), job.tokenizer, folder, ())


def renew_data_report(job: CorpusJob, path: Path) -> None:
    """A corpus has no report of its rows."""


def prepare(job: CorpusJob, folder: Path, console: Console, *, trains: bool = True) -> Prepared:
    """The blocks of both parts."""
    return prepare_corpus(job, folder, console)


def predict(folder: Path, file: Path, config: RunConfig, output: Path | None) -> Any:
    """Refuses: a masked-LM network gives no labels."""
    raise refuse_prediction(folder)
