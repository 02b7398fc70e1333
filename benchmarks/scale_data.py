"""Millions of chat rows in Chinese characters, and networks of next to no size."""

from pathlib import Path
from typing import Any

import numpy as np

CHARACTERS = [chr(0x4E00 + number) for number in range(6000)]
REPLIES = 4  # of each query, the first of them right
PER_BLOCK = 50_000
DEV_ROWS = 2000
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def train_file(work: Path) -> Path:
    """Where the rows lie."""
    return work / "data" / "chat" / "train.data.txt"


def write(work: Path, num_rows: int) -> None:
    """Writes data and teacher, if they are not there."""
    train_file(work).parent.mkdir(parents=True, exist_ok=True)
    marker = work / f"rows-{num_rows}"
    if not marker.is_file():
        write_rows(train_file(work), num_rows, seed=0)
        write_rows(train_file(work).with_name("dev.data.txt"), DEV_ROWS, seed=1)
        write_teacher(work / "teacher")
        for old in work.glob("rows-*"):
            old.unlink()
        marker.touch()


def write_rows(path: Path, num_rows: int, seed: int) -> None:
    """``query TAB reply TAB label``; texts of 6 to 24 characters."""
    generator = np.random.default_rng(seed)
    signs = np.array(CHARACTERS)
    weights = 1 / np.arange(1, len(signs) + 1)
    steps = np.cumsum(weights / weights.sum())
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for start in range(0, num_rows, PER_BLOCK):
            rows = min(PER_BLOCK, num_rows - start)
            queries = -(-rows // REPLIES)
            lengths = generator.integers(6, 25, rows + queries)
            drawn = np.searchsorted(steps, generator.random(int(lengths.sum())))
            text = "".join(signs[np.minimum(drawn, len(signs) - 1)].tolist())
            ends = np.cumsum(lengths).tolist()
            texts = [
                text[end - size : end] for end, size in zip(ends, lengths.tolist(), strict=True)
            ]
            file.writelines(
                f"{texts[rows + row // REPLIES]}\t{texts[row]}\t{int(row % REPLIES == 0)}\n"
                for row in range(rows)
            )


def write_teacher(folder: Path) -> None:
    """A BERT of two layers, 16 wide, with the characters as its vocabulary."""
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizer

    vocabulary = [*SPECIAL, *CHARACTERS]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)


def settings(work: Path, output: Path, batch: int, logging_steps: int = 1) -> dict[str, Any]:
    """The configuration of a run on these rows."""
    return {
        "model_type": "theseus",
        "task_name": "chat",
        "data_dir": str(work / "data"),
        "output_dir": str(output),
        "cache_dir": str(output.parent / "cache"),
        "teacher_architectures": {"model_name_or_path": str(work / "teacher")},
        "theseus_scheduler": {"scheduler_type": "linear", "scheduler_linear_k": "auto"},
        "allow_weak_teacher": True,
        "max_seq_length": 64,
        "per_gpu_train_batch_size": batch,
        "num_train_epochs": 1,
        "logging_steps": logging_steps,
        "eval_steps": 10**9,
    }
