"""Students of a pre-trained network, taught on a corpus, then fine-tuned: is the pre-training level worth it?

English (default): WikiText-2's valid and test parts and the texts of SST-2, QNLI, MRPC, RTE and WikiQA, some
documents held out. First MiniLM (6 x 384) learns masked tokens. It then teaches students of 3 x 384 (its
layers evenly spread) and 4 x 312 (random) by DistilBERT, TinyBERT-general, MiniLM and MiniLMv2; beside them
stand the same layers trained on masked tokens alone, the layers as they are, and random weights. All see as
many tokens. Then each is fine-tuned on SST-2 and MRPC, three seeds. ``--language zh``: titles of news,
KdConv's dialogues, pairs of questions and Wikipedia; the network of `chinese_masked_lm.py` teaches students
of 2 x 256; fine-tuned on THUCNews titles.

A cell is one run; start it again at any time: finished cells are read, an interrupted one goes on. The table
is written after every cell, PARTIAL until all are there. ``--costs`` measures speed and memory.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import defaults_sets as sets
import kept_cells
import machine
import pretraining_cells as cells
import pretraining_costs
import tested_cells
from pretraining_cells import LANGUAGES, Arm, Cell, plan

TOKENS = 1_000_000
RESAMPLES = 1000
NAMES = {"en": "pretraining_distillation", "zh": "pretraining_distillation_zh"}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    first = argparse.ArgumentParser(add_help=False)
    first.add_argument("--language", choices=list(LANGUAGES), default="en")
    language = first.parse_known_args(arguments)[0].language
    of = LANGUAGES[language]
    parser = tested_cells.parser_for(__doc__, NAMES[language], list(of.tasks))
    parser.set_defaults(untested=("corpus",))
    parser.add_argument("--language", choices=list(LANGUAGES), default="en")
    parser.add_argument("--arms", nargs="+", choices=list(of.arms), default=list(of.arms))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument(
        "--tokens", type=int, default=TOKENS, help="that each run on the corpus sees"
    )
    parser.add_argument(
        "--chinese-start", type=Path, help="WORK/run/student of chinese_masked_lm.py"
    )
    parser.add_argument(
        "--costs", action="store_true", help="measure speed and memory, run nothing else"
    )
    return tested_cells.parsed(parser, arguments)


def summarise(options: argparse.Namespace) -> dict[str, Any]:
    """Of each arm: its run on the corpus, and its score on each task, a mean over seeds."""
    wanted = list(plan(options))
    done = {cell.name: cell for cell in wanted if tested_cells.is_done(cell)}
    rows = []
    for name in ("teacher", *options.arms):
        row: dict[str, Any] = {"arm": name, "corpus": _corpus(done.get(f"corpus {name} seed 1"))}
        for task in options.sets:
            row[task] = _score(options, done, task, name)
        rows.append(row)
    return {"rows": rows, "missing": [c.name for c in wanted if c.name not in done]}


def _corpus(cell: Cell | None) -> dict[str, Any] | None:
    """Figures on held-out text, tokens, and what was measured of speed and memory."""
    if cell is None:
        return None
    found = json.loads((cell.folder / "metrics.json").read_text(encoding="utf-8"))
    steps = sum(phase["steps"] for phase in found["training"]["phases"])
    batch = cell.config.get("per_gpu_train_batch_size", 0)  # of a teacher that was given: not known
    costs = cell.folder / kept_cells.COSTS
    return {
        "figures": found["dev"]["metrics"],
        "seconds": found["training"]["seconds"],
        "tokens": steps * batch * found["training"]["tokens"] / max(1, found["training"]["rows"]),
        "costs": json.loads(costs.read_text(encoding="utf-8")) if costs.is_file() else None,
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
    of = LANGUAGES[options.language]
    base = of.alone[of.arms[arm].shape] if arm in of.arms else None
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
    of = LANGUAGES[options.language]
    lines = [f"# The pre-training level{', Chinese' if options.language == 'zh' else ''}", ""]
    if results["missing"]:
        first = ", ".join(results["missing"][:4])
        lines += [f"**PARTIAL: {len(results['missing'])} cells still to run, {first} first.**", ""]
    titles = " | ".join(sets.SETS[task].title for task in options.sets)
    lines += [
        f"Each run on the corpus takes {cells.steps_of(options)} steps of {of.batch} blocks of up to "
        f"{of.length} tokens, {_tokens(results['rows'])} in all (bf16 on the CPU), one seed. Fine-tuned with "
        f"{cells.MOST_ROWS:,} rows at most, accuracy on test rows apart from dev, mean over seeds (their "
        "number behind it where not all are there). In brackets the 95 % interval, paired by "
        "test row, of the difference to the first row of the same shape. Loss on held-out text: of masked "
        f"tokens, or the method's own. {_told(results['rows'])}",
        "",
        f"| student | shape | held-out text | tokens a second | memory, MiB | {titles} |",
        "|---|---|---|---|---|" + "---|" * len(options.sets),
    ]
    for row in results["rows"]:
        arm = of.arms.get(row["arm"], Arm("the teacher", "MaskedLM", of.teacher))
        corpus = row["corpus"]
        told = "–" if corpus is None else _figures(corpus["figures"])
        costs = corpus["costs"] if corpus is not None else None
        rate = "–" if costs is None else f"{costs['tokens_per_second']:,.0f}"
        memory = "–" if costs is None else f"{costs['peak_bytes'] / 2**20:,.0f}"
        scores = [_cell_text(row[task], len(options.seeds)) for task in options.sets]
        words = [arm.title, arm.shape, told, rate, memory, *scores]
        lines.append(f"| {' | '.join(words)} |")
    return "\n".join([*lines, "", f"{machine.as_line(results['machine'])}.", ""])


def _told(rows: list[dict[str, Any]]) -> str:
    """How speed and memory were measured."""
    costs = [row["corpus"]["costs"] for row in rows if row["corpus"] and row["corpus"]["costs"]]
    if not costs:
        return "Speed and memory were not measured."
    threads, devices = ({str(one[key]) for one in costs} for key in ("threads", "device"))
    return (
        f"Tokens a second and highest resident memory of the process: {pretraining_costs.STEPS} steps of "
        f"each, alone on the machine, threads {', '.join(sorted(threads))}, {', '.join(sorted(devices))}."
    )


def _tokens(rows: list[dict[str, Any]]) -> str:
    """What the runs saw, short blocks counted as they are."""
    seen = [row["corpus"]["tokens"] for row in rows if row["corpus"] and row["corpus"]["tokens"]]
    return f"{np.mean(seen):,.0f} tokens" if seen else "some tokens"


def _figures(found: dict[str, float]) -> str:
    text = f"loss {found['loss']:.3f}"
    right = found.get("masked_acc")
    return text if right is None else f"{text}, {100 * right:.1f} % right"


def _cell_text(found: dict[str, Any] | None, seeds: int) -> str:
    if found is None:
        return "–"
    text = f"{100 * found['score']:.1f}"
    if len(found["seeds"]) < seeds:
        text += f" (seeds: {len(found['seeds'])})"
    if "over" not in found:
        return text
    low, high = found["interval"]
    return f"{text} ({100 * found['over']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}])"


def write(options: argparse.Namespace) -> str:
    """Markdown and JSON of what is finished; returns the Markdown."""
    results = {**summarise(options), "machine": machine.describe()}
    text = as_markdown(results, options)
    return tested_cells.write_results(options.out, NAMES[options.language], results, text)


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing; 0 if every cell is finished."""
    options = parse(arguments)
    cells.prepare(options)
    if options.costs:
        pretraining_costs.measure(options)
    wanted: Iterator[Cell] = iter(()) if options.costs else plan(options)
    return tested_cells.run(
        wanted, options, lambda: write(options), lambda cell: cells.cut(options, cell.teacher)
    )


if __name__ == "__main__":
    raise SystemExit(main())
