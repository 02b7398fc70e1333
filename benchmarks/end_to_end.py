"""A whole run, from the command to the saved network, beside a plain script and transformers' Trainer.

Three layers of MiniLM fine-tuned on MRPC, batch 32, float32: `chatstill teach` (start-up, pre-flight,
preparing, evaluation every epoch, report) against `plain_script.py`, a loop of its own and one with the
Trainer. Two figures each: seconds to the first step, and seconds in all. Run it while nothing else runs.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import Any

import machine
from minilm import model_folder

RESULTS = Path(__file__).parent / "results"
ARMS = ("chatstill", "loop", "trainer")
TITLES = {
    "chatstill": "`chatstill teach`",
    "loop": "plain script, its own loop",
    "trainer": "plain script, Trainer",
}
LAYERS = 3
FIRST = re.compile(r"first step\b|^fine-tuning 1/")  # what each prints at its first step


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/glue"), help="GLUE folder"
    )
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    options.data = options.data.resolve()
    if not (options.data / "MRPC" / "train.tsv").is_file():
        raise SystemExit(
            f"{options.data}/MRPC/train.tsv is missing: name GLUE's folder with --data"
        )
    return options


def command(arm: str, data: Path, epochs: int, folder: Path) -> list[str]:
    """What a person would type."""
    model = str(model_folder())
    if arm != "chatstill":
        script = str(Path(__file__).with_name("plain_script.py").resolve())
        return [sys.executable, script, model, str(data), str(LAYERS), str(epochs), arm]
    config = {
        "task_name": "mrpc",
        "data_dir": str(data),
        "output_dir": "run",
        "teacher_architectures": {"model_name_or_path": model, "num_hidden_layers": LAYERS},
        "num_train_epochs": epochs,
        "learning_rate": 1e-4,
        "keep": "last",
        "logging_steps": 1,
    }
    (folder / "my.json").write_text(json.dumps(config), encoding="utf-8")
    return [sys.executable, "-m", "chatstill", "teach", "my.json"]


def timed(arm: str, data: Path, epochs: int) -> dict[str, float]:
    """Seconds to the first step, and in all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = command(arm, data, epochs, folder)
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1"}
        began = time.monotonic()
        process = subprocess.Popen(
            words, cwd=folder, env=environment, text=True, stdout=PIPE, stderr=STDOUT
        )
        assert process.stdout is not None
        first, seen = 0.0, []
        for line in process.stdout:
            seen.append(line)
            if not first and FIRST.search(line):
                first = time.monotonic() - began
        code, total = process.wait(), time.monotonic() - began
        if code or not first:
            raise SystemExit(f"{arm} failed:\n{''.join(seen[-40:])}")
        return {"first": first, "total": total}


def as_markdown(results: dict[str, Any]) -> str:
    """The table: medians over the rounds, and ratios to the stronger rival."""
    lines = [
        "# A whole run, end to end",
        "",
        "Three layers of MiniLM, MRPC (3,668 rows), batch 32, float32; medians, seconds. *To the first "
        "step*: from the command on. `chatstill teach` also looks through data and network beforehand, "
        "scores dev after every epoch, and writes figures, predictions, report and card.",
        "",
        "| epochs | | to the first step | in all | against the quicker script |",
        "|---|---|---|---|---|",
    ]
    for epochs, arms in results["epochs"].items():
        medians = {
            arm: {k: statistics.median(r[k] for r in rounds) for k in ("first", "total")}
            for arm, rounds in arms.items()
        }
        best = min(medians[arm]["total"] for arm in ("loop", "trainer"))
        for arm in ARMS:
            own = medians[arm]
            ratio = f"{own['total'] / best:.2f}"
            lines.append(
                f"| {epochs} | {TITLES[arm]} | {own['first']:.1f} | {own['total']:.1f} | {ratio} |"
            )
    return "\n".join([*lines, "", f"{machine.as_line(results['machine'])}.", ""])


def main(arguments: list[str] | None = None) -> int:
    """Times all arms in turn, round by round."""
    options = parse(arguments)
    found: dict[int, dict[str, list[dict[str, float]]]] = {}
    for epochs in options.epochs:
        found[epochs] = {arm: [] for arm in ARMS}
        for number in range(options.rounds):
            for arm in ARMS:
                took = timed(arm, options.data, epochs)
                found[epochs][arm].append(took)
                print(f"{epochs} epochs, round {number + 1}, {arm}: {took}", flush=True)
    results = {"epochs": found, "machine": machine.describe()}
    options.out.mkdir(parents=True, exist_ok=True)
    text = as_markdown(results)
    words = json.dumps(results, indent=2) + "\n"
    (options.out / "end_to_end.json").write_text(words, encoding="utf-8")
    (options.out / "end_to_end.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
