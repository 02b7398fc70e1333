"""Speed and memory of the runs on a corpus: a few steps of each, alone on the machine.

`pretraining_distillation.py --costs` measures what was not measured yet, so start it while nothing else runs.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import glue_cells
import kept_cells
import machine
import pretraining_cells as cells

STEPS = 40


def measure(options: argparse.Namespace) -> None:
    """Tokens a second and peak memory of each run on the corpus, once; beside its figures."""
    for cell in cells.plan(options):
        file = cell.folder / kept_cells.COSTS
        if not cell.on_corpus or not cell.config or file.is_file() or not cell.figures.is_file():
            continue
        print(f"== costs of {cell.name}", flush=True)
        found = _of(cell, options.work / "costs", options.threads)
        file.write_text(json.dumps(found) + "\n", encoding="utf-8")


def _of(cell: cells.Cell, folder: Path, threads: int | None) -> dict[str, Any]:
    """Of a run of some steps in a folder of its own, without dev."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config = {
        **cell.config,
        "max_steps": STEPS,
        "do_eval": False,
        "output_dir": str(folder / "run"),
    }
    path = folder / "run.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    words = [sys.executable, "-m", "chatstill", cell.verb, str(path)]
    process = subprocess.Popen(words, env=glue_cells.environment(threads))
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{cell.name}: exit code {process.returncode}")
    training = json.loads((folder / "run" / "metrics.json").read_text("utf-8"))["training"]
    shutil.rmtree(folder)
    tokens = STEPS * config["per_gpu_train_batch_size"] * training["tokens"] / training["rows"]
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "tokens_per_second": tokens / training["seconds"],
        "peak_bytes": used.ru_maxrss * unit,
        "threads": threads or os.cpu_count(),
        "device": machine.processor_name(),
    }
