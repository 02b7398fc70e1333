"""BERT-of-Theseus beside the authors' own loop, one change at a time, 6 layers to 3 on STS-B and MRPC.

`engine …` cells are ordinary `chatstill distill` runs, some with one part of the engine changed;
`plain …` cells are the loop of `theseus_theirs.py`, some with one part as the engine has it. All start
from the same teacher and are scored on dev after their last step: nothing is chosen on dev. Start it
again at any time: finished cells are read. The table is written after every cell, labelled PARTIAL
until all are there.
"""

import argparse
import dataclasses
import json
import os
import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import glue_cells
import machine
from glue_cells import Cell

RESULTS = Path(__file__).parent / "results"
EPOCHS = {"stsb": 5, "mrpc": 3}
TEACHER_EPOCHS = 4
# What each variant is; the engine's own two first.
VARIANTS = {
    "engine": "as it is: a parameter outside a step's path has a gradient of zero",
    "plain": "the authors' loop, written again",
    "engine standing-still": "as it was: a parameter without a gradient stands still",
    "engine rows-theirs": "as it is, rows at random in place of by length",
    "engine empty-steps-still": "as it is, but a step that draws nothing leaves everything as it stands",
    "plain clipping-ours": "their loop, clipping by the norm of the successors' gradients alone",
    "plain rows-ours": "their loop, rows by length in place of at random",
}
# What differs little on one seed is measured no further.
SEVERAL_SEEDS = ("engine", "plain", "engine standing-still")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", choices=list(EPOCHS), default=list(EPOCHS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument(
        "--several",
        nargs="+",
        choices=list(VARIANTS),
        default=list(SEVERAL_SEEDS),
        help="variants that run on all tasks and seeds; the others on STS-B and the first seed",
    )
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work")
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/glue"), help="GLUE folder"
    )
    parser.add_argument("--threads", type=int, help="threads of a run; default: torch's own")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--report-only", action="store_true", help="write the table, run nothing")
    parser.add_argument("--only", help="run the cells of one kind alone: engine or plain")
    parser.add_argument("--cell", nargs=2, help=argparse.SUPPRESS)  # a child: file, variant
    options = parser.parse_args(arguments)
    options.work = options.work.resolve()
    options.rows, options.thucnews, options.set_students = 20_000, None, []
    options.set = [("bf16", True), ("keep", "last")]
    return options


def plan(options: argparse.Namespace) -> list[Cell]:
    """All cells, the most telling ones of a task first."""
    cells, teachers = [], {}
    for task in options.tasks:
        # The best of its epochs, as every teacher of `theseus_glue.py`.
        own = argparse.Namespace(**vars(options))
        own.set = [("bf16", True), ("num_train_epochs", TEACHER_EPOCHS)]
        teachers[task] = glue_cells.make_cell(own, task, "teacher", options.seeds[0], None)
        cells.append(teachers[task])
    for task in options.tasks:
        wanted = [(variant, seed) for seed in options.seeds for variant in options.several]
        if task == next(iter(EPOCHS)):
            others = [variant for variant in VARIANTS if variant not in options.several]
            wanted += [(variant, options.seeds[0]) for variant in others]
        cells += [student(options, task, *names, teachers[task]) for names in wanted]
    return cells


def student(options: argparse.Namespace, task: str, variant: str, seed: int, teacher: Cell) -> Cell:
    """A cell of one variant."""
    own = argparse.Namespace(**vars(options))
    own.set_students = [("num_train_epochs", EPOCHS[task])]
    cell = glue_cells.make_cell(own, task, "theseus", seed, teacher)
    name = f"{variant.replace(' ', '-')}-{cell.folder.name}"
    folder = options.work / "parity" / task / name
    config = {**cell.config, "output_dir": str(folder)}
    return dataclasses.replace(cell, arm=variant, config=config, folder=folder)


def is_done(cell: Cell) -> bool:
    """Whether its figures are there."""
    return figures_of(cell).is_file() if cell.arm in VARIANTS else glue_cells.is_finished(cell)


def figures_of(cell: Cell) -> Path:
    """The small JSON file of a cell."""
    return cell.folder.with_suffix(".figures.json")


def command(cell: Cell, path: Path) -> list[str]:
    """This script again for a variant, an ordinary run for a teacher."""
    if cell.arm not in VARIANTS:
        return [sys.executable, "-m", "chatstill", cell.verb, str(path)]
    return [sys.executable, __file__, "--cell", str(path), cell.arm]


def run_child(path: Path, variant: str) -> int:
    """One cell, in a process of its own."""
    config = json.loads(path.read_text(encoding="utf-8"))
    kind, *switches = variant.split()
    out = path.with_suffix(".figures.json")
    if kind == "plain":
        import theseus_theirs

        theseus_theirs.train(config, config["seed"], switches, out)
        return 0
    from chatstill.cli import main as chatstill

    for switch in switches:
        ENGINE_SWITCHES[switch]()
    code = chatstill(["distill", str(path)])
    if code == 0:
        folder = Path(config["output_dir"])
        found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
        figures = {"dev": found["dev"]["metrics"], "distance": distance(folder, config)}
        out.write_text(json.dumps(figures) + "\n", encoding="utf-8")
    return code


def distance(folder: Path, config: dict[str, Any]) -> float:
    """How far the successors came from the teacher's first layers: the norm of the difference."""
    from safetensors.torch import load_file

    start = Path(config["teacher_architectures"]["model_name_or_path"])
    old, new = (load_file(f / "model.safetensors") for f in (start, folder / "student"))
    layers = [name for name in new if ".layer." in name]
    return sum(float((new[n].float() - old[n].float()).square().sum()) for n in layers) ** 0.5


def _standing_still() -> None:
    from chatstill.train import trainer

    trainer.fill_absent = lambda optimizer: False


def _empty_steps_still() -> None:
    from chatstill.train import trainer

    fill = trainer.fill_absent

    def where_something_was_drawn(optimizer: Any) -> bool:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        return any(p.grad is not None for p in parameters) and fill(optimizer)

    trainer.fill_absent = where_something_was_drawn


def _rows_at_random() -> None:
    from chatstill.data import sampler

    sampler.SORTED_TOGETHER = 1  # a stretch of one batch: nothing is sorted across batches


ENGINE_SWITCHES: dict[str, Callable[[], None]] = {
    "standing-still": _standing_still,
    "empty-steps-still": _empty_steps_still,
    "rows-theirs": _rows_at_random,
}


def run_all(options: argparse.Namespace, cells: list[Cell]) -> tuple[int, list[str]]:
    """Runs what is missing; the exit code after a signal, else 0, and the cells that failed."""
    failed: list[str] = []
    for cell in cells:
        other = options.only and cell.arm in VARIANTS and cell.arm.split()[0] != options.only
        if is_done(cell) or other:
            continue
        print(f"== {cell.name}", flush=True)
        glue_cells.cut_data(options, cell.task)
        cell.folder.parent.mkdir(parents=True, exist_ok=True)
        path = cell.folder.with_suffix(".json")
        path.write_text(json.dumps(cell.config, indent=2) + "\n", encoding="utf-8")
        environment = dict(os.environ)
        if options.threads:
            environment["OMP_NUM_THREADS"] = str(options.threads)
        code = glue_cells.run_and_wait(command(cell, path), environment)
        glue_cells.note_attempt(cell, 0.0)
        if code in (130, 143):
            return code, failed
        if code or not is_done(cell):
            failed.append(f"{cell.name}: exit code {code}")
        write(cells, options.out)
    return 0, failed


def summarise(cells: list[Cell]) -> dict[str, Any]:
    """Figures of the finished cells, and the names of the others."""
    found: list[dict[str, Any]] = []
    for cell in filter(is_done, cells):
        row = {"task": cell.task, "variant": cell.arm, "seed": cell.seed}
        if cell.arm in VARIANTS:
            figures = json.loads(figures_of(cell).read_text(encoding="utf-8"))
            metric = glue_cells.task_of(cell.task).main_metric_of(figures["dev"])
            row |= {**figures, "value": figures["dev"][metric]}
        else:
            read = glue_cells.read_metrics(cell)
            row |= {"dev": read["metrics"], "value": read["value"]}
        found.append({**row, "commits": glue_cells.attempts(cell)["commits"]})
    missing = [cell.name for cell in cells if not is_done(cell)]
    machines = dict.fromkeys([cell.task for cell in cells], machine.describe())
    return {"cells": found, "missing": missing, "machines": machines}


def with_other_tasks(results: dict[str, Any], path: Path) -> dict[str, Any]:
    """What an earlier table has of other tasks, before what was found now: a task is of one machine."""
    if not path.is_file():
        return results
    earlier = json.loads(path.read_text(encoding="utf-8"))
    others = {
        task: one for task, one in earlier["machines"].items() if task not in results["machines"]
    }
    cells = [cell for cell in earlier["cells"] if cell["task"] in others]
    missing = [name for name in earlier["missing"] if name.split()[0] in others]
    return {
        "cells": sorted(
            [*cells, *results["cells"]], key=lambda cell: list(EPOCHS).index(cell["task"])
        ),
        "missing": [*results["missing"], *missing],
        "machines": {**others, **results["machines"]},
    }


def write(cells: list[Cell], out: Path) -> str:
    """Markdown and JSON of what is finished; returns the Markdown."""
    path = out / "theseus_parity.json"
    results = with_other_tasks(summarise(cells), path)
    text = as_markdown(results)
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    return text


def as_markdown(results: dict[str, Any]) -> str:
    """The table: variants down, tasks and seeds across."""
    cells = results["cells"]
    lines = ["# BERT-of-Theseus beside the authors' own loop: 6 layers to 3", ""]
    if results["missing"]:
        lines += [f"**PARTIAL: missing are {', '.join(results['missing'])}.**", ""]
    lines += [
        "Dev sets, after the last step, times 100: STS-B Pearson and Spearman averaged, MRPC accuracy and F1 "
        "averaged. `engine` is chatstill, `plain` the authors' loop written again; a word behind them is "
        f"the one thing that is otherwise. Teacher: the 6-layer MiniLM after at most {TEACHER_EPOCHS} "
        "epochs. Learning rate 1e-4, warm-up 10 %, decay 0.01, batch 32, `auto` slope from 0.3, bf16. "
        f"Epochs: {', '.join(f'{task} {number}' for task, number in EPOCHS.items())}. Distance: the norm "
        "of what the successors moved from their start, mean over seeds.",
    ]
    for task in dict.fromkeys(cell["task"] for cell in cells):
        own = [cell for cell in cells if cell["task"] == task]
        seeds = sorted({cell["seed"] for cell in own})
        heads = [*(f"seed {s}" for s in seeds), "mean", "distance", "what it is"]
        lines += ["", f"## {glue_cells.FOLDERS[task]}", "", f"| variant | {' | '.join(heads)} |"]
        lines += [f"|---|{'---|' * len(heads)}"]
        for variant in ("teacher", *VARIANTS):
            if found := {c["seed"]: c for c in own if c["variant"] == variant}:
                lines.append(line(variant, found, seeds))
        lines += ["", f"{machine.as_line(results['machines'][task])}."]
    return "\n".join([*lines, ""])


def line(variant: str, found: dict[int, dict[str, Any]], seeds: list[int]) -> str:
    """A row of the table."""
    values = [f"{100 * found[s]['value']:.1f}" if s in found else "–" for s in seeds]
    mean = statistics.mean(cell["value"] for cell in found.values())
    far = [cell["distance"] for cell in found.values() if "distance" in cell]
    parts = [variant, *values, f"{100 * mean:.1f}", f"{statistics.mean(far):.2f}" if far else "–"]
    return f"| {' | '.join([*parts, VARIANTS.get(variant, 'one for all')])} |"


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing; 0 if every cell is finished."""
    options = parse(arguments)
    if options.cell:
        return run_child(Path(options.cell[0]), options.cell[1])
    cells = plan(options)
    code, failed = (0, []) if options.report_only else run_all(options, cells)
    if code:
        return code
    print(write(cells, options.out))
    for text in failed:
        print(f"failed: {text}")
    return 0 if all(map(is_done, cells)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
