"""The zip that GLUE's server takes: a file of predictions for each unlabelled test set.

Each holds a header ``index TAB prediction`` and a line for every row of the test file, in the order
of its index column: 0 or 1, the class in words for MNLI, AX, QNLI and RTE, a number from 0 to 5 for
STS-B.
"""

import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..disk.write import replacing
from ..errors import Problem, UserError
from . import get_task
from .files import locate
from .glue_task import GlueTask
from .metrics import decide, matrix
from .reading import malformed, read_rows, shorten

INDEX_NAMES = ("index", "id", "idx")
HEADER = "index\tprediction\n"
_OLDEST = (1980, 1, 1, 0, 0, 0)  # the same predictions give the same bytes


@dataclass(frozen=True)
class SubmissionFile:
    """One file of the zip.

    Attributes:
        name: In the zip.
        task: Whose rows.
        model_task: Whose network predicts them.
        rows: Of the official test set.
        test_file: Its name where it is not the task's own.
    """

    name: str
    task: str
    model_task: str
    rows: int
    test_file: str | None = None


FILES = (
    SubmissionFile("CoLA.tsv", "cola", "cola", 1063),
    SubmissionFile("SST-2.tsv", "sst2", "sst2", 1821),
    SubmissionFile("MRPC.tsv", "mrpc", "mrpc", 1725),
    SubmissionFile("STS-B.tsv", "stsb", "stsb", 1379),
    SubmissionFile("QQP.tsv", "qqp", "qqp", 390_965),
    SubmissionFile("MNLI-m.tsv", "mnli", "mnli", 9796),
    SubmissionFile("MNLI-mm.tsv", "mnli", "mnli", 9847, "test_mismatched.tsv"),
    SubmissionFile("QNLI.tsv", "qnli", "qnli", 5463),
    SubmissionFile("RTE.tsv", "rte", "rte", 3000),
    SubmissionFile("WNLI.tsv", "wnli", "wnli", 146),
    SubmissionFile("AX.tsv", "ax", "mnli", 1104),
)
TASKS = tuple(dict.fromkeys(file.model_task for file in FILES))


@dataclass(frozen=True)
class TestSet:
    """A test file that was looked through.

    Attributes:
        file: Which of the zip's files it is for.
        path: Where it lies.
        index: (N,) int64 its index column, in file order.
    """

    __test__ = False

    file: SubmissionFile
    path: Path
    index: np.ndarray


def glue_task(name: str) -> GlueTask:
    """A task of GLUE by its name."""
    task = get_task(name)
    assert isinstance(task, GlueTask)
    return task


def find_test_sets(tasks: Iterable[str], data_dir: Path) -> tuple[list[TestSet], list[Problem]]:
    """The test files of the tasks' networks, read once, and warnings.

    Raises:
        UserError: every file that is missing or broken, at once.
    """
    chosen = set(tasks)
    found: list[TestSet] = []
    problems: list[Problem] = []
    for file in FILES:
        if file.model_task not in chosen:
            continue
        try:
            path = locate(glue_task(file.task), "test", data_dir).path
            if file.test_file is not None:
                path = path.with_name(file.test_file)
            test_set = TestSet(file, path, read_index(glue_task(file.task), path))
        except UserError as error:
            problems += error.problems
            continue
        found.append(test_set)
        rows = len(test_set.index)
        if rows != file.rows:
            message = f"{rows:,} rows, GLUE's own test file has {file.rows:,}"
            problems.append(
                Problem(str(path), message, severity="warning", code="glue.other-row-count")
            )
    if any(problem.severity == "error" for problem in problems):
        raise UserError([problem for problem in problems if problem.severity == "error"])
    return found, problems


def read_index(task: GlueTask, path: Path) -> np.ndarray:
    """The index column of a test file, (N,) int64.

    Raises:
        UserError: the file has none, or a number in it is missing, malformed or there twice.
    """
    column: int | None = None
    seen: dict[int, int] = {}
    for line, fields in read_rows(path):
        if column is None:
            columns = task.layout_of(path, line, fields, True).columns
            names = [name for name in INDEX_NAMES if name in columns]
            if not names or fields[0].strip().isdecimal():
                found = f"the columns {', '.join(columns)}"
                raise malformed(path, line, found, "a test file of GLUE, with an index column")
            column = columns.index(names[0])
            continue
        text = fields[column] if column < len(fields) else ""
        if not (text.isascii() and text.isdecimal() and len(text) < 19):
            raise malformed(path, line, f"the index {shorten(text)}", "a whole number")
        first = seen.setdefault(int(text), line)
        if first != line:
            raise malformed(path, line, f"the index {text}", f"another one than in line {first}")
    if not seen:
        raise UserError(Problem(str(path), "the file holds no rows", code="data.no-rows"))
    return np.fromiter(seen, np.int64, len(seen))


def prediction_lines(test_set: TestSet, scores: np.ndarray) -> list[str]:
    """Header and lines of one file, by rising index.

    Args:
        test_set: Whose rows.
        scores: (N, C) in the task's label order and in file order; (N, 1) for a regression.

    Raises:
        ValueError: another number of rows than the test file has.
    """
    scores = matrix(scores)
    if len(scores) != len(test_set.index):
        raise ValueError(f"{len(scores)} predictions for {len(test_set.index)} rows")
    task = glue_task(test_set.file.task)
    if task.label_words:
        texts = [task.label_words[label] for label in decide(scores).tolist()]
    else:
        low, high = task.row.bounds
        texts = [f"{value:.3f}" for value in np.clip(scores[:, 0], low, high).tolist()]
    order = np.argsort(test_set.index, kind="stable").tolist()
    index = test_set.index.tolist()
    return [HEADER, *(f"{index[row]}\t{texts[row]}\n" for row in order)]


def check_target(path: Path) -> list[Problem]:
    """What is wrong with the place for the zip; only an older submission is replaced."""
    hint = "Name another file with --output."
    if path.is_dir():
        return [Problem("--output", f"{path} is a folder", hint, code="glue.output-is-a-folder")]
    if not path.parent.is_dir():
        return [
            Problem(
                "--output",
                f"there is no folder {path.parent}",
                hint,
                code="glue.output-without-folder",
            )
        ]
    if not path.exists():
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            known = set(archive.namelist()) <= {file.name for file in FILES}
    except (OSError, zipfile.BadZipFile):
        known = False
    return (
        []
        if known
        else [
            Problem(
                "--output",
                f"{path} exists and is no submission",
                hint,
                code="glue.output-is-no-submission",
            )
        ]
    )


def write_submission(path: Path, files: Mapping[str, list[str]]) -> None:
    """Writes the zip aside and puts it in place when it is whole.

    Args:
        path: The zip.
        files: Lines by file name.
    """
    with (
        replacing(path, "wb") as stream,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, lines in files.items():
            entry = zipfile.ZipInfo(name, _OLDEST)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, "".join(lines))
