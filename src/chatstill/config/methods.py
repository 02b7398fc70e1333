"""The method that a configuration asks for, and the blocks of all methods that it holds."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_origin

from pydantic import BaseModel

from .. import lookup
from ..errors import Problem, UserError
from .compat.legacy import merge
from .places import KeyPath, Place, dotted
from .rules import paste
from .schema import RunKeys
from .source import Source, parse_object
from .validate import AT_THE_TOP, fields_of, validate

if TYPE_CHECKING:
    from ..methods.base import Method

FINETUNE = "finetune"


@dataclass(frozen=True)
class MethodChoice:
    """What runs.

    Attributes:
        method_name: Module of the method; empty if none runs.
        model_type: Its name in the method file; None if none runs or it has no file.
        method: Its class; None if none runs or it could not be found.
        example: Blocks to paste where its own is missing.
    """

    method_name: str = ""
    model_type: str | None = None
    method: "type[Method] | None" = None
    example: Mapping[str, Any] = field(default_factory=dict)

    def level_of(self, knobs: Any) -> str | None:
        """The level of the run; None where no method runs, or its knobs are at fault."""
        if self.method is None or (knobs is None and self.method.block):
            return None
        return self.method.level_of(knobs or self.method.Config())

    def draws_tokens(self, knobs: Any) -> bool:
        """Whether the run draws tokens anew; False where its knobs are at fault."""
        if self.method is None or (knobs is None and self.method.block):
            return False
        return self.method.draws_tokens(knobs or self.method.Config())

    def data_of(self, knobs: Any) -> tuple[str, ...]:
        """What the phases of the run learn from; nothing where no method runs, or its knobs are at fault."""
        if self.method is None or (knobs is None and self.method.block):
            return ()
        return self.method.data_of(knobs or self.method.Config())


@dataclass
class Blocks:
    """The methods' blocks of a file.

    Attributes:
        config: The knobs of the method that runs, if they are good.
        name: The key of its block.
        known: Keys of all blocks, of methods that run or not.
        homes: Knob -> where it belongs, in words, for knobs that stand elsewhere by mistake.
        problems: Faults; those of other methods are warnings.
        idle: What the user wrote for methods that do not run: their blocks, and knobs of theirs at the top.
    """

    config: BaseModel | None = None
    name: str = ""
    known: set[str] = field(default_factory=set)
    homes: dict[str, list[str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)


def choose_method(
    source: Source, unfilled: Mapping[KeyPath, Problem], *, verb: str, plugins: tuple[str, ...]
) -> tuple[MethodChoice, list[Problem]]:
    """The method of ``model_type`` or ``configuration_file``, whose defaults are laid under the file's."""
    if verb in ("evaluate", "predict", "augment"):
        return MethodChoice(), []
    if verb == "teach":
        return MethodChoice(FINETUNE, None, lookup.method(FINETUNE)), []
    name, file_name = source.get(("model_type",)), source.get(("configuration_file",))
    if not all(word is None or isinstance(word, str) for word in (name, file_name)):
        return MethodChoice(), []
    if name is None and file_name is None:
        return MethodChoice(), [_no_name(source, unfilled)]
    try:
        file = lookup.find_method_file(name, file_name, lookup.method_names(plugins))
        method = lookup.method(file.method, plugins)
    except UserError as error:
        key = ("model_type",) if name is not None else ("configuration_file",)
        key = ("configuration_file",) if file_name is not None else key
        return MethodChoice(), [_placed(problem, source, key) for problem in error.problems]
    if file.chain and not source.link:
        return MethodChoice(), [_chain_alone(source, file)]
    place = Place(origin=file.label, where=file.label)
    lay_under(source, (), dict(file.defaults), place, method.overridden_by)
    _locate(source, file, method.block)
    return MethodChoice(file.method, file.model_type, method, file.example), []


def read_blocks(
    source: Source, choice: MethodChoice, plugins: tuple[str, ...], *, verb: str
) -> Blocks:
    """Checks the block of the method that runs, then, as warnings, those of the others."""
    blocks = Blocks()
    methods = {name: lookup.method(name, plugins) for name in lookup.method_names(plugins)}
    if choice.method is not None:
        blocks.name = choice.method.block
        _running(source, choice, blocks, verb=verb)
    others = {m.block: m for m in methods.values() if m.block and m.block != blocks.name}
    for block, method in others.items():
        blocks.idle += [key for key in (block, *method.top_level) if source.written((key,))]
        _lift(source, method, blocks, warning=True)
        if (
            method.reads_words
        ):  # sizes and a segmenter: words that are most often meant for a network
            blocks.known.add(block)
        else:
            _learn(block, method.Config, blocks)
        _other(source, block, method.Config, blocks)
    return blocks


def _running(source: Source, choice: MethodChoice, blocks: Blocks, *, verb: str) -> None:
    method, block = choice.method, blocks.name
    assert method is not None
    if not block:
        blocks.config = method.Config()
        return
    present = source.has((block,))
    _lift(source, method, blocks, warning=False)
    _learn(block, method.Config, blocks)
    if not present:
        example = choice.example if block in choice.example else {block: _defaults(method.Config)}
        shown = {block: example[block]}
        hint = f"Paste it beside the other keys:\n{paste(shown)}"
        message = f"the block '{block}' is missing, which the method '{choice.model_type}' needs."
        blocks.problems.append(Problem(source.name, message, hint, code="method.block-missing"))
        return
    homes = _entries(source, block, method.Config) | _top_keys()
    blocks.config, problems, _ = validate(
        method.Config, source.get((block,)), source, (block,), homes=homes
    )
    blocks.problems += problems


def _other(source: Source, block: str, model: type[BaseModel], blocks: Blocks) -> None:
    if source.has((block,)):
        found = validate(model, source.get((block,)), source, (block,), warning=True)[1]
        # What is missing may stand in the file of a method that is not read now.
        told = [p for p in found if not re.search(r"' is missing\.$|' lacks '", p.message)]
        blocks.problems += told


def _learn(block: str, model: type[BaseModel], blocks: Blocks) -> None:
    blocks.known.add(block)
    blocks.homes[block] = [AT_THE_TOP]
    for knob in fields_of(model):
        if knob != "note":
            blocks.homes.setdefault(knob, []).append(f"in {block}")


def _top_keys() -> dict[str, list[str]]:
    return {key: [AT_THE_TOP] for key in fields_of(RunKeys) if key != "note"}


def _entries(source: Source, block: str, model: type[BaseModel]) -> dict[str, list[str]]:
    """Names in the maps of a block, such as those of terms: a term often stands beside ``terms``."""
    found: dict[str, list[str]] = {}
    for knob, about in model.model_fields.items():
        values = source.get((block, knob))
        if get_origin(about.annotation) is dict and isinstance(values, dict):
            found |= {name: [f"in {block}.{knob}"] for name in values}
    return found


def _lift(source: Source, method: "type[Method]", blocks: Blocks, *, warning: bool) -> None:
    """Knobs that stand at the top of the file into the method's block."""
    for key in method.top_level:
        if not source.has((key,)):
            continue
        inside = (method.block, key)
        if source.has(inside) and not source.written(inside) and source.written((key,)):
            source.drop(inside)  # the method's file gives way
        clash = merge(source, (key,), (method.block, key))
        if clash is not None:
            message = (
                f"'{key}' stands at the top and in {method.block} ({_where(source, method, key)})."
            )
            severity: Literal["error", "warning"] = "warning" if warning else "error"
            blocks.problems.append(
                Problem(
                    clash.place,
                    message,
                    "Keep one of them.",
                    severity,
                    code="method.key-at-two-places",
                )
            )


def _where(source: Source, method: "type[Method]", key: str) -> str:
    place = source.place((method.block, key))
    return f"line {place.line}" if place.line else place.where


def lay_under(
    source: Source,
    path: KeyPath,
    values: Mapping[str, Any],
    place: Place,
    overridden_by: Mapping[str, str],
) -> None:
    """Values of the method file where the user's file says nothing, nor gives an alternative."""
    for key, value in values.items():
        if key in overridden_by and source.has((*path, overridden_by[key])):
            continue
        if key == "network" and source.get((*path, "model_name_or_path")):
            continue  # weights bring their own sizes and words
        if isinstance(value, dict) and source.has((*path, key)):
            lay_under(source, (*path, key), value, place, overridden_by)
        elif not source.has((*path, key)) and isinstance(source.get(path), dict):
            source.put((*path, key), json.loads(json.dumps(value)), place)


def _locate(source: Source, file: lookup.MethodFile, block: str) -> None:
    """Gives the values that came from a method's file their lines in it."""
    for path, found in parse_object(file.path)[0].places.items():
        meant = path[1:] if path[0] == "defaults" else (block, *path)
        before = source.place(meant) if source.get(meant) is not None else None
        if before is not None and (before.origin, before.line) == (file.label, 0):
            where = file.label + found.where.removeprefix(str(file.path))
            source.places[meant] = Place(origin=file.label, where=where)


def _defaults(model: type[BaseModel]) -> dict[str, Any]:
    """A block of a model's knobs with their defaults, for pasting; those without stand as ``...``."""
    block: dict[str, Any] = {}
    for name, knob in model.model_fields.items():
        if knob.is_required():
            block[name] = "..."
        elif knob.get_default(call_default_factory=True) is not None:
            block[name] = knob.get_default(call_default_factory=True)
    return json.loads(json.dumps(block, default=str))


def _no_name(source: Source, unfilled: Mapping[KeyPath, Problem]) -> Problem:
    known = ", ".join(sorted(lookup.method_files()))
    hint = f"It names the method; known: {known}. (`chatstill teach` needs none.)"
    if ("model_type",) in unfilled:
        return replace(unfilled[("model_type",)], hint=hint)
    return Problem(source.name, "'model_type' is missing.", hint, code="method.not-named")


def _chain_alone(source: Source, file: lookup.MethodFile) -> Problem:
    shown = {"pipeline": file.example.get("pipeline", [])}
    message = f"'{file.model_type}' is a chain of runs, and there is no 'pipeline' that lists them."
    hint = f"Paste it beside the other keys and fill it in:\n{paste(shown)}"
    return source.problem(("model_type",), message, hint, code="chain.no-pipeline")


def _placed(problem: Problem, source: Source, path: KeyPath) -> Problem:
    """A finding of the lookup at the key that led to it."""
    if problem.place:
        return problem
    hint = problem.hint
    if not hint and path == ("model_type",):
        hint = (
            'For a method of your own, name its JSON file: "configuration_file": "my_method.json".'
        )
    message = f"'{dotted(path)}': {problem.message}"
    return source.problem(path, message, hint, code=problem.code)
