"""Where the seconds before the first step go: `chatstill teach` of `end_to_end.py`, stage by stage.

Run it while nothing else runs. Each round is a fresh process that ends after its first optimizer step.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import end_to_end
import machine

RESULTS = Path(__file__).parent / "results"
STAGES = (
    "python, libraries, the configuration",
    "networks and tokenizer",
    "checks and plan: rows looked through, a few steps timed",
    "run folder, rows tokenised",
    "training set up, first step",
)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/glue"), help="GLUE folder"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--child", type=float, help=argparse.SUPPRESS)  # when the process began
    options = parser.parse_args(arguments)
    options.data = options.data.resolve()
    return options


def child(began: float) -> None:
    """One run in this process up to its first step: notes the seconds at which each stage was over."""
    ends: list[float] = []

    def over() -> None:
        ends.append(time.time() - began)

    def around(module: Any, name: str, *, before: bool = False) -> None:
        inner: Callable[..., Any] = getattr(module, name)

        def watched(*args: Any, **keys: Any) -> Any:
            if before:
                over()
            found = inner(*args, **keys)
            if not before or name == "examined_job":
                over()
            return found

        setattr(module, name, watched)

    from chatstill import cli
    from chatstill.run import run, task_level

    around(run, "examined_job", before=True)
    around(run, "_print_plan")
    around(task_level, "prepare")
    from chatstill.train.flow import FlowCallback

    def first(*_: Any, **__: Any) -> None:
        over()
        sys.stdout.flush()
        Path("stages.json").write_text(json.dumps(ends), encoding="utf-8")
        os._exit(0)

    FlowCallback.on_step_end = first  # type: ignore[method-assign,assignment]
    raise SystemExit(cli.main(["teach", "my.json"]))


def timed(data: Path) -> list[float]:
    """Seconds of each stage, in a process of its own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        end_to_end.command("chatstill", data, 1, folder)  # writes the configuration
        words = [sys.executable, str(Path(__file__).resolve()), "--data", str(data)]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            [*words, "--child", str(time.time())],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if not (folder / "stages.json").is_file():
            raise SystemExit(f"it failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        ends = json.loads((folder / "stages.json").read_text(encoding="utf-8"))
    assert len(ends) == len(STAGES), ends
    return [end - start for start, end in zip([0.0, *ends], ends, strict=False)]


def as_markdown(results: dict[str, Any]) -> str:
    """The table: medians over the rounds."""
    rounds = results["rounds"]
    lines = [
        "# Before the first step",
        "",
        f"`chatstill teach`, three layers of MiniLM, MRPC; medians of {len(rounds)} rounds, seconds.",
        "",
        "| stage | seconds |",
        "|---|---:|",
    ]
    for number, stage in enumerate(STAGES):
        lines.append(f"| {stage} | {statistics.median(one[number] for one in rounds):.1f} |")
    lines.append(f"| in all | {statistics.median(map(sum, rounds)):.1f} |")
    return "\n".join([*lines, "", f"{machine.as_line(results['machine'])}.", ""])


def main(arguments: list[str] | None = None) -> None:
    """Measures and writes both files."""
    options = parse(arguments)
    if options.child is not None:
        child(options.child)
    rounds = [timed(options.data) for _ in range(options.rounds)]
    results = {"rounds": rounds, "machine": machine.describe()}
    options.out.mkdir(parents=True, exist_ok=True)
    text = as_markdown(results)
    (options.out / "start_up.json").write_text(
        json.dumps(results, indent=2) + "\n", encoding="utf-8"
    )
    (options.out / "start_up.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
