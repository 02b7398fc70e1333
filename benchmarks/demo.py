"""`make demo`: the main job on real chat data in some minutes on two CPU cores.

A 6-layer network is fine-tuned to tell replies from others: the teacher. BERT-of-Theseus makes a
student of 3 layers from it. Beside it 3 layers are fine-tuned without replacing: the pretrained ones,
and the teacher's own first ones, where Theseus starts. A table, a page and the student come out.
Started again, an interrupted demo goes on and a finished one shows its results.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from chatstill.config import Loaded
    from demo_runs import Run

EXAMPLE = "config/distill.example.1.json"


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("output_demo"), help="where all files go")
    parser.add_argument("--fresh", action="store_true", help="move old runs aside, start anew")
    return parser.parse_args(arguments)


def one_device() -> None:
    """The demo is too small for several GPUs; a run on all of them would be started anew on each."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[0]


def demo(work: Path, console: "Console", *, fresh: bool = False) -> None:
    """Data, four runs, table, page.

    Raises:
        UserError: a package is missing, or the folder holds runs of another configuration.
    """
    import demo_runs
    from chatstill.errors import Problem, UserError

    started = time.monotonic()
    try:
        runs = demo_runs.plan(work)
    except ModuleNotFoundError as error:
        raise UserError(Problem("", f"the demo's model is missing: {error}")) from None
    console.print("data: conversations of chatterbot-corpus", highlight=False)
    counts = demo_runs.prepare_data(work)
    loaded = []
    for number, run in enumerate(runs, start=1):
        console.rule(f"{number} of {len(runs)}: {run.name}", align="left")
        loaded.append(demo_runs.load_run(run))
        if not demo_runs.carry_out(run, loaded[-1], console, fresh=fresh):
            console.print(f"finished before, in {run.folder}", highlight=False)
    console.rule("results", align="left")
    show(work, runs, loaded, counts, console)
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    console.print(f"This start took {minutes}:{seconds:02d}.", highlight=False)


def show(
    work: Path,
    runs: "list[Run]",
    loaded: "list[Loaded]",
    counts: dict[str, int],
    console: "Console",
) -> None:
    """Measures speed, writes the page, prints the table and what to do next."""
    from chatstill.report import terminal_table
    from chatstill.report.run import write_report
    from demo_latency import latencies
    from demo_report import build_report

    with console.status("measuring latency"):
        speed = latencies(work, runs, loaded[-1].config)
    report = build_report(runs, loaded, counts, speed)
    page = write_report(report, work / "report.html")
    console.print(terminal_table(report))
    for text in (report.summary, report.settings, *report.notes):
        console.print(f"- {text}", highlight=False, markup=False)
    console.print(
        f"\nThe report, with curves and a plot:  {page}\n"
        f"The student, for transformers' from_pretrained:  {runs[-1].network}\n"
        f"With your own teacher and data: fill in {EXAMPLE}, then run\n"
        "    python run_glue.py",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def main(arguments: list[str] | None = None) -> int:
    """The exit code: 0, 2 for what the user has to change, 130 or 143 if it was stopped."""
    options = parse(arguments)
    one_device()
    try:
        from rich.console import Console

        from chatstill.cli.guard import guarded
    except ModuleNotFoundError as error:
        sys.stderr.write(f"{error.name} is missing: `make demo` sets everything up first\n")
        return 1
    return guarded(lambda: demo(options.work, Console(), fresh=options.fresh))


if __name__ == "__main__":
    raise SystemExit(main())
