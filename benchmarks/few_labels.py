"""Few labels, many rows without: what a teacher's answers on these are worth to a student.

Four sets (SST-2, THUCNews titles, LCQMC, KdConv chat), 1,000 labelled rows each, the others without
their labels, a test part apart from dev. Each cell (set, arm, learning rate, seed) is an ordinary
chatstill run. Start it again at any time: finished cells are read, an interrupted one goes on. The table
is written after every cell, labelled PARTIAL until all are there.
"""

import argparse

import few_labels_cells as cells
import few_labels_data as data
import few_labels_start as start
import few_labels_table as table
import machine
import tested_cells


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = tested_cells.parser_for(__doc__, "few", list(data.SETS))
    parser.add_argument("--arms", nargs="+", choices=cells.ARMS, default=list(cells.ARMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument(
        "--chinese-start", help="masked LM of chinese_masked_lm.py; default: random weights"
    )
    return tested_cells.parsed(parser, arguments)


def write(options: argparse.Namespace) -> str:
    """Markdown and JSON of what is finished; returns the Markdown."""
    results = {**table.summarise(options), "machine": machine.describe()}
    return tested_cells.write_results(
        options.out, "few_labels", results, table.as_markdown(results)
    )


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing; 0 if every cell is finished."""
    options = parse(arguments)
    start.prepare(options)
    return tested_cells.run(cells.plan(options), options, lambda: write(options))


if __name__ == "__main__":
    raise SystemExit(main())
