"""GLUE as one table: where each task's texts stand, how labels are written, what counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from .base import Labels, Split

YES_NO = ("0", "1")
FILES: dict[Split, str] = {split: f"{split}.tsv" for split in ("train", "dev", "test")}


@dataclass(frozen=True)
class Layout:
    """Columns of one kind of file, counted from 0.

    A header that is none of the table's, but names the columns of texts and label, is taken too.

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

    @property
    def id(self) -> int | None:
        """Column of what the file calls a row, None where it has none."""
        return next((n for n, name in enumerate(self.columns) if name in ("index", "id")), None)

    @property
    def needed(self) -> tuple[str, ...]:
        """Names of the columns that are read."""
        places = (self.text_a, self.text_b, self.label)
        return tuple(self.columns[place] for place in places if place is not None)


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
        files: File names by split.
        other_folders: Further names of its folder.
        unlabelled_words: Labels of rows that nobody agreed on: the row is left out and counted.
        skips_short_rows: Rows that lack columns are left out and counted, as the readers of the
            original do; in a file without labels the missing texts are empty.
    """

    name: str
    folder: str
    labels: Labels
    words: tuple[str, ...]
    layouts: tuple[Layout, ...]
    metrics: tuple[str, ...]
    main_metric: str
    bounds: tuple[float, float] = (0.0, 0.0)
    files: Mapping[Split, str] = field(default_factory=lambda: FILES)
    other_folders: tuple[str, ...] = ()
    unlabelled_words: tuple[str, ...] = ()
    skips_short_rows: bool = False


def classes(*names: tuple[str, ...], settled: bool = True) -> Labels:
    """Classes in index order: the name of each, then further names for it."""
    kind: Literal["classification"] = "classification"
    first, others = tuple(name[0] for name in names), tuple(name[1:] for name in names)
    return Labels(kind, first, others, settled)


_QQP = ("id", "qid1", "qid2", "question1", "question2")
_MRPC = ("#1 id", "#2 id", "#1 string", "#2 string")
_STSB = (
    *("index", "genre", "filename", "year", "old_index", "source1", "source2"),
    *("sentence1", "sentence2"),
)
_PAIR = ("index", "sentence1", "sentence2")
_QUESTION = ("index", "question", "sentence")
_MNLI = (
    *("index", "promptid", "pairid", "genre"),
    *("sentence1_binary_parse", "sentence2_binary_parse", "sentence1_parse", "sentence2_parse"),
    *("sentence1", "sentence2"),
)
_AX = ("lexical semantics", "predicate-argument structure", "logic", "knowledge", "domain")
_ENTAILED, _NOT_ENTAILED = ("entailment", "entailed"), ("not_entailment", "not_entailed")
# Numbers for these classes differ between the field's references, so names decide.
_TWO_WAY = classes(_ENTAILED, _NOT_ENTAILED, settled=False)
_THREE_WAY = classes(("contradiction", "contradictory"), _ENTAILED, ("neutral",), settled=False)

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
        labels=_TWO_WAY,
        words=_TWO_WAY.names,
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
            Layout(("sentence", "label"), text_a=0, label=1),
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
    GlueRow(
        name="qqp",
        folder="QQP",
        labels=classes(
            ("not_duplicate", "not_equivalent", "not_paraphrase", "different"),
            ("duplicate", "equivalent", "paraphrase", "same"),
        ),
        words=YES_NO,
        layouts=(
            Layout((*_QQP, "is_duplicate"), text_a=3, text_b=4, label=5),
            Layout((*_QQP, "is_duplicate"), text_a=3, text_b=4, label=5, header=False),
            Layout(("id", "question1", "question2"), text_a=1, text_b=2),
        ),
        metrics=("acc", "f1", "acc_and_f1"),
        main_metric="acc_and_f1",
        skips_short_rows=True,
    ),
    GlueRow(
        name="qnli",
        folder="QNLI",
        labels=_TWO_WAY,
        words=_TWO_WAY.names,
        layouts=(
            Layout((*_QUESTION, "label"), text_a=1, text_b=2, label=3),
            Layout(_QUESTION, text_a=1, text_b=2),
        ),
        metrics=("acc",),
        main_metric="acc",
    ),
    GlueRow(
        name="wnli",
        folder="WNLI",
        labels=classes(_NOT_ENTAILED, _ENTAILED),
        words=YES_NO,
        layouts=(
            Layout((*_PAIR, "label"), text_a=1, text_b=2, label=3),
            Layout(_PAIR, text_a=1, text_b=2),
        ),
        metrics=("acc",),
        main_metric="acc",
    ),
    GlueRow(
        name="ax",
        folder="AX",
        labels=_THREE_WAY,
        words=_THREE_WAY.names,
        layouts=(
            Layout((*_AX, "premise", "hypothesis", "label"), text_a=5, text_b=6, label=7),
            Layout((*_PAIR, "label"), text_a=1, text_b=2, label=3),
            Layout(_PAIR, text_a=1, text_b=2),
        ),
        metrics=("mcc",),
        main_metric="mcc",
        files={"dev": "diagnostic-full.tsv", "test": "diagnostic.tsv"},
        other_folders=("diagnostic", "diagnostics", "MNLI"),
        unlabelled_words=("",),
    ),
)

# Dev and test are two files each: see ``tasks.mnli``. A dev file has label1 to label5: the names of
# the columns that count are the same.
MNLI = GlueRow(
    name="mnli",
    folder="MNLI",
    labels=_THREE_WAY,
    words=_THREE_WAY.names,
    layouts=(
        Layout((*_MNLI, "label1", "gold_label"), text_a=8, text_b=9, label=11),
        Layout((*_PAIR, "label"), text_a=1, text_b=2, label=3),
        Layout(_MNLI, text_a=8, text_b=9),
    ),
    metrics=("mnli/acc", "mnli-mm/acc", "acc"),
    main_metric="acc",
    files={"train": "train.tsv", "dev": "dev_matched.tsv", "test": "test_matched.tsv"},
    unlabelled_words=("-",),
)


def plain_layout(row: GlueRow) -> Layout:
    """The texts alone, without header: what predicting takes beside the original files."""
    paired = row.layouts[0].text_b is not None
    return Layout(
        _PAIR[1:] if paired else ("sentence",), text_a=0, text_b=1 if paired else None, header=False
    )
