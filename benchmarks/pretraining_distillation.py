"""Students of a pre-trained network, taught on a corpus, then fine-tuned: is the pre-training level worth it?

The corpus: WikiText-2's valid and test parts and the texts of SST-2, QNLI, MRPC, RTE and WikiQA, some
documents held out. First MiniLM (6 x 384) learns masked tokens. It then teaches students of 3 x 384
(its layers evenly spread) and 4 x 312 (random) by DistilBERT, TinyBERT-general, MiniLM and MiniLMv2; beside
them stand the same layers trained on masked tokens alone, the layers as they are, and random weights. All see
as many tokens. Then each is fine-tuned on SST-2 and MRPC, three seeds. A cell is one run; start it again at
any time: finished cells are read, an interrupted one goes on. The table is written after every cell, PARTIAL
until all are there.
"""

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import defaults_sets as sets
import glue_cells
import machine
import pretraining_corpus
import tested_cells
from minilm import model_folder

TASKS = ("sst2", "mrpc")
MOST_ROWS = 20_000
LENGTH, BATCH = 128, 32
TOKENS = 1_000_000
TEACHER_RATE = 3e-4  # its head is new
TASK_RATES = {"3x384": 1e-4, "4x312": 2e-4}  # what `run/usual_values.py` takes for these widths
RESAMPLES = 1000
BASE = "as it is"


@dataclasses.dataclass(frozen=True)
class Arm:
    """A way to a student.

    Attributes:
        title: In the table.
        model_type: Of the run on the corpus; empty: there is none.
        shape: ``3x384`` starts as the teacher's layers, ``4x312`` random.
        knobs: The method's block.
    """

    title: str
    model_type: str
    shape: str = "3x384"
    knobs: dict[str, Any] = dataclasses.field(default_factory=dict)


RELATIONS = {"terms": {name: {"heads": 24} for name in ("queries", "keys", "values")}}
ARMS = {
    BASE: Arm("the teacher's layers, not trained further", ""),
    "masked": Arm("the same, masked tokens alone", "MaskedLM"),
    "distilbert": Arm("DistilBERT", "DistilBERT"),
    "tinybert": Arm("TinyBERT, general", "TinyBERT-general"),
    "minilm": Arm("MiniLM", "MiniLM"),
    "minilm2": Arm("MiniLMv2, 24 heads", "MiniLMv2", knobs=RELATIONS),
    "random": Arm("random weights", "", "4x312"),
    "masked 312": Arm("masked tokens alone", "MaskedLM", "4x312"),
    "tinybert 312": Arm("TinyBERT, general", "TinyBERT-general", "4x312"),
    "minilm2 312": Arm("MiniLMv2, 24 heads", "MiniLMv2", "4x312", RELATIONS),
}
ALONE = {"3x384": BASE, "4x312": "random"}  # what the others of a shape are compared with


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


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = tested_cells.parser_for(__doc__, "pretraining_distillation", list(TASKS))
    parser.set_defaults(untested=("corpus",))
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument(
        "--tokens", type=int, default=TOKENS, help="that each run on the corpus sees"
    )
    return tested_cells.parsed(parser, arguments)


def plan(options: argparse.Namespace) -> Iterator[Cell]:
    """All cells, each after those whose networks it names."""
    start = {**_masked_lm(model_folder()), "learning_rate": TEACHER_RATE}
    teacher = _on_corpus(options, "teacher", start)
    yield teacher
    made = {}
    for name in options.arms:
        if ARMS[name].model_type:
            student = _student(options, ARMS[name], teacher)
            made[name] = _on_corpus(options, name, student, teacher)
            yield made[name]
    for seed in options.seeds:
        for task in options.sets:
            yield _fine_tuned(options, task, "teacher", seed, teacher)
            for name in options.arms:
                yield _fine_tuned(options, task, name, seed, made.get(name, teacher))


def _masked_lm(start: Path | None = None, **block: Any) -> dict[str, Any]:
    if start is not None:
        block["model_name_or_path"] = str(start)
    return {"model_type": "MaskedLM", "masked_lm": {}, "pretrained_architectures": block}


def _student(options: argparse.Namespace, arm: Arm, teacher: Cell) -> dict[str, Any]:
    """What a run on the corpus trains, and what teaches it."""
    folder = teacher.folder / "student"
    if arm.model_type == "MaskedLM":
        if arm.shape == "3x384":
            return _masked_lm(cut_folder(options))
        return _masked_lm(
            config_file=str(narrow_config(options)), tokenizer_name_or_path=str(folder)
        )
    block: dict[str, Any] = {"num_hidden_layers": 3, "copy_layers": "evenly"}
    if arm.shape == "4x312":
        block = {"config_file": str(narrow_config(options))}
    return {
        "model_type": arm.model_type,
        "distillation": arm.knobs,
        "pretrained_architectures": {"model_name_or_path": str(folder)},
        "student_architectures": block,
    }


def _on_corpus(
    options: argparse.Namespace, arm: str, more: dict[str, Any], teacher: Cell | None = None
) -> Cell:
    config: dict[str, Any] = {
        "task_name": "corpus",
        "max_seq_length": LENGTH,
        "per_gpu_train_batch_size": BATCH,
        "max_steps": _steps(options),
        "bf16": True,
        "seed": 1,
        **more,
    }
    folder = _named(options, "corpus", arm, 1, config)
    config |= {"data_dir": str(options.work / "data"), "output_dir": str(folder)}
    config["cache_dir"] = str(options.work / "cache")
    return Cell("corpus", arm, 1, "distill", config, folder, teacher)


def _steps(options: argparse.Namespace) -> int:
    return max(1, options.tokens // (LENGTH * BATCH))


def _fine_tuned(options: argparse.Namespace, task: str, arm: str, seed: int, start: Cell) -> Cell:
    block: dict[str, Any] = {"model_name_or_path": str(start.folder / "student")}
    if arm == BASE:
        block = {"model_name_or_path": str(cut_folder(options))}
    if arm == "random":
        block = {
            "config_file": str(narrow_config(options)),
            "tokenizer_name_or_path": str(start.folder / "student"),
        }
    shape = ARMS[arm].shape if arm in ARMS else ""
    config: dict[str, Any] = {
        "data": sets.data_block(task, options.work / "data" / task),
        "max_seq_length": sets.SETS[task].max_seq_length,
        "per_gpu_train_batch_size": 32,
        "learning_rate": TASK_RATES.get(shape, 5e-5),
        "num_train_epochs": 3 if task == "sst2" else 5,
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
    """The teacher's layers 0, 2 and 5, as its students of 3 x 384 start."""
    folder: Path = options.work / "cut"
    return folder


def narrow_config(options: argparse.Namespace) -> Path:
    """The configuration of 4 x 312, 12 heads: TinyBERT's."""
    file: Path = options.work / "narrow.json"
    return file


def cut(options: argparse.Namespace, teacher: glue_cells.Cell | None) -> None:
    """Writes both for the first cell that is made of the teacher on the corpus."""
    made = isinstance(teacher, Cell) and teacher.on_corpus and teacher.teacher is None
    if teacher is None or not made or (cut_folder(options) / "config.json").is_file():
        return
    import transformers as tf

    from chatstill.features.layer_map import initial_layers
    from chatstill.models.layers import copy_layers

    source = teacher.folder / "student"
    model = tf.AutoModelForMaskedLM.from_pretrained(source)
    config = tf.AutoConfig.from_pretrained(source)
    config.num_hidden_layers, config.hidden_size = 4, 312
    config.num_attention_heads, config.intermediate_size = 12, 1200
    narrow_config(options).write_text(json.dumps(config.to_dict(), default=str), encoding="utf-8")
    student = copy_layers(model, 3, initial_layers(6, 3, "evenly"))
    student.save_pretrained(cut_folder(options))
    tf.AutoTokenizer.from_pretrained(source).save_pretrained(cut_folder(options))


def prepare(options: argparse.Namespace) -> None:
    """Data of the corpus and of the tasks."""
    pretraining_corpus.write(options.data, options.work / "data" / "corpus")
    for name in options.sets:
        sets.build(name, options.data, options.work / "data" / name, MOST_ROWS)


def summarise(options: argparse.Namespace) -> dict[str, Any]:
    """Of each arm: its run on the corpus, and its score on each task, a mean over seeds."""
    cells = list(plan(options))
    done = {cell.name: cell for cell in cells if tested_cells.is_done(cell)}
    rows = []
    for name in ("teacher", *options.arms):
        row: dict[str, Any] = {"arm": name, "corpus": _corpus(done.get(f"corpus {name} seed 1"))}
        for task in options.sets:
            row[task] = _score(options, done, task, name)
        rows.append(row)
    return {"rows": rows, "missing": [c.name for c in cells if c.name not in done]}


def _corpus(cell: Cell | None) -> dict[str, Any] | None:
    if cell is None:
        return None
    found = json.loads((cell.folder / "metrics.json").read_text(encoding="utf-8"))
    steps = sum(phase["steps"] for phase in found["training"]["phases"])
    seconds = found["training"]["seconds"]
    tokens = steps * BATCH * found["training"]["tokens"] / max(1, found["training"]["rows"])
    return {
        "figures": found["dev"]["metrics"],
        "seconds": seconds,
        "tokens": tokens,
        "rate": tokens / seconds,
    }


def _score(
    options: argparse.Namespace, done: dict[str, Cell], task: str, arm: str
) -> dict[str, Any] | None:
    """Accuracy over seeds, and the paired interval over the arm that was not trained on the corpus."""
    mine = [done.get(f"{task} {arm} seed {seed}") for seed in options.seeds]
    right = [hits(cell) for cell in mine if cell is not None]
    if not right:
        return None
    scores = [float(one.mean()) for one in right]
    found: dict[str, Any] = {"score": float(np.mean(scores)), "seeds": scores}
    base = ALONE.get(ARMS[arm].shape) if arm in ARMS else None
    others = [done.get(f"{task} {base} seed {seed}") for seed in options.seeds]
    pairs = [(a, b) for a, b in zip(mine, others, strict=True) if a and b]
    if base is None or base == arm or not pairs:
        return found
    gap = np.mean([hits(a) - hits(b) for a, b in pairs], axis=0)
    drawn = np.random.default_rng(0).integers(0, len(gap), (RESAMPLES, len(gap)))
    low, high = np.quantile(gap[drawn].mean(1), (0.025, 0.975))
    return found | {"over": float(gap.mean()), "interval": [float(low), float(high)]}


def hits(cell: Cell) -> np.ndarray:
    """(N,) 1 for a test row that is called right, else 0."""
    lines = (cell.test / "predictions.tsv").read_text(encoding="utf-8").splitlines()
    head = lines[0].split("\t")
    label, called = head.index("label"), head.index("prediction")
    rows = [line.split("\t") for line in lines[1:]]
    return np.array([row[label] == row[called] for row in rows], np.float64)


def as_markdown(results: dict[str, Any], options: argparse.Namespace) -> str:
    """The report, PARTIAL where cells are missing."""
    lines = ["# The pre-training level", ""]
    if results["missing"]:
        first = ", ".join(results["missing"][:4])
        lines += [f"**PARTIAL: {len(results['missing'])} cells still to run, {first} first.**", ""]
    titles = " | ".join(sets.SETS[task].title for task in options.sets)
    lines += [
        f"Each run on the corpus takes {_steps(options)} steps of {BATCH} blocks of up to {LENGTH} tokens, "
        f"{_tokens(results['rows'])} in all (bf16 on the CPU). Fine-tuned with {MOST_ROWS:,} rows at most, "
        "accuracy on test rows apart from dev, mean over seeds. In brackets the 95 % interval, paired by "
        "test row, of the difference to the same shape that saw no corpus. Loss on held-out text: of masked "
        "tokens, or the method's own.",
        "",
        f"| student | shape | held-out text | tokens a second | {titles} |",
        "|---|---|---|---|" + "---|" * len(options.sets),
    ]
    for row in results["rows"]:
        arm = ARMS.get(row["arm"], Arm("the teacher", "MaskedLM", "6x384"))
        corpus = row["corpus"]
        told = "–" if corpus is None else _figures(corpus["figures"])
        rate = "–" if corpus is None else f"{corpus['rate']:,.0f}"
        scores = [_cell_text(row[task]) for task in options.sets]
        lines.append(f"| {arm.title} | {arm.shape} | {told} | {rate} | {' | '.join(scores)} |")
    return "\n".join([*lines, "", f"{machine.as_line(results['machine'])}.", ""])


def _tokens(rows: list[dict[str, Any]]) -> str:
    """What the runs saw, short blocks counted as they are."""
    seen = [row["corpus"]["tokens"] for row in rows if row["corpus"]]
    return f"{np.mean(seen):,.0f} tokens" if seen else "some tokens"


def _figures(found: dict[str, float]) -> str:
    text = f"loss {found['loss']:.3f}"
    right = found.get("masked_acc")
    return text if right is None else f"{text}, {100 * right:.1f} % right"


def _cell_text(found: dict[str, Any] | None) -> str:
    if found is None:
        return "–"
    text = f"{100 * found['score']:.1f}"
    if "over" not in found:
        return text
    low, high = found["interval"]
    return f"{text} ({100 * found['over']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}])"


def write(options: argparse.Namespace) -> str:
    """Markdown and JSON of what is finished; returns the Markdown."""
    results = {**summarise(options), "machine": machine.describe()}
    text = as_markdown(results, options)
    return tested_cells.write_results(options.out, "pretraining_distillation", results, text)


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing; 0 if every cell is finished."""
    options = parse(arguments)
    prepare(options)
    return tested_cells.run(
        plan(options), options, lambda: write(options), lambda cell: cut(options, cell.teacher)
    )


if __name__ == "__main__":
    raise SystemExit(main())
