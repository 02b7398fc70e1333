"""A small Chinese masked language model, for benchmarks that need one: none can be installed as a package.

A BERT of 4 layers, 256 wide, random at first, learns masked tokens on titles of news (THUCNews, TNEWS
without labels), the texts of LCQMC, AFQMC and of KdConv's dialogues (training files alone) and a sample of
Chinese Wikipedia; every twentieth document is held out. One chatstill run, which goes on when it is started
again; the network is ``WORK/run/student``.

    python benchmarks/chinese_masked_lm.py --work work/chinese_masked_lm --data ../shared/data
"""

import argparse
import json
from pathlib import Path

import glue_cells
import small_chinese

SOURCES: dict[str, tuple[int | str, ...]] = {  # file, and its columns or keys of texts; none: lines
    "thucnews_titles/train.txt": (0,),
    "tnews_few/unlabeled.json": ("sentence",),
    "lcqmc/train.txt": (0, 1),
    "afqmc/train.txt": (0, 1),
    "kdconv/chat/train.data.txt": (0, 1),
    "text_zh/cn_wiki_sample.txt": (),
}
PER_DOCUMENT = 20  # texts
LENGTH, BATCH = 64, 64
RATE = 5e-4  # nothing was learnt before


def documents(data: Path) -> list[str]:
    """Texts of all sources, each once, twenty a document."""
    seen: dict[str, None] = {}
    found = []
    for name, columns in SOURCES.items():
        fresh: dict[str, None] = {}
        for line in (data / name).read_text("utf-8-sig").split("\n"):
            for text in _texts(line, columns):
                if len(text.strip()) > 3 and text.strip() not in seen:
                    fresh[text.strip()] = None
        seen |= fresh
        texts = list(fresh)
        found += [
            "\n".join(texts[at : at + PER_DOCUMENT]) for at in range(0, len(texts), PER_DOCUMENT)
        ]
    return found


def _texts(line: str, columns: tuple[int | str, ...]) -> list[str]:
    """The texts of a line: of some columns, of some keys, or the line itself."""
    if not columns:
        return [line]
    if not line:
        return []
    fields = json.loads(line) if isinstance(columns[0], str) else dict(enumerate(line.split("\t")))
    return [fields[at] for at in columns if at in fields]


def write(data: Path, folder: Path) -> list[str]:
    """``train.txt`` and ``dev.txt``; returns all texts of train."""
    parts: dict[str, list[str]] = {"train.txt": [], "dev.txt": []}
    for number, document in enumerate(documents(data)):
        parts["train.txt" if number % 20 else "dev.txt"].append(document)
    folder.mkdir(parents=True, exist_ok=True)
    for name, texts in parts.items():
        (folder / name).write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return [text for document in parts["train.txt"] for text in document.split("\n")]


def main(arguments: list[str] | None = None) -> int:
    """Trains it; the run's exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--work", type=Path, default=Path(__file__).parent / "work/chinese_masked_lm"
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--threads", type=int, help="threads of the run; default: torch's own")
    options = parser.parse_args(arguments)
    work = options.work.resolve()
    texts = write(options.data, work / "data" / "corpus")
    start = small_chinese.build(work / "start", texts)
    config = {
        "model_type": "MaskedLM",
        "masked_lm": {},
        "task_name": "corpus",
        "data_dir": str(work / "data"),
        "output_dir": str(work / "run"),
        "pretrained_architectures": {"model_name_or_path": str(start)},
        "max_seq_length": LENGTH,
        "per_gpu_train_batch_size": BATCH,
        "max_steps": options.steps,
        "eval_steps": max(1, options.steps // 5),
        "learning_rate": RATE,
        "bf16": True,
        "seed": 1,
    }
    cell = glue_cells.Cell("corpus", "chinese masked lm", 1, "distill", config, work / "run")
    return glue_cells.run_cell(cell, options.threads)


if __name__ == "__main__":
    raise SystemExit(main())
