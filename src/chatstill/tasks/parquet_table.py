"""Rows of a Parquet file."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..errors import Problem, UserError
from .cells import Row

BATCH = 1024


class ParquetTable:
    """A Parquet file, some rows of the wanted columns at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            from pyarrow import ArrowException, parquet
        except ImportError:
            hint = "pip install 'chatstill[data]'"
            raise UserError(
                Problem(
                    str(path), "Parquet files need pyarrow", hint, code="data.parquet-not-installed"
                )
            ) from None
        try:
            self._file = parquet.ParquetFile(path, memory_map=True)
        except (OSError, ArrowException) as error:
            reason = str(error).split("\n")[0]
            raise UserError(
                Problem(
                    str(path), f"can't be read as Parquet: {reason}", code="data.parquet-unreadable"
                )
            ) from None
        self.columns: tuple[str, ...] = tuple(self._file.schema_arrow.names)

    def rows(self, wanted: Sequence[str]) -> Iterator[Row]:
        """The cells of the wanted columns, row by row."""
        from pyarrow import ArrowException

        present = [name for name in wanted if name in self.columns]
        number = 0
        try:
            for batch in self._file.iter_batches(BATCH, columns=present):
                cells = {name: batch.column(name).to_pylist() for name in present}
                for place in range(batch.num_rows):
                    number += 1
                    yield Row(number, [cells[n][place] if n in cells else None for n in wanted])
        except (OSError, ArrowException, UnicodeDecodeError) as error:
            reason = str(error).split("\n")[0]
            place_of = f"{self._path}: after row {number}"
            raise UserError(
                Problem(
                    place_of, f"can't be read as Parquet: {reason}", code="data.parquet-unreadable"
                )
            ) from None
