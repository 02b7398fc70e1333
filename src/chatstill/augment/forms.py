"""The forms of training files: each row with all its cells, and a row with other texts in the same form."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from ..errors import Problem, UserError
from ..tasks.bad_rows import BadRows
from ..tasks.base import Example, Task
from ..tasks.cells import Bad
from ..tasks.chat import ChatTask
from ..tasks.glue_task import GlueTask
from ..tasks.hub_data import HubTable
from ..tasks.processor import ProcessorTask
from ..tasks.reading import read_rows
from ..tasks.tables import Table
from ..tasks.tabular import TabularTask
from ..tasks.tabular_files import layout_of
from ..tasks.tabular_keys import DataKeys
from ..tasks.transfer import without_transfer
from .places import is_pattern

Cells = list[str] | dict[str, Any]


class Row(NamedTuple):
    """An original row: its number from 0, what training reads of it, its cells as they stand there."""

    number: int
    example: Example
    cells: Any


class Writer(Protocol):
    """Writes rows of one form."""

    def write(self, row: Row, first: str | None, second: str | None) -> bool:
        """A row with other texts, where they are given; False where the encoding lacks a sign of them."""
        ...

    def close(self) -> None:
        """Writes what is held back."""
        ...


@dataclass
class Form:
    """One training file.

    Attributes:
        task: It reads the file, without the rows of a transfer set.
        path: The file, a pattern of several, the folder of a task in Python, or the name of a data set.
        cells: All rows of a file with the line or row where they stand.
        writer: Writes the form to a stream of bytes.
        files: Those of the pattern, in the order in which training reads them; else the path alone.
        warnings: What was noticed when the rows were read last.
    """

    task: Task
    path: Path
    cells: Callable[[Path], Iterator[tuple[int, Any]]]
    writer: Callable[[IO[bytes]], Writer]
    files: tuple[Path, ...] = ()
    warnings: list[Problem] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.files = self.files or (self.path,)

    def rows(self) -> Iterator[Row]:
        """The rows as training takes them: malformed ones stop it or are left out.

        A row may lack a label, whatever the method is: the file of the copies serves several, and
        one that learns from gold labels alone looks at it as at the originals.

        Raises:
            UserError: see ``Task.read``.
        """
        self.warnings, number = [], count()
        empty = None
        for file in self.files:
            try:
                for example, cells in self._of_file(file):
                    yield Row(next(number), example, cells)
            except UserError as error:
                empty = self._passed_over(error)
        if empty is not None and next(number) == 0:
            raise empty

    def _of_file(self, file: Path) -> Iterator[tuple[Example, Any]]:
        found = self.task.read(file, "train", False)
        cells = self.cells(file)
        for example in found:
            for line, of_row in cells:
                if line == example.line:
                    yield example, of_row
                    break
            else:
                raise AssertionError(f"{file}: row {example.line} is read in one way alone")
        self.warnings += found.warnings

    def _passed_over(self, error: UserError) -> UserError:
        """A file without rows among several is told; any other fault is raised."""
        if len(self.files) == 1 or {p.code for p in error.problems} != {"data.no-rows"}:
            raise error
        self.warnings += [replace(problem, severity="warning") for problem in error.problems]
        return error


def form_of(task: Task, path: Path) -> Form:
    """The form of a task's training file.

    Raises:
        UserError: a task whose rows cannot be written again; the file cannot be read.
    """
    bare = without_transfer(task)
    if isinstance(task, ChatTask):
        form = Form(bare, path, _lines, _chat_writer)
    elif isinstance(task, GlueTask):
        form = Form(bare, path, _lines, lambda s: GlueLines(s, task, path))
    elif isinstance(task, TabularTask):
        form = _of_block(bare, task.keys, path)
    elif isinstance(task, ProcessorTask):
        form = Form(bare, path, lambda file: _examples(bare, file), lambda s: ExampleLines(s, task))
    else:
        message = f"the task {task.name} reads its rows itself; they cannot be written again"
        hint = "A class with get_train_examples can be augmented: docs/own_task.md."
        raise UserError(Problem("task_name", message, hint, code="augment.task-reads-itself"))
    return form


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    return read_rows(path, BadRows("skip"))


def _examples(task: Task, path: Path) -> Iterator[tuple[int, Example]]:
    return ((example.line, example) for example in task.read(path, "train", False))


class _TabLines:
    """Lines of fields with TABs between."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def put(self, fields: list[str]) -> None:
        self._stream.write(("\t".join(fields) + "\n").encode("utf-8"))

    def close(self) -> None:
        """Nothing is held back."""


class ChatLines(_TabLines):
    """``query TAB reply [TAB label TAB group]``: the group is written, so that copies have the parent's."""

    def write(self, row: Row, first: str | None, second: str | None) -> bool:
        fields = list(row.cells)
        fields[:2] = [first or fields[0], second or fields[1]]
        if len(fields) == 3:
            fields.append(str(row.example.group))
        self.put(fields)
        return True


def _chat_writer(stream: IO[bytes]) -> Writer:
    return ChatLines(stream)


class GlueLines(_TabLines):
    """The columns of the original, quotes as text, under its header."""

    def __init__(self, stream: IO[bytes], task: GlueTask, path: Path) -> None:
        super().__init__(stream)
        line, fields = next(_lines(path))
        self._layout = task.layout_of(path, line, fields, True)
        if self._layout.header:
            self.put(fields)

    def write(self, row: Row, first: str | None, second: str | None) -> bool:
        fields = list(row.cells)
        layout = self._layout
        fields[layout.text_a] = first or fields[layout.text_a]
        if layout.text_b is not None:
            fields[layout.text_b] = second or fields[layout.text_b]
        self.put(fields)
        return True


class ExampleLines:
    """One JSON object a row, with the keys that a task in Python gives."""

    def __init__(self, stream: IO[bytes], task: ProcessorTask) -> None:
        self._stream, self._names = stream, task.labels.names

    def write(self, row: Row, first: str | None, second: str | None) -> bool:
        example: Example = row.cells
        values: dict[str, Any] = {} if example.name is None else {"guid": example.name}
        values |= {"text_a": first or example.text_a}
        if example.text_b is not None:
            values["text_b"] = second or example.text_b
        if example.label is not None:
            label: Any = example.label
            values["label"] = self._names[int(label)] if self._names else label
        self._stream.write(json.dumps(values, ensure_ascii=False).encode("utf-8") + b"\n")
        return True

    def close(self) -> None:
        """Nothing is held back."""


def _of_block(task: Task, keys: DataKeys, path: Path) -> Form:
    from .block_forms import ObjectLines, block_writer, several_fault, text_fault

    if keys.dialogues:
        message = "a line of candidates is no row by itself"
        hint = 'Write each candidate as a row: "text", "text_pair", "label", "group".'
        raise UserError(Problem("data.candidates", message, hint, code="augment.dialogues"))
    if keys.dataset is not None:
        return Form(task, path, lambda file: _of_hub(keys, file), lambda s: ObjectLines(s, keys))
    files = tuple(task.parts(path, "train"))
    fault = several_fault(keys, path, files) if is_pattern(task, path) else None
    if fault := fault or text_fault(keys, files[0]):
        raise UserError(fault)
    spare = [name for name in (*keys.label_columns, keys.group) if name]

    def cells(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        return Table(file, layout_of(keys)).records(spare)

    return Form(task, path, cells, lambda s: block_writer(s, keys, files[0]), files)


def _of_hub(keys: DataKeys, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The columns that the block names; others of a data set may hold what JSON does not."""
    for number, cells in HubTable(keys, str(keys.split("train")), str(path)).rows(keys.wanted):
        if not isinstance(cells, Bad):
            yield number, dict(zip(keys.wanted, cells, strict=True))
