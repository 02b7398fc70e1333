"""Few labels, many rows without: what a teacher's answers on these are worth to a student.

Four sets (SST-2, THUCNews titles, LCQMC, KdConv chat), 1,000 labelled rows each, the others without
their labels, a test part apart from dev. Each cell (set, arm, learning rate, seed) is an ordinary
chatstill run. Start it again at any time: finished cells are read, an interrupted one goes on. The table
is written after every cell, labelled PARTIAL until all are there.
"""

import argparse
import json
import os
from pathlib import Path

import few_labels_cells as cells
import few_labels_data as data
import few_labels_start as start
import few_labels_table as table
import glue_cells
import machine

RESULTS = Path(__file__).parent / "results"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=list(data.SETS), default=list(data.SETS))
    parser.add_argument("--arms", nargs="+", choices=cells.ARMS, default=list(cells.ARMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work" / "few")
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder of the sets"
    )
    parser.add_argument("--threads", type=int, help="threads of a run; default: torch's own")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--report-only", action="store_true", help="write the table, run nothing")
    options = parser.parse_args(arguments)
    options.work, options.data = options.work.resolve(), options.data.resolve()
    return options


def run_cell(cell: cells.FewCell, threads: int | None) -> int:
    """Runs, or goes on with, a cell; 130 or 143 after a signal, else the run's exit code."""
    cell.folder.parent.mkdir(parents=True, exist_ok=True)
    path = cell.folder.with_suffix(".json")
    path.write_text(json.dumps(cell.config, indent=2) + "\n", encoding="utf-8")
    environment = dict(os.environ)
    if threads:
        environment["OMP_NUM_THREADS"] = environment["MKL_NUM_THREADS"] = str(threads)
    return glue_cells.run_and_wait(cells.command(cell, path), environment)


def write(options: argparse.Namespace) -> str:
    """Markdown and JSON of what is finished; returns the Markdown."""
    results = {**table.summarise(options), "machine": machine.describe()}
    text = table.as_markdown(results)
    options.out.mkdir(parents=True, exist_ok=True)
    words = json.dumps(results, indent=2) + "\n"
    (options.out / "few_labels.json").write_text(words, encoding="utf-8")
    (options.out / "few_labels.md").write_text(text, encoding="utf-8")
    return text


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing; 0 if every cell is finished."""
    options = parse(arguments)
    start.prepare(options.sets, options.data, options.work)
    failed: list[str] = []
    for cell in cells.plan(options) if not options.report_only else ():
        if cells.is_done(cell):
            continue
        print(f"== {cell.name}", flush=True)
        code = run_cell(cell, options.threads)
        if code in (130, 143):
            print("stopped; start it again to go on")
            return code
        if code or not cells.is_done(cell):
            failed.append(f"{cell.name}: exit code {code}, see {cell.folder}")
        write(options)
    text = write(options)
    print(text)
    for line in failed:
        print(f"failed: {line}")
    return 0 if "PARTIAL" not in text else 1


if __name__ == "__main__":
    raise SystemExit(main())
