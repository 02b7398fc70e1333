"""The corpus of `pretraining_distillation.py`: WikiText-2 and the texts of five English sets."""

from collections.abc import Iterable
from pathlib import Path

PER_DOCUMENT = 24  # texts
# File, and columns of its rows; none: a text a line.
SOURCES: dict[str, tuple[str, tuple[int, ...]]] = {
    "WikiText-2, valid": ("text_en/wikitext-2.valid.txt", ()),
    "WikiText-2, test": ("text_en/wikitext-2.test.txt", ()),
    "SST-2": ("glue/SST-2/train.tsv", (0,)),
    "QNLI": ("glue/QNLI/dev.tsv", (1, 2)),
    "MRPC": ("glue/MRPC/train.tsv", (3, 4)),
    "RTE": ("glue/RTE/train.tsv", (1, 2)),
    "WikiQA": ("wikiqa/chat/train.data.txt", (0, 1)),
}
HELD_OUT = ("WikiText-2, valid", "WikiText-2, test", "QNLI", "WikiQA")


def write(data: Path, folder: Path) -> None:
    """``corpus/train.txt`` and ``dev.txt``: each text once, some texts of a source a document.

    Held out are documents of WikiText-2, QNLI and WikiQA alone: SST-2 has parts of a sentence as rows of
    their own, and MRPC and RTE say a sentence twice, so a text held out there would stand in training too.

    Args:
        data: The folder of the public sets.
        folder: To write to.
    """
    if (folder / "dev.txt").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    parts: dict[str, list[str]] = {"train.txt": [], "dev.txt": []}
    seen: set[str] = set()
    for source in SOURCES:
        texts = [text for text in dict.fromkeys(_texts(data, source)) if text not in seen]
        seen.update(texts)
        for number, start in enumerate(range(0, len(texts), PER_DOCUMENT)):
            held = source in HELD_OUT and number % 20 == 0
            document = "\n".join(texts[start : start + PER_DOCUMENT])
            parts["dev.txt" if held else "train.txt"].append(document)
    for name, documents in parts.items():
        (folder / name).write_text("\n\n".join(documents) + "\n", encoding="utf-8")


def _texts(data: Path, source: str) -> Iterable[str]:
    """The texts of a source, of more than three words."""
    file, columns = SOURCES[source]
    for number, line in enumerate((data / file).read_text("utf-8-sig").split("\n")):
        if not columns:
            texts = [] if line.strip().startswith("=") else [line]
        else:
            fields = line.split("\t") if number or source == "WikiQA" else []
            texts = [fields[column] for column in columns if column < len(fields)]
        yield from (text.strip() for text in texts if len(text.split()) > 3)
