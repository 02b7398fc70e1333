"""What a cell that clips costs: an ELMo's LSTM layer beside `nn.LSTM` with a projection, on one thread.

Two sizes, 1 and 32 rows of 20 words, in evaluation and with the backward pass. The best of several rounds
of each, taken in turns. Run it while nothing else runs.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import machine
from chatstill.models.networks.elmo.layers import ClippedLstm

RESULTS = Path(__file__).parent / "results"
SIZES = ((128, 1024), (512, 4096))  # P, C
ROWS, WORDS, CLIP = (1, 32), 20, 3.0


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args(arguments)


def measure(width: int, size: int, rows: int, *, training: bool, rounds: int) -> dict[str, Any]:
    """Milliseconds of both layers, the best of the rounds.

    Args:
        width: P, of inputs and outputs.
        size: C, of the memory.
        rows: Of a batch.
        training: Whether gradients are computed too.
        rounds: How often each is timed.
    """
    torch.manual_seed(0)
    ours = ClippedLstm(width, size, CLIP, CLIP)
    plain = nn.LSTM(width, size, proj_size=width, batch_first=True)
    states = torch.randn(rows, WORDS, width)
    best = {"clipped": float("inf"), "plain": float("inf")}
    for turn in range(rounds + 1):
        for name, layer in (("clipped", ours), ("plain", plain)):
            taken = timed(layer, states, training=training)
            if turn:  # the first warms up
                best[name] = min(best[name], taken)
    facts = {"P": width, "C": size, "rows": rows, "training": training}
    return {**facts, **best, "ratio": best["clipped"] / best["plain"]}


def timed(
    layer: Callable[[Tensor], tuple[Tensor, Any]], states: Tensor, *, training: bool
) -> float:
    """Milliseconds of one pass."""
    started = time.perf_counter()
    with torch.set_grad_enabled(training):
        outputs, _ = layer(states)
        if training:
            outputs.sum().backward()
    return 1000 * (time.perf_counter() - started)


def as_markdown(results: dict[str, Any]) -> str:
    """The report."""
    lines = [
        "# An ELMo's cell beside nn.LSTM",
        "",
        f"One layer and direction over {WORDS} words, milliseconds on one thread, the best of "
        f"{results['rounds']}.",
        "",
        "| P | C | rows | | clipped | nn.LSTM | ratio |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in results["cells"]:
        what = "forward and backward" if row["training"] else "forward"
        times = f"{row['clipped']:.2f} | {row['plain']:.2f} | {row['ratio']:.2f}"
        lines.append(f"| {row['P']} | {row['C']:,} | {row['rows']} | {what} | {times} |")
    return "\n".join([*lines, "", f"{machine.as_line(results['machine'])}.", ""])


def main(arguments: list[str] | None = None) -> int:
    """Measures and writes the table."""
    options = parse(arguments)
    torch.set_num_threads(1)
    cells = [
        measure(width, size, rows, training=training, rounds=options.rounds)
        for width, size in SIZES
        for rows in ROWS
        for training in (False, True)
    ]
    results = {"cells": cells, "rounds": options.rounds, "machine": machine.describe()}
    text = as_markdown(results)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "elmo_cell.json").write_text(json.dumps(results, indent=2) + "\n")
    (options.out / "elmo_cell.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
