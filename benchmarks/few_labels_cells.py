"""The cells of `few_labels.py`: one ordinary chatstill run each, then its test rows scored once.

A teacher fine-tuned on the 1,000 labelled rows (of LCQMC and KdConv: on all rows); students of half its
layers: fine-tuned alone (from the layers that the teacher started from, and from the teacher's), KD and
TinyBERT's two steps (from the teacher's layers), on the labelled rows and with the others, in as many
steps and in four times as many. What is fine-tuned alone (the teacher too) has the best of a small grid of
learning rates by dev, chosen with the first seed; the methods take the grid's second value, untuned.
"""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import few_labels_data as data
import few_labels_start as start
import kept_cells
import tested_cells
from tested_cells import TestedCell, is_done

# Learning rates by width: of the teacher and of students alone; the second one is the methods'.
TEACHER_RATES = {False: (5e-5, 1e-4), True: (1e-4, 3e-4, 6e-4, 1.2e-3)}
TEACHER_RATES_OF = {"kdconv": (5e-5, 1e-4, 3e-4)}  # at 3e-4 its loss stays where it began
RATES = {False: (5e-5, 1e-4, 2e-4), True: (1e-4, 3e-4, 6e-4, 1.2e-3)}
LAYERS = {False: 3, True: 2}
BATCH, EPOCHS = 32, 10
STEPS = EPOCHS * -(-data.LABELLED // BATCH)
ALONE = ("alone-pretrained", "alone-teacher")
METHODS = ("kd", "kd-more", "kd-more-x4", "tiny", "tiny-more", "tiny-more-x4")
ARMS = (*ALONE, *METHODS)


@dataclasses.dataclass(frozen=True)
class FewCell(TestedCell):
    """A cell, with its learning rate."""

    rate: float = 0.0

    @property
    def kept(self) -> Path:
        """What the table reads of it, drawn together: its figure on dev, and each test row's (or group's)."""
        return self.folder.with_name(f"{self.folder.name}{kept_cells.ONE_FILE}")

    @property
    def figures(self) -> Path:
        """What is written last; of a cell of another machine only what was kept is here."""
        return self.kept if self.kept.is_file() else super().figures

    @property
    def name(self) -> str:
        """As in ``sst2 kd-more seed 2``."""
        return f"{self.task} {self.arm} {self.rate:g} seed {self.seed}"


def best(cells: list[FewCell]) -> FewCell | None:
    """The cell of highest dev figure; None until all are done. The first of equals."""
    if not all(map(is_done, cells)):
        return None
    return max(cells, key=dev_value)


def plan(options: Any) -> Iterator[FewCell]:
    """Cells in the order in which they are to run; later ones depend on what earlier ones found."""
    grids: dict[tuple[str, str], list[FewCell]] = {}
    for name in options.sets:
        chinese = data.SETS[name].chinese
        grids[name, "teacher"] = [
            _make(options, name, "teacher", options.seeds[0], rate, None)
            for rate in TEACHER_RATES_OF.get(name, TEACHER_RATES[chinese])
        ]
        yield from grids[name, "teacher"]
    for seed in options.seeds:
        for arm in options.arms:
            for name in options.sets:
                teacher = best(grids[name, "teacher"])
                if teacher is None:
                    continue
                rates = RATES[data.SETS[name].chinese]
                if arm not in ALONE:
                    yield _make(options, name, arm, seed, rates[1], teacher)
                elif seed == options.seeds[0]:
                    own = [_make(options, name, arm, seed, rate, teacher) for rate in rates]
                    grids[name, arm] = own
                    yield from own
                elif (first := best(grids[name, arm])) is not None:
                    yield _make(options, name, arm, seed, first.rate, teacher)


def _make(
    options: Any, name: str, arm: str, seed: int, rate: float, teacher: FewCell | None
) -> FewCell:
    of_set = data.SETS[name]
    steps = STEPS * (4 if arm.endswith("x4") else 1)
    has_all = arm == "teacher" and of_set.teacher_has_all
    steps *= 8 if has_all else 1
    config: dict[str, Any] = {
        "data": data.data_block(
            name, options.work / "data" / name, unlabeled="more" in arm, teacher=has_all
        ),
        "max_seq_length": of_set.max_seq_length,
        "per_gpu_train_batch_size": BATCH,
        "per_gpu_eval_batch_size": 64,
        "learning_rate": rate,
        "warmup_percentage": 0.1,
        "weight_decay": 0.01,
        "max_steps": steps,
        "eval_steps": steps // 10,
        "keep": "best",
        "seed": seed,
        "allow_weak_teacher": True,
        "bf16": True,
        "label_noise": [],
    }
    if of_set.counts:
        config["positive_label"] = of_set.counts
    first = {"model_name_or_path": str(start.start_of(options, name))}
    layers = {"num_hidden_layers": LAYERS[of_set.chinese]}
    if arm == "teacher":
        config["teacher_architectures"] = first
    else:
        assert teacher is not None
        own = {"model_name_or_path": str(teacher.folder / "teacher")}
        config["teacher_architectures"] = own
        if arm in ALONE:
            source = first if arm == "alone-pretrained" else own
            config["teacher_architectures"] = {**source, **layers}
        elif arm.startswith("kd"):
            config |= {"model_type": "KD", "student_architectures": layers}
        else:
            config |= _two_steps(config, steps, layers)
    digest = tested_cells.digest_of(config, options.work)
    folder = options.work / name / f"{arm}-seed{seed}-{digest}"
    config |= {"output_dir": str(folder), "cache_dir": str(options.work / "cache")}
    verb = "teach" if arm == "teacher" or arm in ALONE else "distill"
    return FewCell(name, arm, seed, verb, config, folder, teacher, rate)


def _two_steps(config: dict[str, Any], steps: int, layers: dict[str, int]) -> dict[str, Any]:
    """TinyBERT's steps share the run's steps; the first has no figures, its classifier is untrained."""
    half = {"max_steps": steps // 2, "eval_steps": steps // 20}
    first = {
        "name": "step1",
        "model_type": "TinyBertTaskDistillStep1",
        "student_architectures": layers,
    }
    second = {"name": "step2", "model_type": "TinyBertTaskDistillStep2"}
    second |= {"student_architectures": {"model_name_or_path": "link:step1"}}
    return {"pipeline": [{**first, **half, "do_eval": False, "keep": "last"}, {**second, **half}]}


def dev_value(cell: FewCell) -> float:
    """The figure that selected, on dev."""
    if cell.kept.is_file():
        return float(json.loads(cell.kept.read_text(encoding="utf-8"))["dev"])
    return tested_cells.dev_value(
        cell.folder / "step2" if cell.arm.startswith("tiny") else cell.folder
    )
