"""The cells of `theseus_glue.py`: one ordinary chatstill run each, told apart by their settings.

A cell is (task, arm, seed). Its run folder carries a digest of its configuration in its name, so
that other settings are other cells, a finished cell is never run again, and one that was interrupted
goes on by the engine's own means.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

import machine
import thucnews
from minilm import model_folder

if TYPE_CHECKING:
    from chatstill.tasks import Task

# "truncated" starts where Theseus starts: the fine-tuned teacher's first layers and head.
ARMS = ("teacher", "baseline", "truncated", "theseus")
STUDENTS = ARMS[1:]
LAYERS = 3
CHINESE = "thucnews"  # no task of GLUE; its teacher is trained from scratch
FOLDERS = {"sst2": "SST-2", "mrpc": "MRPC", "rte": "RTE", "cola": "CoLA", "stsb": "STS-B"}
FOLDERS[CHINESE] = "THUCNews"
SEVERAL_SEEDS = ("mrpc", "rte", "stsb")  # the others have rows enough for one

COMMON: dict[str, Any] = {
    "per_gpu_train_batch_size": 32,
    "per_gpu_eval_batch_size": 64,
    "learning_rate": 1e-4,
    "warmup_percentage": 0.1,
    "weight_decay": 0.01,
    "keep": "best",
}
BY_TASK: dict[str, dict[str, Any]] = {
    "sst2": {"max_seq_length": 64, "eval_steps": 300},
    "mrpc": {"max_seq_length": 128},
    "rte": {"max_seq_length": 256, "allow_weak_teacher": True},
    "cola": {"max_seq_length": 64, "allow_weak_teacher": True},
    "stsb": {"max_seq_length": 128},
    CHINESE: {"max_seq_length": 32, "learning_rate": 3e-4},  # nothing was learnt before
}
TEACHER_RATE = 5e-5  # six layers; at that rate students of three still rose when their steps ended
# The teacher trains until its dev score stops rising; all students get the same number of epochs.
EPOCHS = {arm: {"sst2": 4, "rte": 5, "cola": 5} for arm in STUDENTS} | {"teacher": {"sst2": 4}}
OTHER_EPOCHS = {"teacher": 10} | dict.fromkeys(STUDENTS, 8)
TEACHER_PATIENCE = {"sst2": 5}
OTHER_PATIENCE = 2
SCHEDULER = {"replacing_rate": 0.3, "scheduler_type": "linear", "scheduler_linear_k": "auto"}


@dataclass(frozen=True)
class Cell:
    """One run: its verb and configuration, and where it lies."""

    task: str
    arm: str
    seed: int
    verb: str
    config: dict[str, Any]
    folder: Path
    teacher: "Cell | None" = None

    @property
    def name(self) -> str:
        """As in ``mrpc theseus seed 2``."""
        return f"{self.task} {self.arm} seed {self.seed}"

    @property
    def record(self) -> Path:
        """Seconds and commits of this cell's attempts."""
        return self.folder.with_suffix(".record.json")


def plan(options: Any) -> list[Cell]:
    """All cells, the teacher of a task before its students."""
    cells = []
    for task in options.tasks:
        teacher = make_cell(options, task, "teacher", options.seeds[0], None)
        seeds = options.seeds if task in SEVERAL_SEEDS else options.seeds[:1]
        cells.append(teacher)
        for seed in seeds:
            cells.append(make_cell(options, task, "baseline", seed, None))
            cells.append(make_cell(options, task, "truncated", seed, teacher))
            cells.append(make_cell(options, task, "theseus", seed, teacher))
    return cells


def make_cell(options: Any, task: str, arm: str, seed: int, teacher: Cell | None) -> Cell:
    """A cell with its whole configuration."""
    config: dict[str, Any] = {"task_name": task, **COMMON, **BY_TASK[task], "seed": seed}
    config["num_train_epochs"] = EPOCHS[arm].get(task, OTHER_EPOCHS[arm])
    config["teacher_architectures"] = {"model_name_or_path": str(start_of(options, task))}
    if arm == "teacher":
        config["learning_rate"] = BY_TASK[task].get("learning_rate", TEACHER_RATE)
        config["patience"] = TEACHER_PATIENCE.get(task, OTHER_PATIENCE)
    elif arm == "baseline":  # the student that Theseus starts from, before any task was learnt
        config["teacher_architectures"]["num_hidden_layers"] = LAYERS
    elif teacher is not None:
        config["teacher_architectures"] = {"model_name_or_path": str(teacher.folder / "teacher")}
    if arm == "truncated":
        config["teacher_architectures"]["num_hidden_layers"] = LAYERS
    if arm == "theseus":
        config["model_type"] = "theseus"
        config["student_architectures"] = {"num_hidden_layers": LAYERS}
        config["theseus_scheduler"] = dict(SCHEDULER)
    for key, value in [*options.set, *(options.set_students if arm != "teacher" else ())]:
        if arm == "theseus" or not key.startswith("theseus_scheduler."):
            put(config, key, value)
    folder = options.work / task / f"{arm}-seed{seed}-{digest_of(config, options.rows)}"
    config |= {"data_dir": str(data_folder(options)), "output_dir": str(folder)}
    if task == CHINESE:
        config["plugins"] = [thucnews.__file__]
    verb = "distill" if arm == "theseus" else "teach"
    return Cell(task, arm, seed, verb, config, folder, teacher)


def start_of(options: Any, task: str) -> Path:
    """The network that a task's teacher and baseline start from."""
    if task == CHINESE:
        return options.work / thucnews.NETWORK / "model"
    return model_folder()


def digest_of(config: dict[str, Any], rows: int) -> str:
    """Tells settings apart, not the places where folders lie: a teacher's own digest is in its name."""
    network = Path(config["teacher_architectures"]["model_name_or_path"])
    block = {**config["teacher_architectures"], "model_name_or_path": network.parent.name}
    text = json.dumps([{**config, "teacher_architectures": block}, rows], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def put(config: dict[str, Any], key: str, value: Any) -> None:
    """Sets a key, dots for nesting."""
    *outer, last = key.split(".")
    for name in outer:
        config = config.setdefault(name, {})
    config[last] = value


def data_folder(options: Any) -> Path:
    """Where the cut files lie."""
    return options.work / f"data-{options.rows}"


def cut_data(options: Any, task: str) -> None:
    """Copies a task's files, the training file with its first rows only."""
    source, ending, option = options.data / FOLDERS[task], "tsv", "GLUE's folder with --data"
    if task == CHINESE:
        source, ending, option = options.thucnews, "txt", "the folder of the titles with --thucnews"
    target = data_folder(options) / FOLDERS[task]
    if not (target / "dev.tsv").is_file():
        if not (source / f"train.{ending}").is_file():
            raise SystemExit(f"{source / f'train.{ending}'} is missing: name {option}")
        target.mkdir(parents=True, exist_ok=True)
        lines = (source / f"train.{ending}").read_bytes().split(b"\n")
        header = task not in ("cola", CHINESE)
        (target / "train.tsv").write_bytes(b"\n".join([*lines[: options.rows + header], b""]))
        (target / "dev.tsv.new").write_bytes((source / f"dev.{ending}").read_bytes())
        (target / "dev.tsv.new").replace(target / "dev.tsv")
    if task == CHINESE:
        thucnews.build_network(options.work, target / "train.tsv")


def is_finished(cell: Cell) -> bool:
    """Whether its metrics are there: the engine writes them last."""
    return (cell.folder / "metrics.json").is_file()


def run_cell(cell: Cell, threads: int | None = None) -> int:
    """Runs, or goes on with, a cell; returns the exit code.

    SIGTERM and Ctrl-C are passed on and waited for: the answer is 143 or 130 then, whatever the run
    itself answered.
    """
    path = write_config(cell)
    started = time.time()
    code = run_and_wait(command(cell, path), environment(threads))
    note_attempt(cell, time.time() - started)
    return code


def write_config(cell: Cell) -> Path:
    """The cell's configuration as a file beside its folder.

    Where the processor only emulates bf16, ten times slower than float32, it computes in float32; the
    folder's name is the same.
    """
    cell.folder.parent.mkdir(parents=True, exist_ok=True)
    path = cell.folder.with_suffix(".json")
    emulated = cell.config.get("bf16") and not machine.has_bf16()
    config = {**cell.config, **({"bf16": False} if emulated else {})}
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return path


def environment(threads: int | None) -> dict[str, str]:
    """Of a run: this process's own, with a number of threads."""
    found = dict(os.environ)
    if threads:
        found["OMP_NUM_THREADS"] = found["MKL_NUM_THREADS"] = str(threads)
    return found


def run_cells(
    cells: Sequence[Cell],
    threads: int | None,
    *,
    is_done: Callable[[Cell], bool],
    before: Callable[[Cell], None],
    after: Callable[[], None],
) -> tuple[int, list[str]]:
    """Runs what is not done, in order; cells whose own needs are not met are passed over.

    Args:
        cells: Those that a cell needs (its teacher, ``after``) stand before it.
        threads: Of each run.
        is_done: Whether nothing is left to do for a cell.
        before: Called before a cell runs.
        after: Called after each run.

    Returns:
        143 or 130 after a signal, else 0; and a line for each cell that failed.
    """
    failed: list[str] = []
    for number, cell in enumerate(cells, start=1):
        if is_done(cell):
            continue
        print(f"== cell {number} of {len(cells)}: {cell.name}", flush=True)
        needs = [*([cell.teacher] if cell.teacher else []), *getattr(cell, "after", ())]
        lacking = [needed.name for needed in needs if not is_done(needed)]
        if lacking:
            failed.append(f"{cell.name}: needs {', '.join(lacking)}")
            continue
        before(cell)
        code = run_cell(cell, threads)
        if code in (130, 143):
            print("stopped; start it again to go on")
            return code, failed
        if code or not is_done(cell):
            failed.append(f"{cell.name}: exit code {code}, see {cell.folder}")
        after()
    return 0, failed


def run_and_wait(words: list[str], environment: dict[str, str]) -> int:
    """Runs a program; SIGTERM and Ctrl-C go on to it, and decide the exit code."""
    asked: list[int] = []
    waiting: list[int] = []
    running: list[subprocess.Popen[bytes]] = []

    def pass_on() -> None:
        while running and waiting:
            running[0].send_signal(waiting.pop())

    def stop(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        waiting.append(number)
        pass_on()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        # A session of its own: Ctrl-C would reach it twice, and a second one means "without saving".
        running.append(subprocess.Popen(words, env=environment, start_new_session=True))
        pass_on()  # what came while it was being started
        code = running[0].wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 + asked[0] if asked else code


def command(cell: Cell, path: Path) -> list[str]:
    """What a user would type."""
    return [sys.executable, "-m", "chatstill", cell.verb, str(path)]


def note_attempt(cell: Cell, seconds: float) -> None:
    """Adds up a cell's attempts: a resumed run took the time of all of them."""
    record = attempts(cell)
    record["seconds"] += seconds
    if machine.commit() not in record["commits"]:
        record["commits"].append(machine.commit())
    cell.record.write_text(json.dumps(record) + "\n", encoding="utf-8")


def attempts(cell: Cell) -> dict[str, Any]:
    """Wall-clock seconds, start and evaluation included, and the commits that ran the cell."""
    if cell.record.is_file():
        return json.loads(cell.record.read_text(encoding="utf-8"))
    return {"seconds": 0.0, "commits": []}


def read_metrics(cell: Cell) -> dict[str, Any]:
    """What the table needs of ``metrics.json``; the one place that knows its layout."""
    found = json.loads((cell.folder / "metrics.json").read_text(encoding="utf-8"))
    return {
        "value": found["dev"]["value"],
        "main": found["dev"]["main"],
        "metrics": found["dev"]["metrics"],
        "rows": found["dev"]["rows"],
        "train_rows": found["training"]["rows"],
        "kept": found["kept"]["text"],
        "parameters": found["model"]["parameters"],
    }


def task_of(name: str) -> "Task":
    """The task of a cell."""
    from chatstill.tasks import get_task

    return thucnews.task if name == CHINESE else get_task(name)


def read_scores(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N, C) and labels (N,) of the dev rows from ``predictions.tsv``."""
    from chatstill.tasks.predictions import read_predictions

    words = task_of(cell.task).label_words
    found = read_predictions(cell.folder / "predictions.tsv", words)
    return found.scores, found.labels
