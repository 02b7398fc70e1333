"""A block of the file against its pydantic model: every fault as one sentence with its place."""

import json
import re
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from ..errors import Problem, Said
from ..lookup import plain
from ..registry.names import nearest
from .compat.usual import usual_word
from .places import KeyPath, dotted
from .source import Source

Homes = Mapping[str, Sequence[str]]
AT_THE_TOP = "at the top of the file"

_TYPES = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text in quotes",
    "none_required": "null",
    "list_type": "a list [ … ]",
    "tuple_type": "a list [ … ]",
    "dict_type": "a block { … }",
    "model_type": "a block { … }",
    "model_attributes_type": "a block { … }",
    "dataclass_type": "a block { … }",
}
_BOUNDS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}


def validate(
    model: type[BaseModel],
    values: Any,
    source: Source,
    path: KeyPath = (),
    *,
    warning: bool = False,
    homes: Homes | None = None,
) -> tuple[BaseModel | None, list[Problem], set[KeyPath]]:
    """Checks one block.

    Args:
        model: Its pydantic model; types are taken strictly, as JSON gives them.
        values: The block.
        source: For places.
        path: Where the block stands.
        warning: Findings are warnings, as for the block of a method that does not run.
        homes: Key -> where it belongs, in words, for keys that stand elsewhere.

    Returns:
        The instance or None, the problems, and the paths that are at fault.
    """
    text = json.dumps(_prepared(model, values))
    try:
        return model.model_validate_json(text, strict=True), [], set()
    except ValidationError as error:
        groups = _by_place(error, values)
    problems, faulty = [], set()
    lacking = _new_entries(model, groups)
    for loc, errors in groups.items():
        full = (*path, *loc)
        faulty.add(full)
        if loc[:-1] in lacking and {item["type"] for item in errors} == {"missing"}:
            continue  # told with the entry
        said = _explain(model, path, loc, errors, _at(values, loc), homes or {})
        problems.append(source.told(full, said, warning=warning))
    for loc, keys in lacking.items():
        said = _lacks((*path, *loc), keys, _at(values, loc[:-1]))
        problems.append(source.told((*path, *loc), said, warning=warning))
    return None, problems, faulty


def found(value: Any) -> str:
    """A value in words: ``the text "8"``, ``the number 8.5``, ``a list``."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return f'the text "{value[:60]}{"…" if len(value) > 60 else ""}"'
    if isinstance(value, (int, float)):
        return f"the number {value}"
    return "a block { … }" if isinstance(value, dict) else "a list [ … ]"


def fields_of(model: type[BaseModel]) -> list[str]:
    """The keys of a block, ``note`` last."""
    names = list(model.model_fields)
    return [name for name in names if name != "note"] + [name for name in names if name == "note"]


def _prepared(model: type[BaseModel], values: Any) -> Any:
    """Whole floats as whole numbers (1e3 steps), and names in the spelling of the model's choices."""
    if not isinstance(values, dict):
        return _whole(values)
    prepared = {}
    for key, value in values.items():
        annotation = model.model_fields[key].annotation if key in model.model_fields else None
        inner = next((arg for arg in _members(annotation) if _is_model(arg)), None)
        if inner is not None and isinstance(value, dict):
            prepared[key] = _prepared(inner, value)
        elif isinstance(value, str):
            prepared[key] = _chosen(value, annotation)
        else:
            prepared[key] = (
                value if annotation is None or dict in _origins(annotation) else _whole(value)
            )
    return prepared


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _members(annotation: Any) -> tuple[Any, ...]:
    """The parts of a union, or the annotation by itself."""
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    if get_origin(annotation) is typing.Annotated:
        return _members(get_args(annotation)[0])
    return (annotation,)


def _origins(annotation: Any) -> list[Any]:
    return [get_origin(member) for member in _members(annotation)]


def _chosen(value: str, annotation: Any) -> str:
    """``Linear`` as ``linear`` where the model gives a choice of words."""
    for member in _members(annotation):
        if get_origin(member) is Literal:
            for word in get_args(member):
                if isinstance(word, str) and plain(word) == plain(value):
                    return word
    return value


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return value


def _at(values: Any, loc: KeyPath) -> Any:
    for part in loc:
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            return None
    return values


def _by_place(error: ValidationError, values: Any) -> dict[KeyPath, list[Any]]:
    """Errors by the key they are about: pydantic adds the members of a union to the path."""
    groups: dict[KeyPath, list[Any]] = {}
    for item in error.errors(include_url=False):
        loc: KeyPath = ()
        block = values
        for part in item["loc"]:
            inside = isinstance(block, dict) and part in block
            inside |= isinstance(block, list) and isinstance(part, int) and part < len(block)
            if inside:
                block = block[part]
                loc = (*loc, part)
            elif item["type"] == "missing" and part == item["loc"][-1]:
                loc = (*loc, part)
        groups.setdefault(loc, []).append(item)
    return groups


def _explain(
    model: type[BaseModel], path: KeyPath, loc: KeyPath, errors: list[Any], value: Any, homes: Homes
) -> Said:
    """What is said of all errors of one key."""
    name = dotted((*path, *loc))
    kinds = {item["type"] for item in errors}
    if kinds == {"extra_forbidden"}:
        return _unknown_key(model, path, loc, homes)
    if kinds == {"missing"}:
        return Said(f"'{name}' is missing.", code="config.key-missing")
    wanted = _wanted(errors)
    if wanted:
        words = f"'{name}' must be {_or(wanted)}, found {found(value)}."
        return Said(words, _hint(model, loc, value, wanted), code="config.wrong-value")
    words = "; ".join(dict.fromkeys(item["msg"].removeprefix("Value error, ") for item in errors))
    return Said(f"'{name}': {words}" if name else words, code="config.refused-value")


def _new_entries(
    model: type[BaseModel], groups: Mapping[KeyPath, list[Any]]
) -> dict[KeyPath, list[str]]:
    """Entries of maps that lack keys, with those: a new one, or the misspelt name of another."""
    lacking: dict[KeyPath, list[str]] = {}
    for loc, errors in groups.items():
        in_map = _block_model(model, loc[:-2]) is None and _block_model(model, loc[:-1]) is not None
        if in_map and isinstance(loc[-2], str) and {item["type"] for item in errors} == {"missing"}:
            lacking.setdefault(loc[:-1], []).append(str(loc[-1]))
    return lacking


def _lacks(full: KeyPath, keys: Sequence[str], beside: Mapping[str, Any]) -> Said:
    name = str(full[-1])
    near = nearest(name, [other for other in beside if other != name])
    words = " and ".join(f"'{key}'" for key in keys)
    guess = f"Did you mean '{near}'? A new entry needs {words}." if near else ""
    return Said(f"'{dotted(full)}' lacks {words}.", guess, code="config.entry-lacks-keys")


def _or(words: Iterable[str]) -> str:
    unique = list(dict.fromkeys(words))
    return " or ".join(unique) if len(unique) < 3 else ", ".join(unique[:-1]) + f" or {unique[-1]}"


def _wanted(errors: list[Any]) -> list[str]:
    """What the key takes, in words; empty where a model's own words say it."""
    wanted = []
    for item in errors:
        kind, context = item["type"], item.get("ctx", {})
        if kind == "literal_error":
            wanted.append(context["expected"].replace("'", '"'))
        elif kind in _BOUNDS:
            name, word = _BOUNDS[kind]
            wanted.append(f"{word} {context[name]:.10g}")
        elif kind in _TYPES:
            wanted.append(_TYPES[kind])
        else:
            return []
    return wanted


def _hint(model: type[BaseModel], loc: KeyPath, value: Any, wanted: Sequence[str]) -> str:
    numeric = any("number" in word for word in wanted)
    if isinstance(value, str):
        if numeric and re.fullmatch(r"\s*[+-]?[\d.]+([eE][+-]?\d+)?\s*", value):
            return f"Remove the quotes: {value.strip()}."
        if "true or false" in wanted:
            return "Write true or false, without quotes."
        words = re.findall(r'"([^"]*)"', " ".join(wanted))
        near = nearest(value, words)
        return f'Did you mean "{near}"?' if near else ""
    if value is None:
        block = _block_model(model, loc[:-1])
        if block is not None and loc and str(loc[-1]) in block.model_fields:
            default = block.model_fields[str(loc[-1])].get_default(call_default_factory=True)
            if isinstance(default, (int, float, str)) and default != "":
                return f"Leave the key out to take the default, {json.dumps(default)}."
    return ""


def _block_model(model: type[BaseModel], loc: KeyPath) -> type[BaseModel] | None:
    """The model of a block inside another; blocks in maps and lists are found too."""
    current: Any = model
    for part in loc:
        if _is_model(current):
            field = current.model_fields.get(str(part))
            found = _members(field.annotation) if field is not None else ()
        else:  # the part is a key of a map, or a place in a list
            found = get_args(current)
        inner = [m for m in found if _is_model(m) or any(_is_model(x) for x in get_args(m))]
        current = inner[0] if inner else None
    return current if _is_model(current) else None


def _unknown_key(model: type[BaseModel], path: KeyPath, loc: KeyPath, homes: Homes) -> Said:
    key, full = str(loc[-1]), (*path, *loc)
    message = f"unknown key '{key}'" + (f" in {dotted(full[:-1])}." if len(full) > 1 else ".")
    hint = _home_of(_block_model(model, loc[:-1]), key, full, homes)
    return Said(message, hint, code="config.unknown-key")


def _home_of(owner: type[BaseModel] | None, key: str, full: KeyPath, homes: Homes) -> str:
    """Where an unknown key belongs, or what it may be meant for."""
    known = fields_of(owner) if owner is not None else []
    if homes.get(key):
        return f"It belongs {' or '.join(homes[key])}."
    if hint := usual_word(full):
        return hint
    block = f"in {dotted(full[:-1])}."
    others = [k for k, places in homes.items() if len(full) == 1 or places[0].startswith(block)]
    near = nearest(key, [*known, *others])
    if near is None:
        return f"Known here: {', '.join(known)}." if 0 < len(known) <= 14 else ""
    places = [] if near in known else [home for home in homes[near] if home != AT_THE_TOP]
    return f"Did you mean '{near}'{' ' * bool(places)}{' or '.join(places)}?"
