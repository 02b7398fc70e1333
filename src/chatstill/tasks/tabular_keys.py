"""The block ``data``: which files, which columns are texts, label and group, and what a label means."""

import codecs
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

Kind = Literal["classification", "multi_label", "regression", "relevance"]
Format = Literal["csv", "tsv", "jsonl", "parquet"]
# Columns of the rows that dialogues become (``tasks.dialogues``): no file has them.
CANDIDATE, LABEL, DIALOGUE = "(candidate)", "(label)", "(dialogue)"
CHOSEN_NAMES = (
    "no_match",
    "match",
)  # of the candidates that were not chosen, and of the one that was
HUB_SPLITS = {"train": "train", "dev": "validation", "test": "test"}


class DataKeys(BaseModel):
    """Rows of any file or data set as a task.

    Attributes:
        kind: What a label is: one class, any number of labels, a number, or a grade of relevance.
        train: File, or a pattern of several; a split's name where ``dataset`` is set.
        dev: The same.
        test: The same.
        unlabeled: Further training rows without labels, for every term that needs none.
        dataset: A name on the hub, or a folder, read by ``datasets``.
        subset: Configuration of the data set, or a folder inside it.
        format: Of all files; None goes by the ending of each.
        columns: Names of the columns where CSV or TSV files have no header line.
        delimiter: Of CSV and TSV files; None: a comma, a TAB.
        encoding: Of CSV, TSV and JSON lines.
        text: Column of the first text; several are turns of a conversation, oldest first.
        text_pair: Column of the second text.
        candidates: Column of the candidate replies of a dialogue: each is a row, a line is a group.
        chosen: Column that names the candidate chosen; beside ``rejected`` it holds its text.
        rejected: Column of the text or texts that were not chosen.
        roles: Whose messages are read; None: all but those that are no turns.
        label: Column of the label; several, of 0 and 1 each, for any number of labels a row. Of
            candidates: the key in each of them, or a column with a list of their labels.
        group: Column whose equal values make a group that is ranked.
        id: Column of what a row is called; it stands in predictions.
        labels: Class names in index order (grades: lowest first), or a file with one a line; None:
            those that stand in the training rows.
        on_bad_row: ``skip`` leaves malformed rows out and lists them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
    note: Any = None
    kind: Kind = "classification"
    train: str | None = None
    dev: str | None = None
    test: str | None = None
    unlabeled: str | None = None
    dataset: str | None = None
    subset: str | None = None
    format: Format | None = None
    columns: tuple[str, ...] | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"
    text: str | tuple[str, ...] | None = None
    text_pair: str | None = None
    candidates: str | None = None
    chosen: str | None = None
    rejected: str | None = None
    roles: tuple[str, ...] | None = None
    label: str | tuple[str, ...] | None = None
    group: str | None = None
    id: str | None = None
    labels: str | tuple[str | int, ...] | None = None
    on_bad_row: Literal["stop", "skip"] = "stop"

    @field_validator("delimiter")
    @classmethod
    def _one_sign(cls, value: str | None) -> str | None:
        if value is not None and (len(value) != 1 or value in '"\r\n'):
            raise ValueError('must be one sign, such as ";" or "\\t".')
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            known = codecs.lookup(value)
            "".encode(value)
        except (LookupError, ValueError, TypeError):
            raise ValueError(f"Python knows no encoding {value!r}; gb18030, utf-8 …") from None
        return known.name

    @property
    def texts(self) -> tuple[str, ...]:
        """Columns of the first text: the turns, oldest first."""
        return (self.text,) if isinstance(self.text, str) else self.text or ()

    @property
    def dialogues(self) -> bool:
        """Whether a line of the files is a dialogue with candidate replies."""
        return self.candidates is not None or self.chosen is not None

    @property
    def pair_column(self) -> str | None:
        """Column of the second text, of the rows as they are read."""
        return CANDIDATE if self.dialogues else self.text_pair

    @property
    def group_column(self) -> str | None:
        """Column of the groups, of the rows as they are read."""
        return DIALOGUE if self.dialogues else self.group

    @property
    def label_columns(self) -> tuple[str, ...]:
        """Columns of the label: one, or one for each label."""
        if self.dialogues:
            return (LABEL,) if self.label or self.chosen else ()
        return (self.label,) if isinstance(self.label, str) else self.label or ()

    @property
    def wanted(self) -> tuple[str, ...]:
        """All columns that are read of a row, each once."""
        others = (self.pair_column, *self.label_columns, self.group_column, self.id)
        return tuple(dict.fromkeys((*self.texts, *(name for name in others if name))))

    @property
    def columns_of_dialogues(self) -> tuple[str, ...]:
        """Columns that the files of dialogues have, each once; labels may stand in the candidates."""
        named = (self.candidates, self.chosen, self.rejected, self.id)
        return tuple(dict.fromkeys((*self.texts, *(name for name in named if name))))

    def without_labels(self) -> "DataKeys":
        """The block where nothing is read of labels and groups."""
        gone: dict[str, None] = {"label": None, "group": None}
        if self.candidates is not None and self.rejected is None:
            gone["chosen"] = None
        return self.model_copy(update=gone)

    def split(self, name: str) -> str | None:
        """Where a split lies: a file or pattern, or the name of a data set's split."""
        found = getattr(self, name)
        return HUB_SPLITS[name] if found is None and self.dataset else found
