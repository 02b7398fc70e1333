"""The cells of `masked_lm.py`: chatstill runs in processes of their own, watched while they train."""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plain_vocabulary
from minilm import model_folder

BODIES = {"head": "frozen, the head alone", "all": "trained"}
LOSSES = {"chunked": "chunks of masked positions", "plain": "all scores at once"}
FILES = {"train": "wikitext-2.valid.txt", "dev": "wikitext-2.test.txt"}
LENGTH, BATCH = 128, 16
RATE = {"head": 1e-3, "all": 2e-4}
UNTIMED = 2  # steps at the start
POLL = 0.05
METHOD = {"model_type": "plain-vocabulary", "method": "plain_vocabulary", "description": "Plain."}


@dataclass(frozen=True)
class Cell:
    """One run.

    Attributes:
        body: Key of ``BODIES``.
        loss: Key of ``LOSSES``.
        steps: Optimizer steps.
        config: The run's keys but for its folder.
        folder: For the run; its figures lie beside.
    """

    body: str
    loss: str
    steps: int
    config: dict[str, Any]
    folder: Path

    @property
    def figures(self) -> Path:
        """What was measured."""
        return self.folder.with_suffix(".json")

    @property
    def name(self) -> str:
        """As in ``head chunked``."""
        return f"{self.body} {self.loss}"


def plan(options: argparse.Namespace) -> list[Cell]:
    """All cells; those of a frozen body, which are the quickest, first."""
    return [_cell(options, body, loss) for body in BODIES for loss in LOSSES]


def _cell(options: argparse.Namespace, body: str, loss: str) -> Cell:
    steps = options.steps if loss == "chunked" else min(options.steps, options.plain_steps)
    config: dict[str, Any] = {
        "model_type": "MaskedLM",
        "task_name": "corpus",
        "pretrained_architectures": {"model_name_or_path": str(model_folder())},
        "masked_lm": {"train": body},
        "max_seq_length": LENGTH,
        "per_gpu_train_batch_size": BATCH,
        "max_steps": steps,
        "learning_rate": RATE[body],
        "keep": "last",
        "eval_steps": 10**9,
        "logging_steps": 1,
        "seed": 1,
    }
    if loss == "plain":
        del config["model_type"]
        config["plugins"] = [str(plain_vocabulary.__file__)]
        config["configuration_file"] = "method.json"
    told = json.dumps([config, options.dev_lines, options.threads], sort_keys=True)
    digest = hashlib.sha256(
        told.replace(str(model_folder()), "MINILM")
        .replace(str(Path(plain_vocabulary.__file__).parent), "HERE")
        .encode()
    ).hexdigest()[:8]
    return Cell(body, loss, steps, config, options.work / f"{body}-{loss}-{digest}")


def write_data(options: argparse.Namespace) -> Path:
    """The corpus, dev cut to its first lines; the folder of it."""
    folder: Path = options.work / "data"
    folder.mkdir(parents=True, exist_ok=True)
    for split, name in FILES.items():
        lines = (options.data / name).read_text(encoding="utf-8").split("\n")
        kept = lines[: options.dev_lines] if split == "dev" else lines
        (folder / f"{split}.txt").write_text("\n".join(kept) + "\n", encoding="utf-8")
    return folder


def run(cell: Cell, data: Path, threads: int | None) -> dict[str, Any]:
    """Runs a cell from nothing; its figures, from a file where it was run before."""
    if cell.figures.is_file():
        found: dict[str, Any] = json.loads(cell.figures.read_text(encoding="utf-8"))
        return found
    cell.folder.mkdir(parents=True, exist_ok=True)
    (cell.folder / "method.json").write_text(json.dumps(METHOD), encoding="utf-8")
    output = cell.folder / "out"
    config = {**cell.config, "data_dir": str(data), "output_dir": str(output)}
    if "configuration_file" in config:
        config["configuration_file"] = str(cell.folder / "method.json")
    (cell.folder / "run.json").write_text(json.dumps(config), encoding="utf-8")
    seen = _watched(cell, output, threads)
    metrics = json.loads((output / "metrics.json").read_text(encoding="utf-8"))
    tokens = metrics["training"]["tokens"] / metrics["training"]["rows"] * BATCH
    figures = {
        "body": cell.body,
        "loss": cell.loss,
        "steps": cell.steps,
        "tokens_per_second": tokens / seen["seconds_a_step"],
        "peak_bytes": seen["peak"],
        "masked_acc": metrics["dev"]["metrics"]["masked_acc"],
        "dev_loss": metrics["dev"]["value"],
        "seconds": seen["seconds"],
    }
    cell.figures.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return figures


def _watched(cell: Cell, output: Path, threads: int | None) -> dict[str, float]:
    """Runs the cell's process; seconds of a step and peak memory while it trained."""
    command = [sys.executable, "-m", "chatstill", "distill", str(cell.folder / "run.json")]
    command.append("--fresh")
    env = dict(os.environ)
    if threads is not None:
        env["OMP_NUM_THREADS"] = str(threads)
    started, times, peak = time.perf_counter(), dict[int, float](), 0
    with open(cell.folder / "run.log", "wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log)
        while process.poll() is None:
            step = _last_step(output / "history.jsonl")
            if step and step not in times:
                times[step] = time.perf_counter()
                peak = max(peak, _peak_of(process.pid))
            time.sleep(POLL)
    if process.returncode:
        raise SystemExit(f"{cell.name} failed: see {cell.folder / 'run.log'}")
    first, last = (min(step for step in times if step > UNTIMED), max(times))
    return {
        "seconds_a_step": (times[last] - times[first]) / (last - first),
        "peak": peak,
        "seconds": time.perf_counter() - started,
    }


def _last_step(history: Path) -> int:
    """The last step that was recorded; 0 where nothing was."""
    try:
        lines = history.read_text(encoding="utf-8").splitlines()
        return int(json.loads(lines[-1])["step"]) if lines else 0
    except (OSError, ValueError):  # not there yet, or a line half written
        return 0


def _peak_of(pid: int) -> int:
    """Linux keeps the highest resident size of a process, in kB."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:  # it ends
        return 0
    sizes = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(sizes[0]) * 1024 if sizes else 0
