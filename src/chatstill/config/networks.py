"""The networks that a configuration names: architecture, weights and tokenizer are there and fit."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import lookup
from ..errors import Problem
from ..models.networks import network as ours_of
from ..models.networks import networks
from ..registry.model_types import BUILT_IN, borrowed_types, built_in, own_models
from .places import KeyPath, dotted
from .schema import Architecture, RunKeys
from .source import Source
from .trainer_keys import architectures
from .validate import validate
from .weights import (
    TOKENIZER_FILES,
    kind_of,
    looks_like_hub_name,
    read_json,
    weights_fault,
    with_weights,
)

if TYPE_CHECKING:
    from ..models.networks.base import Network

_TOKENIZERS = "tokenizer.json, vocab.txt, vocab.json or a sentencepiece model"
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
    own = next((o for o in own_models(plugins) if _same(o, network.model_type)), None)
    ours = ours_of(network.model_type) if own is None else None
    problems = [] if own or ours else _model_type(network, source, block, plugins)
    problems += _network(network, ours, source, block)
    if own or built_in(network.model_type):  # what the files say is its type goes with these
        network = network.model_copy(update={"model_type": None})
    if network.config_file is not None:
        problems += _config_file(network, source, block, own=own is not None)
    if network.model_name_or_path is not None:
        problems += _weights(network, source, block)
    if network.tokenizer_name_or_path is not None:
        problems += _tokenizer_path(network.tokenizer_name_or_path, source, (block,))
    if not required:
        problems = [Problem(p.place, p.message, p.hint, "warning") for p in problems]
    return problems


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
    near = lookup.nearest(name, sorted({*known, *BUILT_IN, *own_models(plugins)}))
    hint = f"Did you mean '{near}'?" if near else "It is a word such as bert, roberta, electra."
    if not plugins:
        hint += ' A model of your own comes from a file: "plugins": ["my_model.py"].'
    return [source.problem(path, message, hint), *borrowed_types(plugins)]


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
        return [source.problem(path, message, f'Set "model_type" in {block}: {names}.')]
    if ours.made_by and network.model_name_or_path is None:
        message = f"'{block}.model_type': a '{ours.model_type}' is made by the method of that name."
        hint = f'Set "model_type": "{ours.made_by}" at the top of the file, and leave it out here.'
        return [source.problem((block, "model_type"), message, hint)]
    if block != STUDENT and network.model_name_or_path is None:
        message = f"'{block}.model_type': '{ours.model_type}' is made for a student."
        hint = (
            "Train it alone as a student: `compare_alone`, or a method whose terms are hard alone."
        )
        return [source.problem((block, "model_type"), message, hint)]
    if block != STUDENT or network.model_name_or_path is not None:
        if network.network is None:
            return []
        message = (
            f"'{dotted(path)}': the weights of model_name_or_path bring their own sizes and words."
        )
        return [source.problem(path, message, "Leave it out.")]
    keys, problems, _ = validate(ours.Block, network.network or {}, source, path)
    problems += [
        source.problem(
            (block, key),
            f"'{block}.{key}' says nothing of a {ours.model_type} network.",
            "Leave it out: its sizes stand in network.",
        )
        for key in ("config_file", "tokenizer_name_or_path", "num_hidden_layers", "copy_layers")
        if getattr(network, key, None) is not None
    ]
    if getattr(network, "copy_from", None) not in (None, "none"):
        message = (
            f"'{block}.copy_from': a {ours.model_type} network has no layers that could be copied."
        )
        problems.append(source.problem((block, "copy_from"), message, "Leave it out."))
    if not isinstance(keys, ours.Block):
        return problems
    for key, file in ours.files(keys).items():
        if not kind_of(Path(file)):
            where = (*path, key)
            message = f"'{dotted(where)}': there is no file {file}."
            problems.append(source.problem(where, message, near_file(file)))
    for key, said, hint in ours.problems(keys):
        problems.append(source.problem((*path, key), f"'{dotted((*path, key))}': {said}", hint))
    return problems


def _same(name: str, other: str | None) -> bool:
    return other is not None and lookup.plain(name) == lookup.plain(other)


def _config_file(network: Architecture, source: Source, block: str, *, own: bool) -> list[Problem]:
    path, name = (block, "config_file"), str(network.config_file)
    if not kind_of(Path(name)):
        return [
            source.problem(path, f"'{dotted(path)}': there is no file {name}.", near_file(name))
        ]
    if kind_of(Path(name)) == "folder":
        hint = f"Name the file: {Path(name) / 'config.json'}"
        return [source.problem(path, f"'{dotted(path)}': {name} is a folder.", hint)]
    values, fault = read_json(Path(name))
    if values is None:
        return [source.problem(path, f"'{dotted(path)}': {name} {fault}.")]
    if "model_type" not in values and network.model_type is None and not own:
        message = f"'{dotted(path)}': {name} names no model_type, and neither does {block}."
        return [source.problem(path, message, f'Set "model_type" in {block}, such as "bert".')]
    return _same_type(network, source, block, values.get("model_type"), name)


def _same_type(
    network: Architecture, source: Source, block: str, found: object, file: str
) -> list[Problem]:
    if network.model_type is None or not isinstance(found, str) or found == network.model_type:
        return []
    message = f"'{block}.model_type' is '{network.model_type}', but {file} says '{found}'."
    return [source.problem((block, "model_type"), message, f"Write '{found}', or leave it out.")]


def _weights(network: Architecture, source: Source, block: str) -> list[Problem]:
    path, name = (block, "model_name_or_path"), str(network.model_name_or_path)
    kind = kind_of(Path(name))
    if not kind and name in source.promised:
        return []
    if not kind:
        return [_absent(name, source, path)]
    fault = weights_fault(Path(name))
    if fault is not None:
        return [source.problem(path, f"'{dotted(path)}': {fault[0]}", fault[1])]
    if network.config_file is not None:
        return []
    config = (Path(name) if kind == "folder" else Path(name).parent) / "config.json"
    if not kind_of(config):
        message = f"'{dotted(path)}': the folder {config.parent} holds no config.json."
        hint = f'Name the architecture: "config_file" in {block}.'
        return [source.problem(path, message, hint)]
    values, error = read_json(config)
    if values is None:
        return [source.problem(path, f"'{dotted(path)}': {config} {error}.")]
    return _same_type(network, source, block, values.get("model_type"), str(config))


def _absent(name: str, source: Source, path: KeyPath) -> Problem:
    """A path that is not there: a mistake, or a name of the hub."""
    prefix = Path(name + ".index")
    if kind_of(prefix):
        message = f"'{dotted(path)}': {name} is a TensorFlow checkpoint."
        return source.problem(path, message, weights_fault(prefix)[1])  # type: ignore[index]
    if means_hub(name):
        message = f"'{dotted(path)}': no folder {name} here, so it is taken as a name on the hub."
        return source.problem(path, message, near_file(name), warning=True)
    return source.problem(
        path, f"'{dotted(path)}': there is no file or folder {name}.", near_file(name)
    )


def means_hub(name: str) -> bool:
    """Whether a name that is no folder here may be one of the hub: not where its first part is one."""
    if not looks_like_hub_name(name) or _mistyped(name) is not None:
        return False
    return not ("/" in name and kind_of(Path(Path(name).parts[0])))


def _mistyped(name: str) -> Path | None:
    """The folder ``x/b`` or ``x/c`` where ``a/b`` is not there, but ``x`` is like ``a``.

    Such a name looks like one of the hub; a folder here that differs by a slip tells that it is none.
    """
    parts = Path(name).parts
    if len(parts) != 2 or kind_of(Path(parts[0])):
        return None
    for folder in difflib.get_close_matches(parts[0], _folders(Path()), n=3, cutoff=0.75):
        inside = _folders(Path(folder))
        near = difflib.get_close_matches(parts[1], inside, n=1, cutoff=0.75)
        if near:
            return Path(folder) / near[0]
    return None


def _folders(place: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in place.iterdir() if entry.is_dir())
    except OSError:
        return []


def near_file(name: str) -> str:
    """The nearest name in the folder where the path ends to exist, or where paths count from."""
    meant = _mistyped(name)
    if meant is not None:
        return f"Did you mean {with_weights(meant)}?"
    path = Path(name)
    parent = next((p for p in path.parents if kind_of(p) == "folder"), Path())
    if path.parent == parent and parent.is_dir():
        try:
            names = [entry.name for entry in parent.iterdir()]
        except OSError:
            names = []
        near = difflib.get_close_matches(path.name, names, n=1)
        if near:
            return f"Did you mean {with_weights(parent / near[0])}?"
    if path.is_absolute():
        return f"The path exists up to {parent}."
    return f"Paths count from the working directory, {Path.cwd()}."


def _tokenizer_path(name: str, source: Source, block: KeyPath) -> list[Problem]:
    path = (*block, "tokenizer_name_or_path")
    kind = kind_of(Path(name))
    if not kind and name in source.promised:
        return []
    if not kind:
        return [_absent(name, source, path)]
    if kind == "folder" and not _has_tokenizer(Path(name)):
        message = f"'{dotted(path)}': {name} holds no tokenizer."
        return [source.problem(path, message, f"Looked for {_TOKENIZERS}.")]
    return []


def _has_tokenizer(folder: Path) -> bool:
    return any(kind_of(folder / name) == "file" for name in TOKENIZER_FILES)


def check_tokenizer(keys: RunKeys, source: Source) -> list[Problem]:
    """One of the places where a tokenizer is looked for has to hold one."""
    if keys.tokenizer_name_or_path is not None:
        return _tokenizer_path(keys.tokenizer_name_or_path, source, ())
    teacher = keys.teacher_architectures
    if teacher is None or not keys.do_train or teacher.tokenizer_name_or_path is not None:
        return []
    folders = []
    for name in (teacher.model_name_or_path, teacher.config_file):
        if name is not None and not kind_of(Path(name)):
            return []  # a hub name brings its tokenizer; a missing file is reported already
        if name is not None:
            folders.append(Path(name) if kind_of(Path(name)) == "folder" else Path(name).parent)
    if not folders or any(_has_tokenizer(folder) for folder in folders):
        return []
    weights = Path(teacher.model_name_or_path or "")
    if teacher.model_name_or_path and with_weights(weights) != weights:
        return []  # a run folder in place of its network, which is told already
    where = " and ".join(dict.fromkeys(str(folder) for folder in folders))
    message = f"no tokenizer: looked for {_TOKENIZERS} in {where}."
    hint = 'Copy the teacher\'s vocab.txt there, or set "tokenizer_name_or_path".'
    key = "model_name_or_path" if teacher.model_name_or_path else "config_file"
    return [source.problem((TEACHER, key), message, hint)]
