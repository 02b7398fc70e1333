"""Milliseconds of the demo's networks on real rows, measured once in turns and kept in a file."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from chatstill.config.schema import RunConfig
from demo_runs import Run

BATCHES = {1: 100, 32: 20}  # rows at a time: passes


def latencies(work: Path, runs: Sequence[Run], config: RunConfig) -> dict[str, Any]:
    """Medians of every run's network, measured if those in the folder are of other networks.

    Returns:
        ``ms`` (run folder's name -> ``batch 1`` -> milliseconds), ``length`` (median length of the
        padded batches), ``device`` and ``threads``.
    """
    file = work / "latency.json"
    made_by = {run.folder.name: _finished(run) for run in runs}
    if file.is_file():
        known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if known["networks"] == made_by:
            return known
    found = {"networks": made_by, **measure(runs, config)}
    staging = file.with_name(".latency.json.new")
    staging.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    os.replace(staging, file)
    return found


def measure(runs: Sequence[Run], config: RunConfig) -> dict[str, Any]:
    """Times all networks in turns on rows of the dev set, padded to the longest of a batch."""
    import torch

    from chatstill.data.splits import lengths_of
    from chatstill.data.views import prepare_view
    from chatstill.evaluate.score_file import open_model
    from chatstill.evaluate.speed import measure_models
    from chatstill.readers.reader import reader_for
    from chatstill.readers.word_pieces import RowEncoder
    from chatstill.tasks import get_task

    task, data = get_task(config.task_name), Path(config.data_dir)
    path = task.find("dev", data)
    assert path is not None
    networks, readers = {}, {}
    for run in runs:
        networks[run.folder.name], tokenizer, match, *_ = open_model(run.network, config)
        readers[run.folder.name] = reader_for(networks[run.folder.name], tokenizer, match)
    rows = task.read(path, "dev")
    with TemporaryDirectory(prefix="chatstill-") as cache:
        view = prepare_view(
            rows,
            RowEncoder(tokenizer, lengths_of(config)),
            Path(cache),
            source_fingerprint=str(path),
        )
        found: dict[str, Any] = {"ms": {name: {} for name in networks}, "length": {}}
        order = np.random.default_rng(0).permutation(len(view))  # neighbours share their query
        for size, passes in BATCHES.items():
            chosen = [order[start : start + size] for start in range(0, size * passes, size)]
            chosen = [part for part in chosen if len(part) == size]
            batches = {
                name: [reader.batch_of(view, part) for part in chosen]
                for name, reader in readers.items()
            }
            for name, latency in measure_models(networks, batches, repeats=passes).items():
                found["ms"][name][f"batch {size}"] = latency.median_ms
            found["length"][f"batch {size}"] = latency.length
        found |= {"device": latency.device, "threads": torch.get_num_threads()}
    return found


def _finished(run: Run) -> str:
    metrics = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
    return str(metrics["finished"])
