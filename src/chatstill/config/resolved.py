"""The resolved configuration: every value with where it comes from, for the record of a run."""

from typing import Any

from pydantic import BaseModel

from .places import KeyPath, dotted
from .schema import RunConfig
from .source import Source

_NO_VALUES = ("note", "method", "method_name", "level")


def resolve(config: RunConfig, block: str, source: Source) -> dict[str, dict[str, Any]]:
    """``{"seed": {"value": 7, "origin": "my.json:12"}, ...}``, nested keys with dots.

    Args:
        config: The run.
        block: Key of the block that holds the knobs of its method.
        source: What the user wrote, with the method file's defaults laid under it.
    """
    values = _flat((), config)
    if isinstance(config.method, BaseModel):
        values |= _flat((block,) if block else (), config.method)
    return {
        dotted(path): {
            "value": value,
            "origin": source.place(path).origin if source.has(path) else "default",
        }
        for path, value in values.items()
    }


def _flat(path: KeyPath, value: Any) -> dict[KeyPath, Any]:
    """The values inside blocks, as JSON has them; a list is one value."""
    if isinstance(value, BaseModel):
        inner = {name: getattr(value, name) for name in type(value).model_fields}
    elif isinstance(value, dict) and value:
        inner = value
    else:
        return {path: _listed(value)}
    found: dict[KeyPath, Any] = {}
    for key, item in inner.items():
        of_a_block = key == "method" and path  # the run's own is the class of its method
        if key not in _NO_VALUES or of_a_block:
            found |= _flat((*path, key), item)
    return found


def _listed(value: Any) -> Any:
    if isinstance(value, BaseModel):  # a row of a list
        return value.model_dump(mode="json", exclude_none=True)
    return [_listed(item) for item in value] if isinstance(value, (tuple, list)) else value
