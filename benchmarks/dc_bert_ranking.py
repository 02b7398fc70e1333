"""DC-BERT's ranking beside its cross-encoder and TF-IDF: how much of the cross-encoder's MAP is kept.

WikiQA and KdConv (or LCQMC, where KdConv's cross-encoder is not clearly above TF-IDF). Arms: TF-IDF; the
cross-encoder; DC-BERT with K = 1 and 2 transformer layers, linear, lstm, each with and without soft labels;
the cross-encoder trained on for as many steps. Three seeds of WikiQA, one of the other sets; the smaller
indexes (one way, width 128) one, of WikiQA. A cell is one run of the command line; start it
again at any time: finished cells are read, an interrupted one goes on. The table is written after every cell,
labelled PARTIAL until all are there.
"""

import argparse
from pathlib import Path

import dc_bert_cells as cells
import dc_bert_data as data
import dc_bert_table as table
import kept_cells
import machine
import tested_cells

NAMES = ("wikiqa", "kdconv")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = tested_cells.parser_for(__doc__, "dc_bert_ranking", NAMES)
    arms = [arm for arm in cells.ARMS if arm not in (cells.TFIDF, cells.TEACHER)]
    parser.add_argument("--only", nargs="+", choices=arms, default=[], help="these arms alone")
    parser.add_argument(
        "--chinese-start",
        type=Path,
        help="what the Chinese teachers start as: WORK/run/student of chinese_masked_lm.py",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    return tested_cells.parsed(parser, arguments)


def write(options: argparse.Namespace) -> str:
    """Markdown and JSON of what is finished; returns the Markdown."""
    results = {**table.summarise(options), "machine": machine.describe()}
    text = table.as_markdown(results)
    return tested_cells.write_results(options.out, "dc_bert_ranking", results, text)


def run(options: argparse.Namespace) -> tuple[int, list[str]]:
    """Runs what is missing; 143 or 130 after a signal, else 0, and a line for each cell that failed."""
    failed = []
    for cell in cells.plan(options):
        if cells.is_done(cell):
            continue
        code = tested_cells.bring_back(cell.needs, options.threads, run=cells.run_cell)
        if not code:
            print(f"== {cell.name}", flush=True)
            code = cells.run_cell(cell, options.threads)
        if code in (130, 143):
            print("stopped; start it again to go on")
            return code, failed
        if not cells.is_done(cell):
            failed.append(f"{cell.name}: exit code {code}, see {cell.folder}")
        write(options)
        kept_cells.keep(options)
    return 0, failed


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing; 0 if every cell is finished."""
    options = parse(arguments)
    instead = ["lcqmc"] if "kdconv" in options.sets else []
    data.prepare([*options.sets, *instead], options)
    code, failed = (0, []) if options.report_only else run(options)
    if code:
        return code
    text = write(options)
    print(text)
    for line in failed:
        print(f"failed: {line}")
    return 0 if "PARTIAL" not in text else 1


if __name__ == "__main__":
    raise SystemExit(main())
