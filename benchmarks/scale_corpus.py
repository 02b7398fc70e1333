"""A masked-LM run on a made-up corpus of any size: preparing, first step, memory of the process, going on.

Twice: on an eighth of the corpus and on all of it. What the process holds itself should be the same.
"""

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

import machine
import scale_data
import scale_runs

LENGTH = 128
LINE, DOCUMENT = (20, 120), (3, 40)  # characters of a line, lines of a document
PER_BLOCK = 20_000  # lines that are made at a time
SMALLER = 8
STEPS = 40  # before the interruption


def write(path: Path, size: int, seed: int = 0) -> int:
    """Lines of Chinese characters, drawn with Zipf's law, until the file has ``size`` bytes; its size."""
    generator = np.random.default_rng(seed)
    signs = np.array(scale_data.CHARACTERS)
    weights = 1 / np.arange(1, len(signs) + 1)
    steps = np.cumsum(weights / weights.sum())
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with open(path, "wb") as file:
        while written < size:
            lengths = generator.integers(*LINE, PER_BLOCK)
            drawn = np.searchsorted(steps, generator.random(int(lengths.sum())))
            text = "".join(signs[np.minimum(drawn, len(signs) - 1)].tolist())
            ends = np.cumsum(lengths).tolist()
            breaks = set(np.cumsum(generator.integers(*DOCUMENT, PER_BLOCK)).tolist())
            lines = [
                text[end - length : end] + ("\n\n" if number in breaks else "\n")
                for number, (end, length) in enumerate(zip(ends, lengths.tolist(), strict=True))
            ]
            data = "".join(lines).encode()
            file.write(data)
            written += len(data)
    return written


def write_network(folder: Path) -> None:
    """A BERT of two layers, 16 wide, with a masked-LM head and the characters as its vocabulary."""
    from transformers import BertConfig, BertForMaskedLM, BertTokenizer

    vocabulary = [*scale_data.SPECIAL, *scale_data.CHARACTERS]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=LENGTH,
    )
    BertForMaskedLM(config).save_pretrained(folder)
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)


def run(work: Path, size: int) -> dict[str, Any]:
    """A run from nothing, interrupted inside the epoch, and started again."""
    place = work / f"corpus-{size}"
    shutil.rmtree(place, ignore_errors=True)
    written = write(place / "data" / "train.txt", size)
    write(place / "data" / "dev.txt", 200_000, seed=1)
    write_network(place / "network")
    output, config = place / "out", place / "run.json"
    values = {
        "model_type": "MaskedLM",
        "task_name": "corpus",
        "data_dir": str(place / "data"),
        "output_dir": str(output),
        "pretrained_architectures": {"model_name_or_path": str(place / "network")},
        "max_seq_length": LENGTH,
        "per_gpu_train_batch_size": 32,
        "num_train_epochs": 1,
        "logging_steps": 1,
        "eval_steps": 10**9,
    }
    config.write_text(json.dumps(values), encoding="utf-8")
    with scale_runs.Watched(1, config) as first:
        to_first = first.wait_for(output / "history.jsonl", 1)
        first.wait_for(output / "history.jsonl", STEPS)
    done = scale_runs.last_step(output / "history.jsonl")
    with scale_runs.Watched(1, config) as second:
        resume = second.wait_for(output / "history.jsonl", done + 1)
    prepared = sum(file.stat().st_size for file in (output / "cache").rglob("*.bin"))
    offsets = max(file.stat().st_size for file in (output / "cache").rglob("offsets.bin"))
    shutil.rmtree(place)
    return {
        "bytes": written,
        "blocks": offsets // 8 - 1,
        "prepared_bytes": prepared,
        "first_step": to_first,
        "own_peak": max(first.own_peaks()),
        "peak": max(first.peaks()),
        "stopped_after": done,
        "resume": resume,
        "own_peak_again": max(second.own_peaks()),
    }


def as_markdown(runs: list[dict[str, Any]], facts: dict[str, str]) -> str:
    """The report."""
    lines = [
        f"# Masked language modelling on a corpus of {runs[-1]['bytes'] / 1e6:,.0f} MB",
        "",
        f"A network of next to no size, blocks of {LENGTH} tokens, one process. First step: from the command "
        "to the end of the first optimizer step, tokenising and the plan included. Own memory: highest "
        "resident size without pages of files, python and libraries included. Going on: in the middle of an "
        "epoch.",
        "",
        "| corpus, MB | blocks | prepared, MB | first step, s | own memory, MiB | with pages of files, MiB "
        "| going on, s | own memory then, MiB |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in runs:
        own, whole, again = (one[key] / 2**20 for key in ("own_peak", "peak", "own_peak_again"))
        lines.append(
            f"| {one['bytes'] / 1e6:,.0f} | {one['blocks']:,} | {one['prepared_bytes'] / 1e6:,.0f} "
            f"| {one['first_step']:.0f} | {own:,.0f} | {whole:,.0f} | {one['resume']:.1f} | {again:,.0f} |"
        )
    return "\n".join([*lines, "", f"{machine.as_line(facts)}.", ""])


def main(options: argparse.Namespace) -> None:
    """Measures and writes both files."""
    runs = []
    for size in (options.corpus_bytes // SMALLER, options.corpus_bytes):
        started = time.time()
        runs.append(run(options.work, size))
        print(json.dumps({**runs[-1], "seconds": time.time() - started}), flush=True)
    facts = machine.describe()
    options.out.mkdir(parents=True, exist_ok=True)
    text = as_markdown(runs, facts)
    (options.out / "scale_corpus.json").write_text(
        json.dumps({"runs": runs, "machine": facts}, indent=2) + "\n", encoding="utf-8"
    )
    (options.out / "scale_corpus.md").write_text(text, encoding="utf-8")
    print(text)
