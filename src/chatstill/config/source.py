"""What the user wrote: one JSON file and ``--set`` arguments, each value with its place."""

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import Problem, Said
from .jsontext import JsonText, Unreadable
from .places import KeyPath, Place, Places, dotted

MAX_BYTES = 4_000_000
MOST_SLIPS = 20
_ENCODINGS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


class Source:
    """The values of a configuration and where each comes from.

    Attributes:
        name: The file as the user named it, or ``command line``.
        values: The JSON object.
        places: Place of each key; a key without one has the place of the block around it.
        link: Name of the pipeline's link that this describes; empty for a run by itself.
        promised: Folders that need not be there yet: a link before this one makes them.
        files_promised: Those of them that will hold files which a network of the package starts from.
        of_the_file: Keys at the top that a link has from its file, where they may be meant for other links.
    """

    def __init__(self, name: str, values: dict[str, Any] | None = None) -> None:
        self.name = name
        self.values: dict[str, Any] = values if values is not None else {}
        self.places: Places = {}
        self.link = ""
        self.promised: frozenset[str] = frozenset()
        self.files_promised: frozenset[str] = frozenset()
        self.of_the_file: frozenset[str] = frozenset()

    def place(self, path: KeyPath) -> Place:
        """The place of a key, or of the nearest block around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Place(origin=self.name, where=self.name)

    def problem(
        self, path: KeyPath, message: str, hint: str = "", *, code: str, warning: bool = False
    ) -> Problem:
        """A finding about one key, with its place."""
        severity = "warning" if warning else "error"
        where = self.place(path).where
        return Problem(where, message, hint, severity, code=code)  # type: ignore[arg-type]

    def told(self, path: KeyPath, said: Said, *, warning: bool = False) -> Problem:
        """What a check found that knows no place, with the place of a key."""
        return self.problem(path, said.message, said.hint, code=said.code, warning=warning)

    def get(self, path: KeyPath) -> Any:
        """The value at a path, None where there is none."""
        value: Any = self.values
        for part in path:
            if isinstance(value, dict):
                value = value.get(str(part))
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                return None
        return value

    def written(self, path: KeyPath) -> bool:
        """Whether the user wrote the key, in the file or by ``--set``; not the method's file."""
        place = self.place(path)
        return self.has(path) and (place.line > 0 or place.where.startswith("--set"))

    def has(self, path: KeyPath) -> bool:
        """Whether the key stands there, be it with the value null."""
        block = self.get(path[:-1])
        return isinstance(block, dict) and path[-1] in block

    def put(self, path: KeyPath, value: Any, place: Place) -> KeyPath | None:
        """Sets a value and makes the blocks around it.

        Returns:
            None, or the path of a value that stands in the way because it is no block.
        """
        block = self.values
        for length, part in enumerate(path[:-1], start=1):
            inner = block.setdefault(str(part), {})
            if not isinstance(inner, dict):
                return path[:length]
            self.places.setdefault(path[:length], place)
            block = inner
        self._forget(path)
        block[str(path[-1])] = value
        self.places[path] = place
        return None

    def drop(self, path: KeyPath) -> None:
        """Takes a key out."""
        block = self.get(path[:-1])
        if isinstance(block, dict):
            block.pop(path[-1], None)
        self._forget(path)

    def move(self, old: KeyPath, new: KeyPath) -> None:
        """Renames a key; its place stays that of the old name."""
        place, value = self.place(old), self.get(old)
        self.drop(old)
        self.put(new, value, place)

    def leaves(self) -> Iterator[tuple[KeyPath, Any]]:
        """All values that are not blocks."""
        stack: list[tuple[KeyPath, Any]] = [((), self.values)]
        while stack:
            path, value = stack.pop()
            if isinstance(value, dict):
                stack.extend(((*path, key), inner) for key, inner in reversed(value.items()))
            else:
                yield path, value

    def _forget(self, path: KeyPath) -> None:
        for known in [known for known in self.places if known[: len(path)] == path]:
            del self.places[known]


def read_source(path: Path | None, overrides: Sequence[str]) -> tuple[Source, list[Problem], bool]:
    """Reads the file, then lays the ``--set`` arguments over it.

    Returns:
        The source, the problems, and whether the values could be read to their end: if not, further
        checks would only report what follows from it.
    """
    source, complete = Source("command line"), True
    problems: list[Problem] = []
    if path is not None:
        source, problems, complete = _read_file(path)
    for override in overrides:
        problems += apply_override(source, override)
    return source, problems, complete


def parse_object(path: Path) -> tuple[Source, list[Problem]]:
    """A JSON object from a file of any ending, such as a method's or an architecture's."""
    source, problems, _ = _read_file(path)
    return source, problems


def _read_file(path: Path) -> tuple[Source, list[Problem], bool]:
    name = str(path)
    text, problem = _read_text(path)
    if problem is not None:
        return Source(name), [problem], False
    reader = JsonText(text, name)
    try:
        values = reader.read()
    except Unreadable:
        return Source(name), reader.problems, False
    if not isinstance(values, dict):
        found = "a list" if isinstance(values, list) else "a single value"
        message = f"the file holds {found}; a configuration is a block of keys: {{ … }}."
        return (
            Source(name),
            [*reader.problems, Problem(name, message, code="config.no-block")],
            False,
        )
    values.pop("$schema", None)  # for editors
    source = Source(name, values)
    source.places = reader.places
    return source, _shortened(name, reader.problems), True


def _shortened(name: str, problems: list[Problem]) -> list[Problem]:
    """A file typed with full-width signs throughout would fill the screen."""
    if len(problems) <= MOST_SLIPS:
        return problems
    rest = f"{len(problems) - MOST_SLIPS} more slips of this kind follow."
    return [*problems[:MOST_SLIPS], Problem(name, rest, code="json.more-slips")]


def _read_text(path: Path) -> tuple[str, Problem | None]:
    name = str(path)
    try:
        if path.is_dir():
            hint = f"Name a file in it, such as {path / 'my.json'}."
            return "", Problem(
                name,
                "this is a folder, not a configuration file.",
                hint,
                code="config.file-is-a-folder",
            )
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = f"Paths count from the working directory, {Path.cwd()}."
        return "", Problem(name, "there is no such file.", hint, code="config.file-missing")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        return "", Problem(
            name, f"the file can't be read: {reason}.", code="config.file-unreadable"
        )
    if len(data) > MAX_BYTES:
        return "", Problem(
            name, "larger than 4 MB: this is no configuration file.", code="config.file-too-large"
        )
    for mark, encoding in _ENCODINGS.items():
        if data.startswith(mark):
            return "", Problem(
                name, f"the file is {encoding}.", "Save it as UTF-8.", code="config.file-of-utf-16"
            )
    # Offsets count from the file's first byte; with "utf-8-sig" they would count behind the mark.
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = f"byte 0x{data[error.start]:02x} at offset {error.start} is not UTF-8."
        hint = "Save the file as UTF-8 (editors often call GBK, GB18030 or Latin-1 'ANSI')."
        return "", Problem(f"{name}: line {line}", message, hint, code="config.file-not-utf-8")
    if not text.strip():
        hint = "Start from a copy of config/distill.example.1.json."
        return "", Problem(name, "the file is empty.", hint, code="config.file-empty")
    return text, None


def apply_override(source: Source, override: str) -> list[Problem]:
    """Lays one ``key=value`` over the source; dots lead into blocks."""
    key, separator, text = override.partition("=")
    where = f"--set {override}"
    path: KeyPath = tuple(part.strip() for part in key.split("."))
    if not separator or not all(path):
        hint = "For example: --set learning_rate=3e-5 or --set theseus_scheduler.replacing_rate=0.5"
        return [
            Problem(where, "--set takes key=value.", hint, code="config.override-without-value")
        ]
    if any(0xD800 <= ord(sign) < 0xE000 or sign == "\x00" for sign in override):
        shown = override.encode("utf-8", "replace").decode("utf-8")
        return [
            Problem(
                f"--set {shown}", "the argument is not UTF-8.", code="config.override-not-utf-8"
            )
        ]
    place = Place(origin="--set", where=where)
    value, inner = _parse_value(text, where)
    obstacle = source.put(path, value, place)
    if obstacle is not None:
        return [
            Problem(
                where,
                f"'{dotted(obstacle)}' is a value, not a block with keys.",
                code="config.override-into-a-value",
            )
        ]
    source.places.update({(*path, *below): place for below in inner})
    return []


def _parse_value(text: str, where: str) -> tuple[Any, Places]:
    """The value as JSON if it is JSON without any slip, else the text itself."""
    reader = JsonText(text, where)
    try:
        value = reader.read()
    except Unreadable:
        return text, {}
    return (text, {}) if reader.problems else (value, reader.places)
