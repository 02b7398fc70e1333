"""The block ``data``: which files, which columns are texts, label and group, and what a label means."""

import codecs
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

Kind = Literal["classification", "multi_label", "regression", "relevance"]
Format = Literal["csv", "tsv", "jsonl", "parquet"]
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
        label: Column of the label; several, of 0 and 1 each, for any number of labels a row.
        group: Column whose equal values make a group that is ranked.
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
    label: str | tuple[str, ...] | None = None
    group: str | None = None
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
    def label_columns(self) -> tuple[str, ...]:
        """Columns of the label: one, or one for each label."""
        return (self.label,) if isinstance(self.label, str) else self.label or ()

    @property
    def wanted(self) -> tuple[str, ...]:
        """All columns that are read, each once."""
        others = (self.text_pair, *self.label_columns, self.group)
        return tuple(dict.fromkeys((*self.texts, *(name for name in others if name))))

    def split(self, name: str) -> str | None:
        """Where a split lies: a file or pattern, or the name of a data set's split."""
        found = getattr(self, name)
        return HUB_SPLITS[name] if found is None and self.dataset else found
