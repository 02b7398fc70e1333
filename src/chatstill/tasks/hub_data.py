"""Data sets of the hub, or of a folder, through ``datasets``: prepared once on disk, then streamed."""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import Problem, UserError
from ..registry.hub import hub_problem, require_hub
from .cells import Row, no_header
from .parquet_table import BATCH
from .tabular_keys import DataKeys

PLACE = "data.dataset"
NOT_IN_IT = ("Unknown split", "BuilderConfig")  # how the library says that the data set is there


class HubTable:
    """One split of a data set; see ``tables.Table``.

    Raises:
        UserError: ``datasets`` is not installed, the data set can't be had, or it has no such split.
    """

    unit = "row"
    fixed = True

    def __init__(self, keys: DataKeys, split: str, name: str) -> None:
        self.path = Path(name)
        self._rows = _load(str(keys.dataset), keys.subset, split)
        self.columns: tuple[str, ...] = tuple(self._rows.column_names)

    def rows(self, wanted: Sequence[str], spare: Sequence[str] = ()) -> Iterator[Row]:
        """The rows of the split; a column that is not there has None in every row."""
        present = [name for name in wanted if name in self.columns]
        number = 0
        if not present:
            return
        for batch in self._rows.select_columns(present).iter(BATCH):
            for place in range(len(batch[present[0]])):
                number += 1
                cells = [batch[n][place] if n in batch else None for n in wanted]
                yield no_header(wanted, Row(number, cells))

    def class_names(self, column: str) -> tuple[str, ...]:
        """The names of a column's classes where the data set knows them, else empty."""
        feature = self._rows.features.get(column)
        return tuple(getattr(feature, "names", None) or ())


def hub_files(keys: DataKeys, split: str) -> list[Path]:
    """The Arrow files that hold a split."""
    return [
        Path(entry["filename"])
        for entry in _load(str(keys.dataset), keys.subset, split).cache_files
    ]


def has_split(keys: DataKeys, split: str) -> bool:
    """Whether the data set has a split.

    Raises:
        UserError: the data set can't be had.
    """
    try:
        _load(str(keys.dataset), keys.subset, split)
    except UserError as error:
        if "Unknown split" in str(error.__cause__):
            return False
        raise
    return True


@functools.lru_cache(maxsize=8)
def _load(name: str, subset: str | None, split: str) -> Any:
    """The rows of a split, memory-mapped."""
    try:
        import datasets
    except ImportError:
        hint = "pip install 'chatstill[data]'"
        raise UserError(
            Problem(
                PLACE, f"{name} is read by `datasets`", hint, code="data.datasets-not-installed"
            )
        ) from None
    datasets.disable_progress_bars()
    folder = Path(name)
    to_fill = f"{name}/{subset}" if subset else name
    if subset and Path(to_fill).is_dir():
        folder, subset = Path(to_fill), None
    is_local = folder.is_dir()
    wanted = "data files named train.csv, validation.csv (or .jsonl, .parquet)"
    if not is_local:
        require_hub(name, PLACE, wanted=wanted, folder=to_fill, kind="dataset")
    try:
        return datasets.load_dataset(str(folder) if is_local else name, subset, split=split)
    except Exception as error:
        # The library raises its own kinds, OSError, ValueError and the readers' errors; to the user
        # they are the same finding: no rows came of this name.
        reason = " ".join(str(error).split()) or type(error).__name__
        if is_local or any(word in reason for word in NOT_IN_IT):
            place = f"{PLACE}: {folder if is_local else name}"
            fill = subset and is_local
            hint = f"Files of the subset {subset!r} go into {to_fill}." if fill else ""
            raise UserError(
                Problem(
                    place,
                    f"no rows of split {split!r}: {reason[:300]}",
                    hint,
                    code="data.no-rows-of-the-split",
                )
            ) from error
        raise UserError(hub_problem(name, PLACE, error, wanted, to_fill, "dataset")) from error
