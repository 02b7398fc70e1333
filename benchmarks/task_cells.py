"""The cells of `task_distillation.py`: ordinary chatstill runs, each after those it builds on.

Teachers and the fine-tuned first layers are the same cells as those of `theseus_glue.py`: with the same
work folder they are not run twice.
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import glue_cells
from glue_cells import Cell

TASKS = ("sst2", "mrpc", "rte", "stsb", "thucnews")
FIVE_SEEDS, SEEDS = ("mrpc", "rte"), 3  # the others take the first three
STUDENTS = ("half", "small")  # half the teacher's layers; 4 layers, narrower, from random weights
ARMS = {
    "half": ("alone", "kd", "pkd", "tinybert"),
    "small": ("alone", "kd", "pkd", "tinybert", "takd"),
}
# KD once more where the training file has rows beyond those that are used: without their labels.
MORE, MORE_ROWS = "kd-more", ("sst2",)
SMALL = {"num_hidden_layers": 4, "hidden_size": 312, "num_attention_heads": 12}
SMALL |= {"intermediate_size": 1200}
SMALL_RATE = 3e-4  # nothing was learnt before
# Four layers that face six: the last ones face each other, as everywhere.
SMALL_PAIRS = {
    "patience": [[1, 2], [2, 3], [3, 5]],
    "hidden": [[0, 0], [1, 2], [2, 3], [3, 5], [4, 6]],
    "attention": [[1, 2], [2, 3], [3, 5], [4, 6]],
}


@dataclasses.dataclass(frozen=True)
class TaskCell(Cell):
    """A cell of one student.

    Attributes:
        student: ``half`` or ``small``.
        after: The cells whose networks it reads.
    """

    student: str = "half"
    after: tuple[Cell, ...] = ()

    @property
    def name(self) -> str:
        """As in ``mrpc half pkd seed 2``."""
        return f"{self.task} {self.student} {self.arm} seed {self.seed}"


def plan(options: Any) -> list[Cell]:
    """All cells, seed by seed, each after those it builds on."""
    teachers = {
        task: glue_cells.make_cell(options, task, "teacher", options.seeds[0], None)
        for task in options.tasks
    }
    cells: list[Cell] = list(teachers.values())
    for number, seed in enumerate(options.seeds):
        for task in options.tasks:
            if number < SEEDS or task in FIVE_SEEDS:
                cells += _of_seed(options, task, seed, teachers[task])
    return cells


def _of_seed(options: Any, task: str, seed: int, teacher: Cell) -> list[Cell]:
    cells: list[Cell] = []
    for student in options.students:
        done: dict[str, Cell] = {}
        for arm in (*ARMS[student], *([MORE] if task in MORE_ROWS else [])):
            if arm == "tinybert":
                cells.append(_make(options, task, student, "tinybert-step1", seed, (teacher,)))
                done[arm] = _make(options, task, student, arm, seed, (teacher, cells[-1]))
            elif arm == "takd":  # the assistant is the larger student, as KD made it
                assistant = _make(options, task, "half", "kd", seed, (teacher,))
                cells += [] if assistant in cells else [assistant]
                done[arm] = _make(options, task, student, arm, seed, (assistant,))
            elif arm == "alone" and student == "half":
                done[arm] = glue_cells.make_cell(options, task, "baseline", seed, None)
            else:
                done[arm] = _make(options, task, student, arm, seed, (teacher,))
            cells.append(done[arm])
    return cells


def _make(
    options: Any, task: str, student: str, arm: str, seed: int, after: tuple[Cell, ...]
) -> TaskCell:
    """A cell with its whole configuration. All arms of a student have as many optimizer steps."""
    config: dict[str, Any] = {"task_name": task, **glue_cells.COMMON, **glue_cells.BY_TASK[task]}
    config["seed"] = seed
    config["num_train_epochs"] = epochs_of(task)
    if student == "small":
        config["learning_rate"] = SMALL_RATE
    if arm == MORE:
        batch = int(config["per_gpu_train_batch_size"])
        config["max_steps"] = int(config["num_train_epochs"] * (options.rows // batch))
    start = glue_cells.start_of(options, task)
    config |= _networks(options, task, student, arm, start, after)
    if arm != "alone":
        config |= _method(student, arm, config["num_train_epochs"])
    for key, value in [*options.set, *options.set_students]:
        glue_cells.put(config, key, value)
    name = f"{student}-{arm}-seed{seed}-{_digest(config, options.rows, start, after)}"
    folder = options.work / task / name
    data = more_folder(options) if arm == MORE else glue_cells.data_folder(options)
    config |= {"data_dir": str(data), "output_dir": str(folder)}
    config["cache_dir"] = str(options.work / "cache")  # a teacher's outputs, once for all seeds
    if task == glue_cells.CHINESE:
        config["plugins"] = [glue_cells.thucnews.__file__]
    verb = "teach" if arm == "alone" else "distill"
    return TaskCell(task, arm, seed, verb, config, folder, None, student, after)


def epochs_of(task: str) -> float:
    """Of every student, the two steps of TinyBERT together."""
    return float(glue_cells.EPOCHS["baseline"].get(task, glue_cells.OTHER_EPOCHS["baseline"]))


def _networks(
    options: Any, task: str, student: str, arm: str, start: Path, after: tuple[Cell, ...]
) -> dict[str, Any]:
    """The blocks of teacher, pretrained model and student."""
    small = {"config_file": str(small_file(options, start))}
    if arm == "alone":  # the small one: the larger is a cell of theseus_glue
        return {"teacher_architectures": {**small, "tokenizer_name_or_path": str(start)}}
    folder = after[0].folder / ("teacher" if after[0].verb == "teach" else "student")
    blocks: dict[str, Any] = {"teacher_architectures": {"model_name_or_path": str(folder)}}
    if arm == "tinybert":
        path = str(after[1].folder / "student")
        blocks["student_architectures"] = {"model_name_or_path": path}
    elif student == "small":
        blocks["student_architectures"] = {**small, "copy_from": "none"}
    else:
        blocks["pretrained_architectures"] = {"model_name_or_path": str(start)}
        copied = {"num_hidden_layers": glue_cells.LAYERS, "copy_from": "pretrained"}
        blocks["student_architectures"] = {**copied, "copy_layers": "first"}
    return blocks


def _method(student: str, arm: str, epochs: float) -> dict[str, Any]:
    """What the shipped method files leave to the user."""
    if arm == "pkd":
        method: dict[str, Any] = {"model_type": "PKD-BertDistill"}
        if student == "small":
            terms = {"patience": {"pairs": SMALL_PAIRS["patience"]}}
            method["distillation"] = {"terms": terms}
        return method
    if arm == "tinybert-step1":
        method = {"model_type": "TinyBertTaskDistillStep1", "num_train_epochs": epochs / 2}
        method |= {"do_eval": False, "keep": "last"}  # the classifier is not trained yet
        if student == "small":
            pairs = {name: {"pairs": SMALL_PAIRS[name]} for name in ("hidden", "attention")}
            method["distillation"] = {"terms": pairs}
        return method
    if arm == "tinybert":
        return {"model_type": "TinyBertTaskDistillStep2", "num_train_epochs": epochs / 2}
    return {"model_type": "KD"}


def more_folder(options: Any) -> Path:
    """Where the files with further rows lie."""
    return Path(f"{glue_cells.data_folder(options)}-and-more")


def add_rows(options: Any, task: str) -> None:
    """The files of ``cut_data``, and behind the training rows all others, without their labels."""
    source, folder = options.data / glue_cells.FOLDERS[task], glue_cells.FOLDERS[task]
    cut, target = glue_cells.data_folder(options) / folder, more_folder(options) / folder
    if task in MORE_ROWS and not (target / "dev.tsv").is_file():
        target.mkdir(parents=True, exist_ok=True)
        rows = (cut / "train.tsv").read_bytes().rstrip(b"\n").split(b"\n")
        others = (source / "train.tsv").read_bytes().rstrip(b"\n").split(b"\n")[len(rows) :]
        rows += [line.rpartition(b"\t")[0] + b"\t" for line in others]
        (target / "train.tsv").write_bytes(b"\n".join([*rows, b""]))
        (target / "dev.tsv.new").write_bytes((cut / "dev.tsv").read_bytes())
        (target / "dev.tsv.new").replace(target / "dev.tsv")


def small_file(options: Any, start: Path) -> Path:
    """The small student's architecture, with the vocabulary of the network that the teacher was."""
    path: Path = options.work / "students" / f"{start.parent.name}-small.json"
    if (start / "config.json").is_file() and not path.is_file():
        values = json.loads((start / "config.json").read_text(encoding="utf-8"))
        values |= SMALL
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return path


def _digest(config: dict[str, Any], rows: int, start: Path, after: tuple[Cell, ...]) -> str:
    """Tells settings apart, not the places where folders lie."""
    text = json.dumps([config, rows], sort_keys=True)
    for cell in after:
        text = text.replace(str(cell.folder), cell.folder.name)
    text = text.replace(str(start.parent), start.parent.name)
    folder = config.get("student_architectures", config["teacher_architectures"]).get("config_file")
    if folder:
        text = text.replace(str(Path(folder).parent), "students")
    return hashlib.sha256(text.encode()).hexdigest()[:8]
