"""A JSON Schema of the configuration, for editors: made of the same models that check a file.

Names that ignore case and hyphens are offered, not forced. The check itself forgives a little more, such as
another case of a choice of words.
"""

import inspect
import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel

from .. import lookup
from ..registry.model_types import BUILT_IN, own_models
from .compat.legacy import RENAMED
from .places import dotted
from .schema import RunKeys
from .trainer_keys import BLOCK, architectures, passed_through

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NOTE = {"description": "A comment."}
_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n        .*)*)", re.MULTILINE)


def run_schema(plugins: Sequence[str] = ()) -> dict[str, Any]:
    """The schema of a run's file, with the blocks of all methods and of the plugins' own.

    Raises:
        UserError: a plugin that can't be loaded.
    """
    shared: dict[str, Any] = {}
    schema = _block(RunKeys, shared)
    keys = schema["properties"]
    for name in lookup.method_names(plugins):
        method = lookup.method(name, plugins)
        if method.block:
            block = _block(method.Config, shared)
            keys[method.block] = block
            keys |= {knob: block["properties"][knob] for knob in method.top_level}
    keys[BLOCK] = {
        **keys[BLOCK],
        "properties": {name: {} for name in sorted({*passed_through(), "note"})},
        "additionalProperties": False,
    }
    _offer(keys["model_type"], method_names(plugins))
    _offer(keys["task_name"], task_names(plugins))
    for part in shared.values():
        if {"model_type", "config_file"} <= part["properties"].keys():  # an architecture
            _offer(part["properties"]["model_type"], _types(plugins))
    for old, new in RENAMED.items():
        text = f"An old name of {dotted(new)}."
        keys.setdefault(old, {"deprecated": True, "description": text})
    inside: dict[str, Any] = {
        key: {"$ref": f"#/properties/{key}"} for key in keys if key != "pipeline"
    }
    inside |= {"name": {"type": "string"}, "verb": {"enum": ["distill", "teach"]}}
    links = {"type": "object", "properties": inside}
    keys["pipeline"] = {**keys["pipeline"], "items": links}
    keys["$schema"] = {"type": "string", "description": "Where editors find this schema."}
    head = {"$schema": DIALECT, "title": "A run of chatstill"}
    return _without_required(head | schema | {"$defs": shared})


def method_file_schema() -> dict[str, Any]:
    """The schema of a method file, ``config/models_config/*.json``."""
    described = _described(lookup.MethodFile)
    types: dict[str, Any] = {"aliases": {"type": "array", "items": {"type": "string"}}}
    types |= {"defaults": {"type": "object"}, "example": {"type": "object"}}
    types["chain"] = {"enum": ["teacher"]}
    keys = ("model_type", "method", "aliases", "description", "defaults", "example", "chain")
    properties = {
        key: types.get(key, {"type": "string"}) | {"description": described[key]} for key in keys
    }
    shared: dict[str, Any] = {}
    knobs: dict[str, Any] = {}
    for name in lookup.method_names():  # knobs may stand at the top
        for key, about in _block(lookup.method(name).Config, shared)["properties"].items():
            other = knobs.get(key)
            knobs[key] = about if other in (None, about) else {"anyOf": [other, about]}
    properties = knobs | properties | {"note": _NOTE, "$schema": {"type": "string"}}
    found: dict[str, Any] = {
        "$schema": DIALECT,
        "title": "A method file of chatstill",
        "type": "object",
    }
    found |= {"properties": properties, "additionalProperties": False, "$defs": shared}
    return _without_required(found) | {"required": ["model_type"]}


def method_names(plugins: Sequence[str] = ()) -> list[str]:
    """What ``model_type`` at the top of a file takes, aliases too."""
    files = lookup.method_files().values()
    named = [name for file in files for name in (file.model_type, *file.aliases)]
    carried = {file.method for file in files}
    return [*named, *(name for name in lookup.method_names(plugins) if name not in carried)]


def task_names(plugins: Sequence[str] = ()) -> list[str]:
    """What ``task_name`` takes."""
    from ..tasks import every_name
    from ..tasks.own import plugin_tasks

    return [*every_name(), *(name for plugin in plugins for name in plugin_tasks(plugin))]


def _types(plugins: Sequence[str]) -> list[str]:
    return [*BUILT_IN, *own_models(plugins), *sorted(architectures())]


def _block(model: type[BaseModel], shared: dict[str, Any]) -> dict[str, Any]:
    """The schema of one model; models inside it go to ``shared``."""
    schema = model.model_json_schema(ref_template="#/$defs/{model}")
    inner = schema.pop("$defs", {})
    for name, part in inner.items():
        shared.setdefault(name, part)
    for found in _models_in(model):
        if found.__name__ in shared:
            _describe(shared[found.__name__], found)
    _describe(schema, model)
    return schema


def _models_in(model: type[BaseModel]) -> list[type[BaseModel]]:
    found = []
    parts = [field.annotation for field in model.model_fields.values()]
    while parts:
        part = parts.pop()
        parts += get_args(part)
        if isinstance(part, type) and issubclass(part, BaseModel):
            found += [part, *_models_in(part)]
    return found


def _without_required(schema: Any) -> Any:
    """Nothing is required: a method file may hold what a run's file leaves out."""
    if isinstance(schema, list):
        return [_without_required(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if not _lists_required(key, value)}
    return {key: _without_required(value) for key, value in kept.items()}


def _lists_required(key: str, value: Any) -> bool:
    return key == "required" and isinstance(value, list)


def _describe(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Descriptions out of the docstring; titles that only repeat the key go."""
    described = _described(model)
    schema.pop("title", None)
    schema["description"] = (inspect.getdoc(model) or "").split("\n\n")[0].replace("\n", " ")
    for key, value in schema["properties"].items():
        value.pop("title", None)
        if key in described:
            value["description"] = described[key]
    schema["properties"]["note"] = dict(_NOTE)


def _described(model: type) -> dict[str, str]:
    """Attribute -> its text in the docstring of a class, of its bases, or of others of the same base."""
    found: dict[str, str] = {}
    bases = [cls for cls in model.__mro__[1:] if getattr(cls, "model_fields", None)]
    relatives: list[type] = []
    for base in bases:
        relatives += base.__subclasses__()
    for cls in [*relatives, *reversed(model.__mro__)]:
        text = (inspect.cleandoc(cls.__doc__ or "")).partition("Attributes:")[2]
        for name, words in _ATTRIBUTE.findall(text):
            found[name] = " ".join(words.split()).replace("``", "`")
    return found


def _offer(schema: dict[str, Any], words: Sequence[str]) -> None:
    """Offers words for a key that takes any text."""
    others = [part for part in schema.pop("anyOf", ()) if part.get("type") != "string"]
    schema.pop("type", None)
    schema["anyOf"] = [{"enum": list(dict.fromkeys(words))}, {"type": "string"}, *others]
