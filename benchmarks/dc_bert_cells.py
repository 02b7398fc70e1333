"""The cells of `dc_bert_ranking.py`: an arm of a set with a seed and a learning rate, one run each.

Rates: a study on dev. With the first seed the cross-encoder, the cross-encoder trained on, and DC-BERT's
three interactions try every rate of their set (``dc_bert_data.SETS``) and keep the one of highest MAP on dev;
the other seeds take it. K = 2 and the arms with soft labels take the rate of the same interaction, untuned.

A cell is finished when its JSON file is there: figures of every question of test and dev, the rate, steps and
seconds. The report needs these files alone.
"""

import argparse
import dataclasses
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import dc_bert_data as data
import dc_bert_figures as figures
import glue_cells
import tested_cells

BATCH = 32
TFIDF, TEACHER, ON = "tf-idf", "cross-encoder", "cross-encoder on"


class Arm(NamedTuple):
    """An arm.

    Attributes:
        title: In the tables.
        block: DC-BERT's; None where it is none.
        rate_of: Whose rate it takes; None: its own.
        most: Seeds, at most, and of WikiQA alone: its network is for the sizes of an index. None: as many
            as its set has.
    """

    title: str
    block: dict[str, Any] | None = None
    rate_of: str | None = None
    most: int | None = None


def _form(kind: str, **more: Any) -> dict[str, Any]:
    return {"last_layer_model_type": kind, **more}


ARMS = {
    TFIDF: Arm("TF-IDF"),
    TEACHER: Arm("cross-encoder"),
    "k1": Arm("DC-BERT, transformer, K = 1", _form("transformer")),
    "linear": Arm("DC-BERT, linear", _form("linear")),
    "lstm": Arm("DC-BERT, lstm", _form("lstm")),
    "k2": Arm("DC-BERT, transformer, K = 2", _form("transformer", num_interaction_layers=2), "k1"),
    "one way": Arm(
        "DC-BERT, transformer, K = 1, one way", _form("transformer", interaction="one_way"), "k1", 1
    ),
    "width": Arm(
        "DC-BERT, transformer, K = 1, width 128", _form("transformer", document_width=128), "k1", 1
    ),
    ON: Arm("cross-encoder, trained on for as many steps"),
    "k1 soft": Arm("the same, soft labels, K = 1", _form("transformer", weight_soft=1.0), "k1"),
    "linear soft": Arm("the same, soft labels, linear", _form("linear", weight_soft=1.0), "linear"),
    "lstm soft": Arm("the same, soft labels, lstm", _form("lstm", weight_soft=1.0), "lstm"),
    "k2 soft": Arm(
        "the same, soft labels, K = 2",
        _form("transformer", num_interaction_layers=2, weight_soft=1.0),
        "k1",
    ),
}


@dataclasses.dataclass(frozen=True)
class RankCell(tested_cells.TestedCell):
    """A cell, with its learning rate (0 for TF-IDF)."""

    rate: float = 0.0

    @property
    def name(self) -> str:
        """As in ``wikiqa k1 0.0001 seed 2``."""
        if self.arm == TFIDF:
            return f"{self.task} {self.arm}"
        return f"{self.task} {self.arm} {self.rate:g} seed {self.seed}"

    @property
    def file(self) -> Path:
        """What is kept of it."""
        return self.folder.with_name(f"{self.folder.name}.cell.json")


def is_done(cell: RankCell) -> bool:
    """Whether its file is there."""
    return cell.file.is_file()


def read(cell: RankCell) -> dict[str, Any]:
    """What is kept of a finished cell."""
    return dict(json.loads(cell.file.read_text(encoding="utf-8")))


def plan(options: argparse.Namespace) -> Iterator[RankCell]:
    """Cells in the order in which they are to run; later ones depend on what earlier ones found.

    Of KdConv the teacher comes first: where it is not clearly above TF-IDF, LCQMC takes its place.
    """
    for name in options.sets:
        first = Cells(options, name)
        yield from first.opening()
        if name != "kdconv":
            yield from first.rest()
        elif (found := decision(options)) is not None:
            instead = Cells(options, "lcqmc")
            yield from (instead.opening() if found["replaced"] else ())
            yield from (instead if found["replaced"] else first).rest()


class Cells:
    """The cells of one set."""

    def __init__(self, options: argparse.Namespace, name: str) -> None:
        self.options, self.name = options, name
        self.first_seed = options.seeds[0]
        self.seeds = options.seeds[: data.SETS[name].seeds]

    def opening(self) -> Iterator[RankCell]:
        """TF-IDF, and the cross-encoder of the first seed."""
        yield self.make(TFIDF, self.first_seed, 0.0, None)
        yield from self.tried(TEACHER)

    def rest(self) -> Iterator[RankCell]:
        """Everything else, the first seed first."""
        wanted = [arm for arm in ARMS if arm not in (TFIDF, TEACHER) and self.wants(arm)]
        wanted = [arm for arm in wanted if self.has(arm)]
        for number, seed in enumerate(self.seeds):
            if seed != self.first_seed and (rate := self.rate(TEACHER)) is not None:
                yield self.make(TEACHER, seed, rate, None)
            for arm in wanted:
                if self.teacher(seed) is None or number >= (ARMS[arm].most or len(self.seeds)):
                    continue
                if seed == self.first_seed and ARMS[arm].rate_of is None:
                    yield from self.tried(arm)
                elif (rate := self.rate(ARMS[arm].rate_of or arm)) is not None:
                    yield self.make(arm, seed, rate, self.teacher(seed))

    def has(self, arm: str) -> bool:
        """Whether it is an arm of this set."""
        return ARMS[arm].most is None or self.name == "wikiqa"

    def wants(self, arm: str) -> bool:
        """Whether an arm is asked for, or another one takes its rate."""
        only = self.options.only
        return not only or arm in only or any(ARMS[other].rate_of == arm for other in only)

    def tried(self, arm: str) -> list[RankCell]:
        """The first seed at every rate."""
        teacher = None if arm == TEACHER else self.teacher(self.first_seed)
        of_set = data.SETS[self.name]
        rates = of_set.rates if arm == TEACHER else of_set.rates_on
        return [self.make(arm, self.first_seed, rate, teacher) for rate in rates]

    def rate(self, arm: str) -> float | None:
        """The rate of highest MAP on dev, the first of equals; None until all are tried."""
        cells = self.tried(arm)
        return max(cells, key=dev_map).rate if all(map(is_done, cells)) else None

    def teacher(self, seed: int) -> RankCell | None:
        """The finished cross-encoder of a seed."""
        rate = self.rate(TEACHER)
        if rate is None:
            return None
        cell = self.make(TEACHER, seed, rate, None)
        return cell if is_done(cell) else None

    def make(self, arm: str, seed: int, rate: float, teacher: RankCell | None) -> RankCell:
        """A cell with its whole configuration."""
        of_set, block, work = data.SETS[self.name], ARMS[arm].block, self.options.work
        if arm == TFIDF:
            return RankCell(self.name, arm, seed, TFIDF, {}, work / self.name / TFIDF, None, 0.0)
        config: dict[str, Any] = {
            "task_name": "chat",
            "data_dir": str(work / "data" / self.name),
            "max_seq_length": of_set.max_seq_length,
            "per_gpu_train_batch_size": BATCH,
            "per_gpu_eval_batch_size": 64,
            "learning_rate": rate,
            "warmup_percentage": 0.1,
            "weight_decay": 0.01,
            "num_train_epochs": of_set.epochs[arm != TEACHER],
            "eval_steps": 100,
            "keep": "best",
            "selection_metric": "map",
            "seed": seed,
            "allow_weak_teacher": True,
            "bf16": True,
            "label_noise": [],
        }
        start = teacher.folder / "teacher" if teacher else data.start_of(self.name, work)
        config["teacher_architectures"] = {"model_name_or_path": str(start)}
        if block is not None:
            config |= {"model_type": "dc-bert", "dc_bert_model_config": block}
            config["max_query_length"] = of_set.max_query_length
        digest = tested_cells.digest_of(config, work)
        folder = work / self.name / f"{arm.replace(' ', '-')}-seed{seed}-{digest}"
        config |= {"output_dir": str(folder), "cache_dir": str(work / "cache")}
        verb = "teach" if block is None else "distill"
        return RankCell(self.name, arm, seed, verb, config, folder, teacher, rate)


def dev_map(cell: RankCell) -> float:
    """Mean over the questions of dev."""
    return float(np.mean(read(cell)["dev"]["map"]))


def decision(options: argparse.Namespace) -> dict[str, Any] | None:
    """Whether LCQMC takes KdConv's place: KdConv's cross-encoder is not clearly above TF-IDF on dev.

    Clearly: the whole 95 % interval of the difference of MAP, paired by question, is above 0. None until
    the cells that tell it are finished.
    """
    cells = Cells(options, "kdconv")
    plain, teacher = cells.make(TFIDF, cells.first_seed, 0.0, None), cells.teacher(cells.first_seed)
    if teacher is None or not is_done(plain):
        return None
    one, two = (np.array(read(cell)["dev"]["map"]) for cell in (teacher, plain))
    difference, interval = figures.paired(one, two)
    found = {"cross-encoder": float(one.mean()), "tf-idf": float(two.mean())}
    return {**found, "difference": difference, "interval": interval, "replaced": interval[0] <= 0}


def run_cell(cell: RankCell, threads: int | None) -> int:
    """Runs, or goes on with, a cell and writes its file; 130 or 143 after a signal, else the exit code."""
    if cell.arm == TFIDF:
        files = cell.folder.parents[1] / "data" / cell.task
        found = {part: figures.of_tf_idf(files / f"{part}.data.txt") for part in ("dev", "test")}
        cell.folder.parent.mkdir(parents=True, exist_ok=True)
        _write(cell, {part: one for part, (one, _) in found.items()}, {"words": found["test"][1]})
        return 0
    started = time.time()
    code = tested_cells.run_cell(cell, threads)
    glue_cells.note_attempt(cell, time.time() - started)
    if code == 0 and tested_cells.is_done(cell):
        folders = {"dev": cell.folder, "test": cell.test}
        told = json.loads((cell.folder / "metrics.json").read_text(encoding="utf-8"))
        facts = {"rate": cell.rate, **glue_cells.attempts(cell), "kept": told["kept"]["text"]}
        facts["parameters"] = told["model"]["parameters"]
        _write(cell, {part: figures.of_run(folder) for part, folder in folders.items()}, facts)
        # Forty runs would fill a disk with what only an unfinished one needs; the network itself stays.
        shutil.rmtree(cell.folder / "checkpoints", ignore_errors=True)
    return code


def _write(cell: RankCell, parts: dict[str, figures.Figures], facts: dict[str, Any]) -> None:
    text = json.dumps({"name": cell.name, **facts, **parts}) + "\n"
    fresh = cell.file.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(cell.file)
