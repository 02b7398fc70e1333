"""What ``--output`` may replace: an older file of the same kind, and nothing else. Asked before any work."""

from __future__ import annotations

from pathlib import Path

from ..disk.json_file import known_object
from ..disk.run_names import COPY, RECORD
from ..errors import Problem, UserError
from ..tasks.prediction_columns import Columns

PLACE = "--output"
PREDICTIONS, LINES, FIGURES = "predictions.tsv", "eval_results.txt", "metrics.json"
OTHER_FILE = "Name another file with --output, or remove this one yourself."
OTHER_FOLDER = "Name another folder with --output, or an empty one."


def check_predictions_file(target: Path, source: Path) -> None:
    """Only an older predictions file may be replaced, and never the rows themselves nor those of a run.

    Args:
        target: The file to write.
        source: What is to be scored.

    Raises:
        UserError: something else stands there, or its folder is missing.
    """
    if not target.exists():
        if not target.parent.is_dir():
            message = f"there is no folder {target.parent}"
            raise UserError(Problem(PLACE, message, code="predict.output-without-folder"))
        return
    if target.is_dir() or target.samefile(source):
        what = "a folder" if target.is_dir() else "the file that is to be scored"
        message = f"{target} is {what}"
        raise UserError(Problem(PLACE, message, OTHER_FILE, code="predict.output-taken"))
    if not _holds_predictions(target):
        raise UserError(
            Problem(
                PLACE,
                f"{target} exists and holds no predictions",
                OTHER_FILE,
                code="predict.output-holds-no-predictions",
            )
        )
    if target.name == PREDICTIONS and _is_run(target.parent):
        message = f"{target} holds the predictions of a run on its dev set"
        raise UserError(Problem(PLACE, message, OTHER_FILE, code="predict.output-of-a-run"))


def check_evaluation_folder(folder: Path) -> None:
    """Only what an older evaluation wrote may be replaced.

    Raises:
        UserError: it is a file or the folder of a run, or holds other files of the names that are written.
    """
    if folder.exists() and not folder.is_dir():
        message = f"{folder} is a file, and the figures go into a folder"
        raise UserError(Problem(PLACE, message, OTHER_FOLDER, code="evaluate.output-is-a-file"))
    if _is_run(folder):
        message = f"{folder} is the folder of a run, whose own figures would be replaced"
        raise UserError(Problem(PLACE, message, OTHER_FOLDER, code="evaluate.output-is-a-run"))
    figures, lines = folder / FIGURES, folder / LINES
    known = {"split", "lines"} <= set(known_object(figures))
    others = [figures] if figures.exists() and not known else []
    others += [lines] if lines.exists() and not known else []
    predictions = folder / PREDICTIONS
    others += [predictions] if predictions.exists() and not _holds_predictions(predictions) else []
    if others:
        names = ", ".join(path.name for path in others)
        message = f"{folder} holds {names}, and no evaluation wrote it"
        raise UserError(Problem(PLACE, message, OTHER_FOLDER, code="evaluate.output-taken"))


def _is_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in (RECORD, COPY))


def _holds_predictions(path: Path) -> bool:
    """Whether the first line is a header of ours. Pipes and devices are not opened."""
    if not path.is_file():
        return False
    with open(path, encoding="utf-8", errors="replace") as stream:
        header = stream.readline(10_000).rstrip("\n").split("\t")
    return Columns.of(header) is not None
