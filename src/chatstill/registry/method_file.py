"""One JSON file of ``config/models_config``: what it holds, and what is wrong with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..disk.json_file import fault_of, read_json
from ..errors import Problem, UserError
from .names import nearest

KNOWN: dict[str, type] = {"model_type": str, "method": str, "aliases": list, "description": str}
KNOWN |= {"defaults": dict, "example": dict, "chain": str}


@dataclass(frozen=True)
class MethodFile:
    """One JSON file of ``config/models_config``.

    Attributes:
        path: Where it lies.
        label: How it is called in messages and origins.
        model_type: The name that a configuration gives.
        method: The module in ``chatstill/methods`` (or a plugin) that carries it out.
        aliases: Further names.
        description: One sentence.
        defaults: Values that hold where the user's file says nothing.
        example: The blocks to paste where the method's own block is missing.
        chain: The method is one of pipelines alone: ``teacher`` where each link's student is the next
            link's teacher. Empty for methods of single runs.
    """

    path: Path
    label: str
    model_type: str
    method: str
    aliases: tuple[str, ...] = ()
    description: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    example: Mapping[str, Any] = field(default_factory=dict)
    chain: str = ""


def read_block(path: Path, name: str) -> dict[str, Any]:
    """The keys of a method file, without its comments.

    Args:
        path: Where it lies.
        name: How it is called in messages.

    Raises:
        UserError: It is no JSON object.
    """
    try:
        values = read_json(path, pairs=_once)
    except (OSError, ValueError) as error:
        message = f"{fault_of(error)}."
        raise UserError(Problem(name, message, code="method.file-unreadable")) from None
    except KeyError as error:
        message = f"the key {error} stands there twice."
        raise UserError(Problem(name, message, code="method.file-key-twice")) from None
    if not isinstance(values, dict):
        message = "a method file is a block with model_type and method."
        raise UserError(Problem(name, message, code="method.file-is-no-block"))
    return {key: value for key, value in values.items() if key not in ("note", "$schema")}


def key_problems(values: Mapping[str, Any], name: str, knobs: Iterable[str]) -> list[Problem]:
    """What is wrong with the keys of a method file.

    Args:
        values: Its keys, those of its method taken out.
        name: How it is called in messages.
        knobs: The keys of its method, for near matches.
    """
    problems = []
    for key in ("model_type", "method"):
        if key not in values:
            message = (
                f"'{key}' is missing: the file of a method names its model_type and its method."
            )
            problems.append(Problem(name, message, code="method.file-key-missing"))
    for key, value in values.items():
        if key not in KNOWN:
            names = list(dict.fromkeys([*KNOWN, *knobs]))
            guess = nearest(key, names)
            hint = f"Did you mean '{guess}'?" if guess else f"Known: {', '.join(names)}."
            message = f"unknown key '{key}'."
            problems.append(Problem(name, message, hint, code="method.file-unknown-key"))
        elif not isinstance(value, KNOWN[key]):
            message = f"'{key}' must be a {KNOWN[key].__name__}."
            problems.append(Problem(name, message, code="method.file-wrong-type"))
    return problems


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A block of JSON whose keys stand there once."""
    block: dict[str, Any] = {}
    for key, value in pairs:
        if key in block:
            raise KeyError(key)
        block[key] = value
    return block
