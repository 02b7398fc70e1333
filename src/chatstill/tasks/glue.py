"""GLUE as one table: where each task's texts stand, how labels are written, what counts."""

from dataclasses import dataclass
from typing import Literal

from .base import Labels, Split

YES_NO = ("0", "1")
FILES: dict[Split, str] = {split: f"{split}.tsv" for split in ("train", "dev", "test")}


@dataclass(frozen=True)
class Layout:
    """Columns of one kind of file, counted from 0.

    Attributes:
        columns: Their names; the header line in lower case if there is one.
        text_a: Column of the first text.
        text_b: Column of the second text, None if there is one text.
        label: Column of the label, None in files without labels.
        header: Whether the first line holds the names.
    """

    columns: tuple[str, ...]
    text_a: int
    text_b: int | None = None
    label: int | None = None
    header: bool = True


@dataclass(frozen=True)
class GlueRow:
    """One task of the table.

    Attributes:
        name: Normalised name.
        folder: Name of its folder.
        labels: Its label space.
        words: How the files write each class; empty for regression.
        layouts: Kinds of files, those with labels first.
        metrics: Keys of the official results.
        main_metric: The one that selection uses.
        bounds: Lowest and highest score of a regression.
    """

    name: str
    folder: str
    labels: Labels
    words: tuple[str, ...]
    layouts: tuple[Layout, ...]
    metrics: tuple[str, ...]
    main_metric: str
    bounds: tuple[float, float] = (0.0, 0.0)


def classes(*names: tuple[str, ...]) -> Labels:
    """Classes in index order: the name of each, then further names for it."""
    kind: Literal["classification"] = "classification"
    return Labels(kind, tuple(name[0] for name in names), tuple(name[1:] for name in names))


_MRPC = ("#1 id", "#2 id", "#1 string", "#2 string")
_STSB = (
    *("index", "genre", "filename", "year", "old_index", "source1", "source2"),
    *("sentence1", "sentence2"),
)
_PAIR = ("index", "sentence1", "sentence2")

TABLE = (
    GlueRow(
        name="sst2",
        folder="SST-2",
        labels=classes(("negative", "neg"), ("positive", "pos")),
        words=YES_NO,
        layouts=(
            Layout(("sentence", "label"), text_a=0, label=1),
            Layout(("index", "sentence"), text_a=1),
        ),
        metrics=("acc",),
        main_metric="acc",
    ),
    GlueRow(
        name="mrpc",
        folder="MRPC",
        labels=classes(
            ("not_equivalent", "not_paraphrase", "non_paraphrase", "different"),
            ("equivalent", "paraphrase", "same"),
        ),
        words=YES_NO,
        layouts=(
            Layout(("quality", *_MRPC), text_a=3, text_b=4, label=0),
            Layout(("index", *_MRPC), text_a=3, text_b=4),
        ),
        metrics=("acc", "f1", "acc_and_f1"),
        main_metric="acc_and_f1",
    ),
    GlueRow(
        name="rte",
        folder="RTE",
        labels=classes(("entailment", "entailed"), ("not_entailment", "not_entailed")),
        words=("entailment", "not_entailment"),
        layouts=(
            Layout((*_PAIR, "label"), text_a=1, text_b=2, label=3),
            Layout(_PAIR, text_a=1, text_b=2),
        ),
        metrics=("acc",),
        main_metric="acc",
    ),
    GlueRow(
        name="cola",
        folder="CoLA",
        labels=classes(("unacceptable", "ungrammatical"), ("acceptable", "grammatical")),
        words=YES_NO,
        layouts=(
            Layout(("source", "label", "annotation", "sentence"), text_a=3, label=1, header=False),
            Layout(("index", "sentence"), text_a=1),
        ),
        metrics=("mcc",),
        main_metric="mcc",
    ),
    GlueRow(
        name="stsb",
        folder="STS-B",
        labels=Labels("regression"),
        words=(),
        layouts=(
            Layout((*_STSB, "score"), text_a=7, text_b=8, label=9),
            Layout(_STSB, text_a=7, text_b=8),
        ),
        metrics=("pearson", "spearmanr", "corr"),
        main_metric="corr",
        bounds=(0.0, 5.0),
    ),
)


def plain_layout(row: GlueRow) -> Layout:
    """The texts alone, without header: what predicting takes beside the original files."""
    paired = row.layouts[0].text_b is not None
    return Layout(
        _PAIR[1:] if paired else ("sentence",), text_a=0, text_b=1 if paired else None, header=False
    )
