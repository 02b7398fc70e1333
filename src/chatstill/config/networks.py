"""The networks that a configuration names: architecture, weights and tokenizer are there and fit."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import lookup
from ..errors import Problem, Said
from ..models.networks import network as ours_of
from ..models.networks import networks
from ..registry.model_types import BUILT_IN, borrowed_types, built_in, own_models
from ..registry.names import nearest
from .near import absent, near_file
from .places import KeyPath, dotted
from .schema import Architecture, RunKeys
from .source import Source
from .tokenizers import named_tokenizer
from .trainer_keys import architectures
from .validate import validate
from .weights import (
    kind_of,
    read_json,
    weights_fault,
)

if TYPE_CHECKING:
    from ..models.networks.base import Network

TEACHER, STUDENT = "teacher_architectures", "student_architectures"
PRETRAINED = "pretrained_architectures"


def check_network(
    network: Architecture,
    source: Source,
    block: str,
    *,
    required: bool,
    plugins: Sequence[str] = (),
) -> list[Problem]:
    """Findings about one block; they are warnings where the run can do without the network."""
    custom = next((o for o in own_models(plugins) if _same(o, network.model_type)), None)
    ours = ours_of(network.model_type) if custom is None else None
    problems = [] if custom or ours else _model_type(network, source, block, plugins)
    problems += _network(network, ours, source, block)
    if custom or built_in(network.model_type):  # what the files say is its type goes with these
        network = network.model_copy(update={"model_type": None})
    if network.config_file is not None:
        problems += _config_file(network, source, block, custom=custom is not None)
    if network.model_name_or_path is not None:
        problems += _weights(network, source, block)
    if network.tokenizer_name_or_path is not None:
        problems += named_tokenizer(network.tokenizer_name_or_path, source, (block,))
    if not required:
        problems = [replace(problem, severity="warning") for problem in problems]
    return problems


def with_start_files(keys: RunKeys, source: Source) -> tuple[RunKeys, list[Problem]]:
    """The keys with the folder of the files that a network of the package starts from in its block.

    It is that of ``model_name_or_path``, unless a saved network lies there; else ``data_dir``; else the
    working directory.
    """
    block = keys.student_architectures
    ours = ours_of(block.model_type) if block is not None else None
    if block is None or ours is None or not ours.starts_from_files:
        return keys, []
    named = block.model_name_or_path or (block.network or {}).get("folder")
    if named and not isinstance(named, str):
        return keys, []  # told with the other keys
    if (
        named
        and kind_of(Path(named)) == "file"
        and Path(named).suffix not in (".safetensors", ".bin")
    ):
        message = f"'{STUDENT}.model_name_or_path': {named} is a file."
        hint = f"Name the folder that it lies in: {Path(named).parent}"
        place = (STUDENT, "model_name_or_path")
        return keys, [source.problem(place, message, hint, code="network.start-is-a-file")]
    if named in source.files_promised:
        return _starting_in(keys, block, named), []
    # Keys of `network` belong to a start from files: the weights of a saved network bring their own.
    missing = bool(named and block.network and not kind_of(Path(named)))
    if named and _is_saved(Path(named), ours) and not missing:
        return keys, []  # weights of its own, or a name that is told as any other
    found = ours.find([Path(named)] if named else [Path(keys.data_dir), Path()])
    faults = (
        [source.told((STUDENT, "model_name_or_path"), found)] if isinstance(found, Said) else []
    )
    return _starting_in(keys, block, "" if isinstance(found, Said) else str(found)), faults


def _starting_in(keys: RunKeys, block: Architecture, folder: str) -> RunKeys:
    """The keys with the folder of the files that the student starts from."""
    change = {"model_name_or_path": None, "network": {**(block.network or {}), "folder": folder}}
    return keys.model_copy(update={STUDENT: block.model_copy(update=change)})


def _is_saved(place: Path, ours: "type[Network]") -> bool:
    """Whether a place is, or may be, a saved network, not a folder of the files that one starts from."""
    config = place / "config.json"
    if kind_of(place) != "folder" or not kind_of(config):
        return kind_of(place) != "folder"
    values, _ = read_json(config)
    return values is None or values.get("model_type") not in ours.beside_files


def _model_type(
    network: Architecture, source: Source, block: str, plugins: Sequence[str]
) -> list[Problem]:
    known, name = architectures(), network.model_type
    if name is None or not known or name in known or built_in(name):
        return []
    path = (block, "model_type")
    message = f"transformers knows no architecture '{name}'" + (
        ", and no plugin has a model of that name." if plugins else "."
    )
    near = nearest(name, sorted({*known, *networks(), *BUILT_IN, *own_models(plugins)}))
    hint = f"Did you mean '{near}'?" if near else "It is a word such as bert, roberta, electra."
    if not plugins:
        hint += ' A model of your own comes from a file: "plugins": ["my_model.py"].'
    return [
        source.problem(path, message, hint, code="network.type-unknown"),
        *borrowed_types(plugins),
    ]


def _network(
    network: Architecture, ours: "type[Network] | None", source: Source, block: str
) -> list[Problem]:
    """The keys of a network of the package."""
    path = (block, "network")
    if ours is None:
        if network.network is None:
            return []
        names = ", ".join(networks())
        message = f"'{dotted(path)}' goes with a network of the package, and model_type names none."
        return [
            source.problem(
                path,
                message,
                f'Set "model_type" in {block}: {names}.',
                code="network.block-without-network",
            )
        ]
    if ours.made_by and network.model_name_or_path is None:
        message = f"'{block}.model_type': a '{ours.model_type}' is made by the method of that name."
        hint = f'Set "model_type": "{ours.made_by}" at the top of the file, and leave it out here.'
        return [
            source.problem((block, "model_type"), message, hint, code="network.made-by-a-method")
        ]
    if block != STUDENT and network.model_name_or_path is None:
        message = f"'{block}.model_type': '{ours.model_type}' is made for a student."
        hint = (
            "Train it alone as a student: `compare_alone`, or a method whose terms are hard alone."
        )
        return [
            source.problem((block, "model_type"), message, hint, code="network.for-students-alone")
        ]
    if block != STUDENT or network.model_name_or_path is not None:
        if network.network is None:
            return []
        message = (
            f"'{dotted(path)}': the weights of model_name_or_path bring their own sizes and words."
        )
        return [source.problem(path, message, "Leave it out.", code="network.block-beside-weights")]
    keys, problems, _ = validate(ours.Block, network.network or {}, source, path)
    problems += [
        source.problem(
            (block, key),
            f"'{block}.{key}' says nothing of a {ours.model_type} network.",
            "Leave it out: its sizes stand in network.",
            code="network.key-without-meaning",
        )
        for key in ("config_file", "tokenizer_name_or_path", "num_hidden_layers", "copy_layers")
        if getattr(network, key, None) is not None
    ]
    if getattr(network, "copy_from", None) not in (None, "none"):
        message = (
            f"'{block}.copy_from': a {ours.model_type} network has no layers that could be copied."
        )
        problems.append(
            source.problem(
                (block, "copy_from"), message, "Leave it out.", code="network.no-layers-to-copy"
            )
        )
    return [*problems, *_values(keys, ours, source, path)] if keys is not None else problems


def _values(keys: Any, ours: "type[Network]", source: Source, path: KeyPath) -> list[Problem]:
    """Files that a network's keys name, and what else is wrong with their values."""
    problems = []
    for key, file in ours.files(keys).items():
        if not kind_of(Path(file)):
            where = (*path, key)
            message = f"'{dotted(where)}': there is no file {file}."
            problems.append(
                source.problem(where, message, near_file(file), code="network.file-missing")
            )
    promised = [key for key in ours.places if getattr(keys, key) in source.files_promised]
    for key, said in ours.problems(keys):
        if key not in promised:  # a link before this one makes them
            problems.append(source.told((*path, key), said.under(dotted((*path, key)))))
    return problems


def _same(name: str, other: str | None) -> bool:
    return other is not None and lookup.plain(name) == lookup.plain(other)


def _config_file(
    network: Architecture, source: Source, block: str, *, custom: bool
) -> list[Problem]:
    path, name = (block, "config_file"), str(network.config_file)
    if not kind_of(Path(name)):
        return [
            source.problem(
                path,
                f"'{dotted(path)}': there is no file {name}.",
                near_file(name),
                code="network.config-missing",
            )
        ]
    if kind_of(Path(name)) == "folder":
        hint = f"Name the file: {Path(name) / 'config.json'}"
        return [
            source.problem(
                path,
                f"'{dotted(path)}': {name} is a folder.",
                hint,
                code="network.config-is-a-folder",
            )
        ]
    values, fault = read_json(Path(name))
    if values is None:
        return [
            source.problem(
                path, f"'{dotted(path)}': {name} {fault}.", code="network.config-unreadable"
            )
        ]
    if "model_type" not in values and network.model_type is None and not custom:
        message = f"'{dotted(path)}': {name} names no model_type, and neither does {block}."
        return [
            source.problem(
                path,
                message,
                f'Set "model_type" in {block}, such as "bert".',
                code="network.type-not-told",
            )
        ]
    return _same_type(network, source, block, values.get("model_type"), name)


def _same_type(
    network: Architecture, source: Source, block: str, found: object, file: str
) -> list[Problem]:
    if network.model_type is None or not isinstance(found, str) or found == network.model_type:
        return []
    message = f"'{block}.model_type' is '{network.model_type}', but {file} says '{found}'."
    return [
        source.problem(
            (block, "model_type"),
            message,
            f"Write '{found}', or leave it out.",
            code="network.two-types",
        )
    ]


def _weights(network: Architecture, source: Source, block: str) -> list[Problem]:
    path, name = (block, "model_name_or_path"), str(network.model_name_or_path)
    kind = kind_of(Path(name))
    if not kind and name in source.promised:
        return []
    if not kind:
        return [absent(name, source, path)]
    fault = weights_fault(Path(name))
    if fault is not None:
        return [source.told(path, fault.under(dotted(path)))]
    if network.config_file is not None:
        return []
    config = (Path(name) if kind == "folder" else Path(name).parent) / "config.json"
    if not kind_of(config):
        message = f"'{dotted(path)}': the folder {config.parent} holds no config.json."
        hint = f'Name the architecture: "config_file" in {block}.'
        return [source.problem(path, message, hint, code="weights.no-config")]
    values, error = read_json(config)
    if values is None:
        return [
            source.problem(
                path, f"'{dotted(path)}': {config} {error}.", code="network.config-unreadable"
            )
        ]
    return _same_type(network, source, block, values.get("model_type"), str(config))
