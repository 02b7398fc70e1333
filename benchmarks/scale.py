"""What a chat file of millions of rows costs: preparing, first step, memory, going on mid-epoch.

It makes the file (Chinese characters, drawn with Zipf's law), a tiny teacher and student, and starts
`chatstill distill` as a user would, so that everything beside the networks is what is measured.
`--corpus-bytes 2000000000` measures a masked-LM run on a corpus of 2 GB in its place.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import machine
import scale_corpus
import scale_data
import scale_runs

RESULTS = Path(__file__).parent / "results"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--batch", type=int, default=2048, help="rows of a step, all processes")
    parser.add_argument(
        "--stop-after", type=float, default=0.2, help="share of the epoch before the interruption"
    )
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument(
        "--corpus-bytes", type=int, help="a masked-LM run on a corpus of this size, no chat rows"
    )
    parser.add_argument("--work", type=Path, default=Path(__file__).parent / "work" / "scale")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    options.work = options.work.resolve()
    return options


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """All figures; the work folder keeps data and networks, nothing else."""
    started = time.time()
    scale_data.write(options.work, options.rows)
    results: dict[str, Any] = {
        "rows": options.rows,
        "batch": options.batch,
        "file_bytes": scale_data.train_file(options.work).stat().st_size,
        "making_the_file": time.time() - started,
        "prepare": scale_runs.prepare(options.work),
        "runs": [],
    }
    print(json.dumps(results["prepare"]), flush=True)
    for number in options.processes:
        found = scale_runs.run(options.work, number, options.batch, options.stop_after)
        print(json.dumps(found), flush=True)
        results["runs"].append(found)
    return results


def as_markdown(results: dict[str, Any], facts: dict[str, str]) -> str:
    """The report."""
    prepared = results["prepare"]
    lines = [
        f"# {results['rows']:,} chat rows ({results['file_bytes'] / 1e6:,.0f} MB)",
        "",
        f"Preparing (tokenising into memory-mapped files): {prepared['rows_per_second']:,.0f} rows a second, "
        f"{prepared['seconds']:.0f} s, {prepared['cores_used']:.2f} cores used of {facts['cores']}; "
        f"{prepared['bytes'] / 1e6:,.0f} MB on disk.",
        "",
        f"Runs with networks of next to no size, {results['batch']} rows a step. First step: from "
        "the command to the end of the first optimizer step, nothing prepared before. Peak memory: "
        "resident, per process, python and libraries included. Going on: from the command to the end of "
        "the first new step, in the middle of an epoch.",
        "",
        "| processes | first step, s | peak memory per process, MiB | interrupted after step "
        "| of an epoch of | going on, s | peak memory then, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for run in results["runs"]:
        first, again = (
            ", ".join(f"{size / 2**20:,.0f}" for size in run[name])
            for name in ("peaks", "peaks_again")
        )
        lines.append(
            f"| {run['processes']} | {run['first_step']:.0f} | {first} | {run['stopped_after']} "
            f"| {run['steps_per_epoch']} | {run['resume']:.1f} | {again} |"
        )
    return "\n".join([*lines, "", f"{machine.as_line(facts)}.", ""])


def main() -> None:
    """Measure and write both files."""
    options = parse()
    if options.corpus_bytes is not None:
        scale_corpus.main(options)
        return
    results = measure(options)
    facts = machine.describe()
    options.out.mkdir(parents=True, exist_ok=True)
    text = as_markdown(results, facts)
    (options.out / "scale.json").write_text(
        json.dumps({**results, "machine": facts}, indent=2) + "\n", encoding="utf-8"
    )
    (options.out / "scale.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
