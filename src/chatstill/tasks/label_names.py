"""Names of a network's outputs: what both tables of its config.json say, and how names are compared."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import Problem, UserError

_UNNAMED = re.compile(r"(?:label[\s_-]*)?(\d+)", re.IGNORECASE)


def index_in(name: str) -> int | None:
    """The index that a name stands for: ``LABEL_3`` and ``3`` are 3; None for a real name, ``-1`` too."""
    found = _UNNAMED.fullmatch(name.strip())
    return int(found[1]) if found else None


def settled_tables(values: Mapping[str, Any], place: str, file: str) -> dict[str, Any]:
    """The values of a config.json with both tables of label names alike.

    Networks carry ``id2label`` (output to name) and ``label2id`` (name to output). transformers reads
    the first one and makes the second one of it, so that names which stand in ``label2id`` alone are
    lost. Here real names of either table count; ``LABEL_0`` and the like are no names.

    Args:
        values: Of a config.json.
        place: Where a problem stands.
        file: Its name, for messages.

    Raises:
        UserError: the tables disagree, or one is no table of names and whole numbers.
    """
    first = _by_output(values.get("id2label"), "id2label", place, file, turned=False)
    second = _by_output(values.get("label2id"), "label2id", place, file, turned=True)
    named = {output: names for output, names in second.items() if not _generic(names, output)}
    if not named:
        return dict(values)
    for output, names in sorted(named.items()):
        known = first.get(output, [])
        if known and not _generic(known, output) and not set(known) & set(names):
            raise UserError(_disagree(output, known[0], names[0], place, file))
    outputs = range(max([*first, *second]) + 1)
    twice = {n for output in outputs for n in first.get(output, []) if _elsewhere(n, output, named)}
    if twice:
        name = sorted(twice)[0]
        output = next(output for output, names in named.items() if name in names)
        listed = next(o for o in outputs if name in first.get(o, []))
        message = f"{file}: id2label names output {listed} {name!r}, label2id says output {output}"
        raise UserError(Problem(place, message, _HINT, code="labels.tables-contradict"))
    merged = {}
    for output in outputs:
        known = first.get(output, [])
        real = known if known and not _generic(known, output) else named.get(output) or known
        merged[output] = real[0] if real else f"LABEL_{output}"
    return {
        **values,
        "id2label": {str(output): name for output, name in merged.items()},
        "label2id": {name: output for output, name in merged.items()},
    }


def names_of_outputs(values: Mapping[str, Any], place: str, file: str) -> list[str]:
    """Names by output of a config.json; empty where it has no table.

    Raises:
        UserError: see ``settled_tables``.
    """
    table = settled_tables(values, place, file).get("id2label")
    found = _by_output(table, "id2label", place, file, turned=False)
    return [
        found.get(output, [f"LABEL_{output}"])[0] for output in range(max(found, default=-1) + 1)
    ]


_HINT = "Correct the wrong table: both must say the same."


def _disagree(output: int, first: str, second: str, place: str, file: str) -> Problem:
    message = f"{file}: id2label names output {output} {first!r}, label2id names it {second!r}"
    return Problem(place, message, _HINT, code="labels.names-contradict")


def _elsewhere(name: str, output: int, named: Mapping[int, Sequence[str]]) -> bool:
    """Whether the other table gives a real name to another output."""
    return index_in(name) is None and any(
        name in names for other, names in named.items() if other != output
    )


def _generic(names: Sequence[str], output: int) -> bool:
    return all(index_in(name) == output for name in names)


def _by_output(
    table: Any, key: str, place: str, file: str, *, turned: bool
) -> dict[int, list[str]]:
    """Output -> names of one table; ``turned``: its keys are the names."""
    if table is None:
        return {}
    if isinstance(table, list) and not turned:
        table = dict(enumerate(table))
    found: dict[int, list[str]] = {}
    for left, right in table.items() if isinstance(table, Mapping) else ():
        name, output = (left, right) if turned else (right, left)
        text = str(output).strip()
        if not re.fullmatch(r"[0-9]{1,9}", text) or isinstance(output, bool):
            message = (
                f"{file}: {key} holds {left!r}: {right!r}, and {output!r} is no output's number"
            )
            raise UserError(
                Problem(
                    place, message, "Outputs are counted from 0.", code="labels.no-output-number"
                )
            )
        found.setdefault(int(text), []).append(str(name))
    if not isinstance(table, Mapping):
        message = f"{file}: {key} is a JSON {type(table).__name__}, expected an object"
        raise UserError(
            Problem(
                place,
                message,
                'For example: {"0": "no", "1": "yes"}.',
                code="labels.table-is-no-object",
            )
        )
    return found


def same_names(names: Sequence[str], known: Sequence[Sequence[str]]) -> list[int | None]:
    """Which of the known classes each name is; None where none is.

    Names are compared as they are written, then in one Unicode form, then without case, blanks,
    hyphens and underscores: each step only where it keeps all names of a side apart.

    Args:
        names: A network's, by output.
        known: Of each class its name and its synonyms.
    """
    found: list[int | None] = [None] * len(names)
    for change in (_as_written, _one_form, _folded):
        table = _apart(known, change)
        changed = [change(name) for name in names]
        if table is None or len(set(changed)) < len(set(names)):
            break
        for output, name in enumerate(changed):
            if found[output] is None:
                found[output] = table.get(name)
    return found


def _apart(known: Sequence[Sequence[str]], change: Callable[[str], str]) -> dict[str, int] | None:
    """Changed name -> class; None where the change makes names of two classes equal."""
    table: dict[str, int] = {}
    for number, names in enumerate(known):
        for name in names:
            if table.setdefault(change(name), number) != number:
                return None
    return table


def _as_written(name: str) -> str:
    return name


def _one_form(name: str) -> str:
    return unicodedata.normalize("NFKC", name).strip()


def _folded(name: str) -> str:
    """Without case, blanks, hyphens and underscores; the sign of a number stays."""
    plain = _one_form(name).casefold()
    sign = "-" if re.match(r"-\s*\.?\d", plain) else ""
    return sign + re.sub(r"[\s_\-]+", "", plain)
