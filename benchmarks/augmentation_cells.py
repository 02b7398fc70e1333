"""The cells of `augmentation.py`: copies of training rows, teachers, and students on 0, 1 and 4 copies."""

import dataclasses
import hashlib
import json
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

import glue_cells
import kept_cells
from glue_cells import Cell

COPIES = (0, 1, 4)
BILSTM = "sst2-bilstm"
BILSTM_RATE = 6e-4  # what the rule took when the first cells were run; it is 3e-3 now


@dataclasses.dataclass(frozen=True)
class Set:
    """Rows of a task.

    Attributes:
        task: Its name.
        rows: How many of them are used, at most.
        steps: Optimizer steps of a student, the two steps of TinyBERT together: 8 epochs of the rows without
            copies (4 of the most rows, 5 of the titles): 4 copies are seen once (of MRPC's pairs 0.9 times).
        method: Of augmentation.
        bf16: Whether candidates are looked for in bf16, once for all numbers of copies.
    """

    task: str
    rows: int
    steps: int
    method: str = "tinybert"
    bf16: bool = False


SETS = {
    "sst2-5000": Set("sst2", 5_000, 1_250),
    "sst2-20000": Set("sst2", 20_000, 2_500, bf16=True),
    "mrpc": Set("mrpc", 3_668, 916, bf16=True),
    "thucnews": Set(glue_cells.CHINESE, 5_000, 800, bf16=True),
    BILSTM: Set("sst2", 20_000, 2_500, "bilstm"),
}
FIGURES = ("tinybert", "bilstm")  # arms with figures of a student


@dataclasses.dataclass(frozen=True)
class AugmentedCell(Cell):
    """A run on rows with copies, or what writes them.

    Attributes:
        set: One of ``SETS``.
        copies: Of each text (TinyBERT), or of each row (BiLSTM).
        after: The cells that it needs.
    """

    set: str = ""
    copies: int = 0
    after: tuple[Cell, ...] = ()

    @property
    def name(self) -> str:
        """As in ``sst2-5000 tinybert, 4 copies, seed 2``."""
        return f"{self.set} {self.arm}, {self.copies} copies, seed {self.seed}"


def is_done(cell: Cell) -> bool:
    """Copies have a record, step 1 of TinyBERT a student without figures, the others their figures."""
    if cell.arm == "copies":
        return any(Path(cell.config["data_dir"]).rglob("*_aug.json"))
    if cell.arm in FIGURES:
        return glue_cells.is_finished(cell)
    return kept_cells.network_is_there(cell.folder) and (
        cell.arm == "step1" or glue_cells.is_finished(cell)
    )


def figures_are_there(cell: Cell) -> bool:
    """Whether the table misses nothing of a cell, although its network or its copies may be gone."""
    if cell.arm == "copies":
        return facts_of(cell).is_file()
    return cell.arm not in FIGURES or is_done(cell)


def facts_of(cell: Cell) -> Path:
    """What the table says of copies."""
    return cell.folder.with_name(f"{cell.folder.name}{kept_cells.ONE_FILE}")


def to_run(cells: list[Cell]) -> list[Cell]:
    """The cells whose figures are missing, and what these need and is not there, in order."""
    wanted: set[Path] = set()
    for cell in reversed(cells):
        if cell.folder in wanted or not figures_are_there(cell):
            wanted.add(cell.folder)
            if not is_done(cell):
                wanted |= {needed.folder for needed in getattr(cell, "after", ())}
    return [cell for cell in cells if cell.folder in wanted]


def of_set(options: Namespace, name: str) -> Namespace:
    """The options of the other benchmarks' cells, with the rows of a set."""
    rows = options.rows or SETS[name].rows
    return Namespace(**{**vars(options), "rows": rows, "set": [("bf16", True), *options.set]})


def plan(options: Namespace) -> list[Cell]:
    """All cells, seed by seed, each after those it needs; every arm of a set has as many steps."""
    teachers: dict[str, Cell] = {}
    copies: dict[tuple[str, int], Cell] = {}
    for name in options.sets:
        own = of_set(options, name)
        teachers[name] = glue_cells.make_cell(
            own, SETS[name].task, "teacher", options.seeds[0], None
        )
        before: tuple[Cell, ...] = ()
        for number in options.copies:
            if number:
                copies[name, number] = cell = _copies(own, name, number, before)
                before = (cell,) if SETS[name].bf16 else ()
    cells = [*_unique(teachers.values()), *copies.values()]
    for seed in options.seeds:
        for name in options.sets:
            for number in options.copies:
                needed = [teachers[name], *([copies[name, number]] if number else [])]
                cells += _students(of_set(options, name), name, number, seed, needed)
    return cells


def _unique(cells: Any) -> list[Cell]:
    """Two sets of the same rows share a teacher."""
    return list({cell.folder: cell for cell in cells}.values())


def data_of(options: Namespace, name: str, copies: int) -> Path:
    """The folder of a set's files and of the copies beside them."""
    method = SETS[name].method + _tagged(options, name)
    plain = glue_cells.data_folder(options)
    return plain if not copies else Path(f"{plain}-{SETS[name].task}-{method}-{copies}")


def _tagged(options: Namespace, name: str) -> str:
    """Tells copies with words of the same part of speech from those without."""
    return "-tagged" if options.tagger and SETS[name].method == "bilstm" else ""


def _augmentation(options: Namespace, name: str, copies: int) -> dict[str, Any]:
    block: dict[str, Any] = {"method": SETS[name].method, "copies": copies}
    if SETS[name].method == "bilstm":
        return {**block, **({"tagger": options.tagger} if options.tagger else {})}
    chinese = SETS[name].task == glue_cells.CHINESE
    model = options.chinese_masked_lm if chinese else options.masked_lm
    block |= {"model_name_or_path": str(model), "word_vectors": options.word_vectors}
    return {**block, **({"bf16": True, "keep_candidates": True} if SETS[name].bf16 else {})}


def _copies(options: Namespace, name: str, copies: int, before: tuple[Cell, ...]) -> AugmentedCell:
    folder = data_of(options, name, copies)
    task = SETS[name].task
    config: dict[str, Any] = {"task_name": task, "data_dir": str(folder)}
    config["augmentation"] = _augmentation(options, name, copies)
    if task == glue_cells.CHINESE:
        config["plugins"] = [glue_cells.thucnews.__file__]
    place = (
        options.work
        / "augmentation"
        / f"copies-{name}{_tagged(options, name)}-{options.rows}-{copies}"
    )
    return AugmentedCell(task, "copies", 0, "augment", config, place, None, name, copies, before)


def prepare(options: Namespace, cell: Cell) -> None:
    """The files that a cell reads."""
    name = getattr(cell, "set", "") or _set_of(options, cell)
    own = of_set(options, name)
    glue_cells.cut_data(own, cell.task)
    if cell.arm == "copies":
        folder = glue_cells.FOLDERS[cell.task]
        target = Path(cell.config["data_dir"]) / folder
        target.mkdir(parents=True, exist_ok=True)
        for split in ("train", "dev"):
            shutil.copy(glue_cells.data_folder(own) / folder / f"{split}.tsv", target)
        for before in getattr(cell, "after", ()):
            for work in (Path(before.config["data_dir"]) / folder).glob(".*.work"):
                shutil.copytree(work, target / work.name, dirs_exist_ok=True)


def _set_of(options: Namespace, teacher: Cell) -> str:
    """The set whose rows a teacher reads."""
    folders = {n: str(glue_cells.data_folder(of_set(options, n))) for n in options.sets}
    own = [n for n in options.sets if SETS[n].task == teacher.task]
    return next(n for n in own if folders[n] == teacher.config["data_dir"])


def _students(
    options: Namespace, name: str, copies: int, seed: int, needed: list[Cell]
) -> list[Cell]:
    steps = options.steps or SETS[name].steps
    if SETS[name].method == "bilstm":
        return [_student(options, name, "bilstm", copies, seed, steps, needed)]
    first = _student(options, name, "step1", copies, seed, steps // 2, needed)
    return [first, _student(options, name, "tinybert", copies, seed, steps // 2, [*needed, first])]


def _student(
    options: Namespace,
    name: str,
    arm: str,
    copies: int,
    seed: int,
    steps: int,
    needed: list[Cell],
) -> AugmentedCell:
    task = SETS[name].task
    config: dict[str, Any] = {"task_name": task, **glue_cells.COMMON, **glue_cells.BY_TASK[task]}
    config |= {"seed": seed, "max_steps": steps, "eval_steps": max(steps // 10, 1)}
    config["teacher_architectures"] = {"model_name_or_path": str(needed[0].folder / "teacher")}
    config["allow_weak_teacher"] = True
    half: dict[str, Any] = {"num_hidden_layers": glue_cells.LAYERS}
    half |= {"copy_from": "pretrained", "copy_layers": "first"}
    if arm == "bilstm":
        config["model_type"] = "LSTMTaskDistill"
        del config["learning_rate"]
    elif arm == "step1":
        config |= {"model_type": "TinyBertTaskDistillStep1", "do_eval": False, "keep": "last"}
        del config["eval_steps"]
        start = glue_cells.start_of(options, task)
        config["pretrained_architectures"] = {"model_name_or_path": str(start)}
        config["student_architectures"] = half
    else:
        config["model_type"] = "TinyBertTaskDistillStep2"
        folder = needed[-1].folder / "student"
        config["student_architectures"] = {"model_name_or_path": str(folder)}
    for key, value in options.set:
        glue_cells.put(config, key, value)
    if copies:
        config |= {"use_augmented": True, "augmentation": _augmentation(options, name, copies)}
    told = json.dumps([config, options.rows], sort_keys=True)
    for cell in needed:
        told = told.replace(str(cell.folder), cell.folder.name)
    for key in ("chinese_masked_lm", "masked_lm"):
        told = told.replace(json.dumps(getattr(options, key)), json.dumps(key))
    told = told.replace(str(glue_cells.start_of(options, task)), "START")
    digest = hashlib.sha256(told.replace(str(options.work), "WORK").encode()).hexdigest()[:8]
    folder = options.work / "augmentation" / f"{name}-{arm}-{copies}-seed{seed}-{digest}"
    config |= {"data_dir": str(data_of(options, name, copies)), "output_dir": str(folder)}
    if arm == "bilstm":
        config["learning_rate"] = BILSTM_RATE  # apart from the digest, which cells of before have
    config["cache_dir"] = str(options.work / "cache")
    if task == glue_cells.CHINESE:
        config["plugins"] = [glue_cells.thucnews.__file__]
    after = tuple(needed)
    return AugmentedCell(task, arm, seed, "distill", config, folder, None, name, copies, after)
