"""What a finished network costs: parameters, megabytes, milliseconds of a row, rows a second.

On one thread where the benchmark was started with ``--threads 1``. Measured once and kept beside the run, so
start it while nothing else runs. Times are those of torch, as a user has them who loads the network's folder.
"""

import json
import statistics
import time
from pathlib import Path
from typing import Any

import kept_cells
import machine

TIMED = 200  # single rows
WARM_UP = 10
BATCH = 64
MOST_ROWS = 2048  # in batches


def costs(run: Path, network: Path, rows: Path, max_length: int) -> dict[str, Any]:
    """What is kept of a network, measured where that is not whole and the network is there.

    Args:
        run: The run's folder, where the figures are kept.
        network: The network's folder.
        rows: JSON lines of test rows, with ``text`` and of pairs ``other``.
        max_length: In tokens.

    Returns:
        ``megabytes`` of the folder, ``parameters``, ``ms`` of one row (making its ids, the network, and the
        device), ``rows a second`` in batches of `BATCH`, ids and network together.
    """
    file = run / kept_cells.COSTS
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if "parameters" in found or (found and not kept_cells.network_is_there(run)):
        return dict(found)
    from chatstill.evaluate.speed import size_megabytes

    model, tokenizer = _loaded(network)
    lines = rows.read_text(encoding="utf-8").splitlines()[:MOST_ROWS]
    texts = [
        [row[key] for key in ("text", "other") if key in row] for row in map(json.loads, lines)
    ]
    found = {
        "megabytes": size_megabytes(network),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "ms": {**latency(model, tokenizer, texts, max_length), "device": machine.processor_name()},
        "rows a second": throughput(model, tokenizer, texts, max_length),
    }
    file.write_text(json.dumps(found) + "\n", encoding="utf-8")
    return found


def _loaded(network: Path) -> tuple[Any, Any]:
    from chatstill.config.schema import Architecture
    from chatstill.models.custom import register_networks
    from chatstill.models.load import load_classifier
    from chatstill.text.tokenizers import resolve_tokenizer

    register_networks()
    block = Architecture(model_name_or_path=str(network))
    how: dict[str, Any] = {"num_labels": None, "label_names": None, "problem": "classification"}
    model = load_classifier(block, role="teacher", **how).model.eval()
    return model, resolve_tokenizer(None, str(network), None)


def latency(
    model: Any, tokenizer: Any, texts: list[list[str]], max_length: int
) -> dict[str, float]:
    """Milliseconds of one row, the median over test rows: making ids, and the network."""
    import torch

    texts = texts[:TIMED]
    times: dict[str, list[float]] = {"ids": [], "network": []}
    with torch.no_grad():
        for turn, row in enumerate([*texts[:WARM_UP], *texts]):
            started = time.perf_counter()
            batch = tokenizer(*row, truncation=True, max_length=max_length, return_tensors="pt")
            ready = time.perf_counter()
            model(**batch)
            done = time.perf_counter()
            if turn >= WARM_UP:
                times["ids"].append(1000 * (ready - started))
                times["network"].append(1000 * (done - ready))
    return {key: statistics.median(values) for key, values in times.items()}


def throughput(model: Any, tokenizer: Any, texts: list[list[str]], max_length: int) -> float:
    """Rows a second in batches of rows in their own order, from texts to logits; padded to the batch."""
    import torch

    batches = [texts[at : at + BATCH] for at in range(0, len(texts), BATCH)]
    with torch.no_grad():
        for turn, rows in enumerate([batches[0], *batches]):
            if turn == 1:  # the first batch warms it up
                started = time.perf_counter()
            columns = [list(column) for column in zip(*rows, strict=True)]
            model(
                **tokenizer(
                    *columns,
                    padding=True,
                    truncation=True,
                    max_length=max_length,
                    return_tensors="pt",
                )
            )
    return len(texts) / (time.perf_counter() - started)
