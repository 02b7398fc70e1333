"""Distillation on the task: fine-tuning alone, KD, PKD, TinyBERT (steps 1 and 2) and TAKD.

A teacher of 6 layers, students of 3 layers of its width and of 4 narrower ones; every method has the same
number of optimizer steps. Each cell (task, student, method, seed) is an ordinary chatstill run. Start it
again at any time: finished cells are read, an interrupted one goes on. The table is written after every
cell, labelled PARTIAL until all are there.
"""

import argparse
import json
from pathlib import Path

import glue_cells
import machine
import task_cells
import task_table
from theseus_glue import key_value

RESULTS = Path(__file__).parent / "results"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    tasks, students = task_cells.TASKS, task_cells.STUDENTS
    parser.add_argument("--tasks", nargs="+", choices=tasks, default=list(tasks))
    parser.add_argument("--students", nargs="+", choices=students, default=list(students))
    parser.add_argument("--rows", type=int, default=20_000, help="first rows of a training file")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=[1, 2, 3, 4, 5],
        help=f"all of them on {', '.join(task_cells.FIVE_SEEDS)}, the first three elsewhere",
    )
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work")
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/glue"), help="GLUE folder"
    )
    parser.add_argument("--thucnews", type=Path, default=Path("../shared/data/thucnews_titles"))
    parser.add_argument("--threads", type=int, help="threads of a run; default: torch's own")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--report-only", action="store_true", help="write the table, run nothing")
    for name in ("--set", "--set-students"):
        parser.add_argument(name, action="append", default=[], type=key_value, metavar="KEY=VALUE")
    options = parser.parse_args(arguments)
    options.work = options.work.resolve()
    return options


def write(cells: list[glue_cells.Cell], out: Path) -> str:
    """Markdown and JSON of what is finished; returns the Markdown."""
    results = {**task_table.summarise(cells), "machine": machine.describe()}
    text = task_table.as_markdown(results)
    out.mkdir(parents=True, exist_ok=True)
    words = json.dumps(results, indent=2) + "\n"
    (out / "task_distillation.json").write_text(words, encoding="utf-8")
    (out / "task_distillation.md").write_text(text, encoding="utf-8")
    return text


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing; 0 if every cell is finished."""
    options = parse(arguments)
    for task in options.tasks:
        glue_cells.cut_data(options, task)
        task_cells.add_rows(options, task)
    cells = task_cells.plan(options)
    code, failed = glue_cells.run_cells(
        [] if options.report_only else cells,
        options.threads,
        is_done=task_table.is_done,
        before=lambda cell: None,
        after=lambda: write(cells, options.out),
    )
    if code:
        return code
    print(write(cells, options.out))
    for line in failed:
        print(f"failed: {line}")
    return 0 if all(map(task_table.is_done, cells)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
