"""BERT-of-Theseus on GLUE, 6 layers to 3: teacher, the same student fine-tuned alone, Theseus.

Beside GLUE: THUCNews titles (Chinese, ten classes), whose teacher is trained from scratch.

Each cell (task, arm, seed) is an ordinary `chatstill teach` or `chatstill distill` of a generated
configuration in the work folder. Start it again at any time: finished cells are read, an interrupted
one goes on. The table is written after every cell, labelled PARTIAL until all are there.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import glue_cells
import glue_table
import machine

RESULTS = Path(__file__).parent / "results"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = list(glue_cells.FOLDERS)
    parser.add_argument("--tasks", nargs="+", choices=known, default=known)
    parser.add_argument("--rows", type=int, default=20_000, help="first rows of a training file")
    parser.add_argument(
        "--seeds",
        type=int,
        nargs="+",
        default=[1, 2, 3],
        help=f"all of them on {', '.join(glue_cells.SEVERAL_SEEDS)}; the others take the first",
    )
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work")
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/glue"), help="GLUE folder"
    )
    parser.add_argument(
        "--thucnews",
        type=Path,
        default=Path("../shared/data/thucnews_titles"),
        help="folder with train.txt and dev.txt (title TAB class number)",
    )
    parser.add_argument("--threads", type=int, help="threads of a run; default: torch's own")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--report-only", action="store_true", help="write the table, run nothing")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=key_value,
        metavar="KEY=VALUE",
        help="a configuration key for all cells (dots for nesting); other settings are other cells",
    )
    parser.add_argument(
        "--set-students",
        action="append",
        default=[],
        type=key_value,
        metavar="KEY=VALUE",
        help="the same for all but the teachers",
    )
    options = parser.parse_args(arguments)
    options.work = options.work.resolve()
    return options


def key_value(text: str) -> tuple[str, Any]:
    """``key=value``, the value as JSON if it is some."""
    key, sign, value = text.partition("=")
    if not (key and sign):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


def write(cells: list[glue_cells.Cell], out: Path) -> str:
    """Markdown and JSON of what is finished; returns the Markdown."""
    results = {**glue_table.summarise(cells), "machine": machine.describe()}
    text = glue_table.as_markdown(results)
    out.mkdir(parents=True, exist_ok=True)
    (out / "theseus_glue.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    (out / "theseus_glue.md").write_text(text, encoding="utf-8")
    return text


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing; 0 if every cell is finished."""
    options = parse(arguments)
    cells = glue_cells.plan(options)
    code, failed = glue_cells.run_cells(
        [] if options.report_only else cells,
        options.threads,
        is_done=glue_cells.is_finished,
        before=lambda cell: glue_cells.cut_data(options, cell.task),
        after=lambda: write(cells, options.out),
    )
    if code:
        return code
    print(write(cells, options.out))
    for line in failed:
        print(f"failed: {line}")
    return 0 if all(map(glue_cells.is_finished, cells)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
