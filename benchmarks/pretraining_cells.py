"""The cells of `pretraining_distillation.py`: runs on a corpus, then fine-tuning, in two languages.

English: MiniLM (6 x 384) with a masked-LM head of its own teaches students of 3 x 384 and 4 x 312. Chinese:
the network of `chinese_masked_lm.py` (4 x 256) teaches students of 2 x 256. Students start as layers of the
teacher, or as random weights.
"""

import argparse
import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import chinese_masked_lm
import defaults_sets as sets
import glue_cells
import pretraining_corpus
import tested_cells
from minilm import model_folder

MOST_ROWS = 20_000
TEACHER_RATE = 3e-4  # its head is new
RANDOM_RATE = 3  # times that of trained layers: nothing was learnt that a large step could destroy
BASE, SCRATCH, RANDOM = "as it is", "scratch", "random"


@dataclasses.dataclass(frozen=True)
class Arm:
    """A way to a student.

    Attributes:
        title: In the table.
        model_type: Of the run on the corpus; empty: there is none.
        shape: Its layers and width.
        knobs: The method's block.
    """

    title: str
    model_type: str
    shape: str
    knobs: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Language:
    """What differs between the languages.

    Attributes:
        teacher: Its shape.
        length: Tokens of a block at most.
        batch: Blocks of a step.
        tasks: With the epochs of fine-tuning.
        arms: By name, in the order of the table.
        layers: Of students whose layers are the teacher's.
        initial: Which layers of the teacher.
        rates: Of fine-tuning by shape: as `run/usual_values.py` has them for these widths; of the Chinese
            network, which has read little, what `few_labels.py` found best on the titles.
        alone: The arm that saw no corpus, by shape: what the others are compared with.
    """

    teacher: str
    length: int
    batch: int
    tasks: dict[str, int]
    arms: dict[str, Arm]
    layers: int
    initial: tuple[int, int]
    rates: dict[str, float]
    alone: dict[str, str]


def _relations(heads: int) -> dict[str, Any]:
    return {"terms": {name: {"heads": heads} for name in ("queries", "keys", "values")}}


def _copied(shape: str, heads: int) -> dict[str, Arm]:
    """The arms whose students begin as the teacher's layers."""
    return {
        BASE: Arm("the teacher's layers, not trained further", "", shape),
        "masked": Arm("the same, masked tokens alone", "MaskedLM", shape),
        "distilbert": Arm("DistilBERT", "DistilBERT", shape),
        "tinybert": Arm("TinyBERT, general", "TinyBERT-general", shape),
        "minilm": Arm("MiniLM", "MiniLM", shape),
        "minilm2": Arm(f"MiniLMv2, {heads} heads", "MiniLMv2", shape, _relations(heads)),
    }


LAYERS = [[1, 1], [2, 3], [3, 4], [4, 6]]  # of 4 and 6: no whole ratio, so each is named
_SPREAD = {"terms": {"hidden": {"pairs": [[0, 0], *LAYERS]}, "attention": {"pairs": LAYERS}}}
_NARROW = {
    RANDOM: Arm("random weights", "", "4x312"),
    "masked 312": Arm("masked tokens alone", "MaskedLM", "4x312"),
    "tinybert 312": Arm("TinyBERT, general", "TinyBERT-general", "4x312", _SPREAD),
    "minilm2 312": Arm("MiniLMv2, 24 heads", "MiniLMv2", "4x312", _relations(24)),
}
LANGUAGES = {
    "en": Language(
        "6x384", 128, 32, {"sst2": 3, "mrpc": 5},
        {**_copied("3x384", 24), SCRATCH: Arm("random weights", "", "3x384"), **_NARROW},
        3, (6, 3), {"6x384": 5e-5, "3x384": 1e-4, "4x312": 2e-4}, {"3x384": BASE, "4x312": RANDOM},
    ),
    "zh": Language(
        "4x256", 64, 64, {"thucnews": 5},
        {**_copied("2x256", 16), SCRATCH: Arm("random weights", "", "2x256")},
        2, (4, 2), {"4x256": 3e-4, "2x256": 3e-4}, {"2x256": BASE},
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Cell(tested_cells.TestedCell):
    """A run on the corpus, or one of fine-tuning (then with a test part)."""

    @property
    def on_corpus(self) -> bool:
        """Whether it has no test rows."""
        return self.task == "corpus"

    @property
    def figures(self) -> Path:
        """What is written last."""
        return (self.folder if self.on_corpus else self.test) / "metrics.json"


def plan(options: argparse.Namespace) -> Iterator[Cell]:
    """All cells, each after those whose networks it names."""
    of, made = LANGUAGES[options.language], {}
    teacher = given_teacher(options)
    if teacher is None:
        start = {**_masked_lm(model_folder()), "learning_rate": TEACHER_RATE}
        teacher = _on_corpus(options, "teacher", start)
    yield teacher
    for name in options.arms:
        if of.arms[name].model_type:
            student = _student(options, of.arms[name], teacher)
            made[name] = _on_corpus(options, name, student, teacher)
            yield made[name]
    for seed in options.seeds:
        for task in options.sets:
            yield _fine_tuned(options, task, "teacher", seed, teacher)
            for name in options.arms:
                yield _fine_tuned(options, task, name, seed, made.get(name, teacher))


def given_teacher(options: argparse.Namespace) -> Cell | None:
    """The Chinese one was trained before (``--chinese-start``); None for English."""
    if options.language == "en":
        return None
    folder: Path = options.work / "corpus" / "teacher-given"
    return Cell("corpus", "teacher", 1, "distill", {}, folder)


def _masked_lm(start: Path | None = None, **block: Any) -> dict[str, Any]:
    if start is not None:
        block["model_name_or_path"] = str(start)
    return {"model_type": "MaskedLM", "masked_lm": {}, "pretrained_architectures": block}


def _student(options: argparse.Namespace, arm: Arm, teacher: Cell) -> dict[str, Any]:
    """What a run on the corpus trains, and what teaches it."""
    folder = teacher.folder / "student"
    narrow = arm.shape == "4x312"
    if arm.model_type == "MaskedLM":
        if not narrow:
            return _masked_lm(cut_folder(options))
        return _masked_lm(
            config_file=str(random_config(options, arm.shape)), tokenizer_name_or_path=str(folder)
        )
    layers = LANGUAGES[options.language].layers
    block: dict[str, Any] = {"num_hidden_layers": layers, "copy_layers": "evenly"}
    if narrow:
        block = {"config_file": str(random_config(options, arm.shape))}
    return {
        "model_type": arm.model_type,
        "distillation": arm.knobs,
        "pretrained_architectures": {"model_name_or_path": str(folder)},
        "student_architectures": block,
    }


def _on_corpus(
    options: argparse.Namespace, arm: str, more: dict[str, Any], teacher: Cell | None = None
) -> Cell:
    of = LANGUAGES[options.language]
    config: dict[str, Any] = {
        "task_name": "corpus",
        "max_seq_length": of.length,
        "per_gpu_train_batch_size": of.batch,
        "max_steps": steps_of(options),
        "bf16": True,
        "seed": 1,
        **more,
    }
    folder = _named(options, "corpus", arm, 1, config)
    config |= {"data_dir": str(options.work / "data"), "output_dir": str(folder)}
    config["cache_dir"] = str(options.work / "cache")
    return Cell("corpus", arm, 1, "distill", config, folder, teacher)


def steps_of(options: argparse.Namespace) -> int:
    """Optimizer steps of a run on the corpus."""
    of = LANGUAGES[options.language]
    return max(1, options.tokens // (of.length * of.batch))


def _fine_tuned(options: argparse.Namespace, task: str, arm: str, seed: int, start: Cell) -> Cell:
    of = LANGUAGES[options.language]
    shape = of.arms[arm].shape if arm in of.arms else of.teacher
    block: dict[str, Any] = {"model_name_or_path": str(start.folder / "student")}
    if arm == BASE:
        block = {"model_name_or_path": str(cut_folder(options))}
    rate = of.rates[shape]
    if arm in (RANDOM, SCRATCH):
        rate *= RANDOM_RATE
        block = {
            "config_file": str(random_config(options, shape)),
            "tokenizer_name_or_path": str(start.folder / "student"),
        }
    config: dict[str, Any] = {
        "data": sets.data_block(task, options.work / "data" / task),
        "max_seq_length": sets.SETS[task].max_seq_length,
        "per_gpu_train_batch_size": 32,
        "learning_rate": rate,
        "num_train_epochs": of.tasks[task],
        "bf16": True,
        "label_noise": [],
        "seed": seed,
        "teacher_architectures": block,
    }
    folder = _named(options, task, arm, seed, config)
    config |= {"output_dir": str(folder), "cache_dir": str(options.work / "cache")}
    return Cell(task, arm, seed, "teach", config, folder, start)


def _named(
    options: argparse.Namespace, task: str, arm: str, seed: int, config: dict[str, Any]
) -> Path:
    digest = tested_cells.digest_of(config, options.work)
    folder: Path = options.work / task / f"{arm.replace(' ', '-')}-seed{seed}-{digest}"
    return folder


def cut_folder(options: argparse.Namespace) -> Path:
    """The teacher's layers as its students of the same width start."""
    folder: Path = options.work / "cut"
    return folder


def random_config(options: argparse.Namespace, shape: str) -> Path:
    """The configuration of a student of random weights; of 4 x 312, 12 heads: TinyBERT's."""
    name = "narrow.json" if shape == "4x312" else f"{shape}.json"
    file: Path = options.work / name
    return file


def cut(options: argparse.Namespace, teacher: glue_cells.Cell | None) -> None:
    """Writes the students' starts for the first cell that is made of the teacher on the corpus."""
    made = isinstance(teacher, Cell) and teacher.on_corpus and teacher.teacher is None
    of = LANGUAGES[options.language]
    shapes = [shape for shape in of.alone if not random_config(options, shape).is_file()]
    there = (cut_folder(options) / "config.json").is_file()
    if teacher is None or not made or (there and not shapes):
        return
    import transformers as tf

    from chatstill.features.layer_map import initial_layers
    from chatstill.models.layers import copy_layers

    source = teacher.folder / "student"
    for shape in shapes:
        config = tf.AutoConfig.from_pretrained(source)
        layers, width = map(int, shape.split("x"))
        config.num_hidden_layers = layers
        if width != config.hidden_size:
            config.hidden_size, config.num_attention_heads = width, 12
            config.intermediate_size = 1200
        text = json.dumps(config.to_dict(), default=str)
        random_config(options, shape).write_text(text, encoding="utf-8")
    if there:
        return
    model = tf.AutoModelForMaskedLM.from_pretrained(source)
    student = copy_layers(model, of.layers, initial_layers(*of.initial, "evenly"))
    student.save_pretrained(cut_folder(options))
    tf.AutoTokenizer.from_pretrained(source).save_pretrained(cut_folder(options))


def prepare(options: argparse.Namespace) -> None:
    """Data of the corpus and of the tasks, and the teacher that is there already."""
    corpus = options.work / "data" / "corpus"
    if options.language == "en":
        pretraining_corpus.write(options.data, corpus)
    elif not (corpus / "dev.txt").is_file():
        chinese_masked_lm.write(options.data, corpus)
    for name in options.sets:
        sets.build(name, options.data, options.work / "data" / name, MOST_ROWS)
    teacher = given_teacher(options)
    if teacher is None or (teacher.folder / "student").is_dir():
        return
    source: Path | None = options.chinese_start
    if source is None or not (source / "config.json").is_file():
        raise SystemExit(
            "--language zh needs --chinese-start WORK/run/student: chinese_masked_lm.py makes it"
        )
    teacher.folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(source.parent / "metrics.json", teacher.folder)
    shutil.copytree(source, teacher.folder / "student")
    glue_cells.write_config(teacher)
