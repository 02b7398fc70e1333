"""A network's architecture: a JSON file, or the config.json of its weights, as a config object."""

import difflib
from pathlib import Path
from typing import Any, Protocol

from transformers import PretrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

from ..disk.json_file import fault_of, read_object
from ..errors import Problem, UserError
from ..registry.hub import require_hub
from ..registry.model_types import built_in
from ..tasks.label_names import settled_tables
from .custom import extends, own_type
from .hub import hub_errors
from .layers import cut_config, num_layers_of
from .networks import network, starting_beside
from .weights import Weights, find_weights

# Switches of single runs that some config files carry; they would change what a forward pass
# returns.
MOST_LAYERS = 1000
MOST_LABELS = 100_000  # a name is made for each
RUN_SWITCHES = (
    "output_attentions",
    "output_hidden_states",
    "return_dict",
    "torchscript",
    "use_bfloat16",
)


class Architecture(Protocol):
    """What is read of an architecture block of the configuration."""

    @property
    def model_type(self) -> str | None: ...
    @property
    def model_name_or_path(self) -> str | None: ...
    @property
    def config_file(self) -> str | None: ...
    @property
    def num_hidden_layers(self) -> int | None: ...
    @property
    def num_labels(self) -> int | None: ...


def load_config(
    architecture: Architecture, role: str, cache_dir: str | None = None
) -> PretrainedConfig:
    """The architecture of a network: of ``config_file``, else the config.json of its weights.

    Args:
        architecture: The block of the configuration; its ``num_hidden_layers`` cuts what is read
            from the weights' own config.json to its first layers.
        role: ``teacher`` or ``student``, for messages.
        cache_dir: Where files of the hub are kept.

    Raises:
        UserError: no such file, not JSON, a model type that is missing, unknown or contradicted.
    """
    block = f"{role}_architectures"
    kind = None if built_in(architecture.model_type) else architecture.model_type
    of_plugin = own_type(kind)
    if architecture.config_file:
        place = f"{block}.config_file"
        file = Path(architecture.config_file).expanduser()
        config = config_from_dict(_read_json(file, place), kind, file, place)
    elif architecture.model_name_or_path:
        place = f"{block}.model_name_or_path"
        weights = find_weights(architecture.model_name_or_path, place)
        config = config_of_weights(weights, kind, place, cache_dir)
    elif of_plugin is not None:  # as its config class has it
        config = config_from_dict({}, kind, of_plugin.plugin, f"{block}.model_type")
    else:
        raise UserError(
            Problem(
                block,
                "neither config_file nor model_name_or_path is given",
                "Give config_file (the architecture), model_name_or_path (the weights), or both.",
                code="network.neither-config-nor-weights",
            )
        )
    check_depth(config, block)
    return _with_depth(config, architecture, block)


def check_depth(config: PretrainedConfig, place: str) -> None:
    """Building millions of layers would not end.

    Raises:
        UserError: a number of layers that no network has.
    """
    layers = getattr(config, "num_hidden_layers", None)
    if isinstance(layers, int) and not 1 <= layers <= MOST_LAYERS:
        message = f"{layers} layers, expected 1 to {MOST_LAYERS:,}"
        raise UserError(Problem(place, message, code="network.depth-out-of-range"))


def config_of_weights(
    weights: Weights, model_type: str | None, place: str, cache_dir: str | None = None
) -> PretrainedConfig:
    """The config.json of weights: in their folder, beside a single file, or on the hub.

    Raises:
        UserError: there is none, or it is not usable.
    """
    if weights.hub_name is not None:
        return _config_from_hub(weights.hub_name, model_type, place, cache_dir)
    assert weights.folder is not None
    file = weights.folder / "config.json"
    if not file.is_file():
        others = sorted(item.name for item in weights.folder.glob("*config*.json"))
        found = f" (there is {', '.join(others)})" if others else ""
        raise UserError(
            Problem(
                place,
                f"no config.json in {weights.folder}{found}, so the architecture is not known",
                f"Name the architecture's JSON file in {place.split('.')[0]}.config_file.",
                code="weights.no-config",
            )
        )
    return config_from_dict(_read_json(file, place), model_type, file, place)


def config_from_dict(
    data: dict[str, Any], model_type: str | None, file: Path | str, place: str
) -> PretrainedConfig:
    """Builds the config object; custom code named in the file is never loaded.

    Raises:
        UserError: see ``load_config``.
    """
    kind = _model_type(data, model_type, file, place)
    data = settled_tables(data, place, str(file))
    if data.get("quantization_config"):
        raise UserError(
            Problem(
                place,
                f"{file} describes quantized weights (quantization_config); they cannot be "
                "trained or compared",
                "Give the original float weights.",
                code="network.quantized",
            )
        )
    outputs = data.get("num_labels")
    if outputs is not None and not (isinstance(outputs, int) and 0 <= outputs <= MOST_LABELS):
        message = (
            f"{file}: num_labels is {outputs!r}, expected a whole number up to {MOST_LABELS:,}"
        )
        raise UserError(Problem(place, message, code="network.label-count-faulty"))
    values = {key: value for key, value in data.items() if key not in RUN_SWITCHES}
    values["model_type"] = kind
    for key in ("auto_map", "attn_implementation", "_attn_implementation"):
        values.pop(key, None)
    try:
        return CONFIG_MAPPING[kind].from_dict(values)
    except Exception as error:  # the config classes raise many kinds, all about the file's values
        text = " ".join(str(error).split())
        raise UserError(
            Problem(
                place,
                f"{file} is not a valid {kind} architecture: {text}",
                code="network.config-not-valid",
            )
        ) from None


def _model_type(data: dict[str, Any], given: str | None, file: Path | str, place: str) -> str:
    block = place.split(".")[0]
    inside = data.get("model_type")
    if inside is not None and not isinstance(inside, str):
        message = f"{file}: model_type is no text but a JSON {type(inside).__name__}"
        raise UserError(Problem(place, message, code="network.type-is-no-text"))
    of_plugin = own_type(given)
    wanted = of_plugin.name if of_plugin else _normalised(given) if given else None
    if of_plugin is not None and extends(of_plugin, inside):
        return of_plugin.name
    if wanted and inside and wanted != inside:
        raise UserError(
            Problem(
                f"{block}.model_type",
                f"says {given!r}, but {file} says {inside!r}",
                f"Set it to {inside!r} or leave it out.",
                code="network.two-types",
            )
        )
    kind = inside or wanted or _type_by_class(data)
    if not kind:
        raise UserError(
            Problem(
                place,
                f"{file} has no model_type and {block}.model_type is not given",
                f'Add "model_type": "bert" (or what it is) to {block}.',
                code="network.type-not-told",
            )
        )
    known = kind in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES or network(kind) is not None
    if not known and own_type(kind) is None:
        where = str(file) if inside else f"{block}.model_type"
        close = difflib.get_close_matches(
            str(kind), MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES
        )
        hint = f"Did you mean {' or '.join(repr(name) for name in close)}?" if close else ""
        if (ours := starting_beside(str(kind))) is not None:
            hint = f'A student of another type starts from that folder: "model_type": "{ours}".'
        elif data.get("auto_map"):
            hint = "It names code of its own (auto_map), which is never run. " + hint
        if not hint:
            hint = 'A model of your own comes from a file: "plugins": ["my_model.py"], or --plugin.'
        raise UserError(
            Problem(
                place,
                f"{where}: transformers has no sequence classifier of type {kind!r}",
                hint.strip(),
                code="network.no-classifier-of-type",
            )
        )
    return str(kind)


def _normalised(model_type: str) -> str:
    """``BERT``, ``Distil-Bert``: as transformers spells it, unchanged if that is not known."""
    known = {name.replace("-", "").replace("_", ""): name for name in CONFIG_MAPPING.keys()}
    plain = model_type.strip().lower()
    return known.get(plain.replace("-", "").replace("_", ""), plain)


def _type_by_class(data: dict[str, Any]) -> str | None:
    """The model type by ``architectures`` (``["BertForMaskedLM"]``), the longest name that fits."""
    classes = data.get("architectures")
    if not (isinstance(classes, list) and classes):
        return None
    name = str(classes[0]).lower()
    kinds = {kind.replace("-", "").replace("_", ""): kind for kind in CONFIG_MAPPING.keys()}
    fitting = [plain for plain in kinds if name.startswith(plain)]
    return kinds[max(fitting, key=len)] if fitting else None


def _read_json(file: Path, place: str) -> dict[str, Any]:
    try:
        return read_object(file)
    except FileNotFoundError:
        message = f"there is no file {file}"
        hint = "Relative paths count from the working directory."
    except (OSError, ValueError) as error:
        message = f"{file} {fault_of(error)}"
        hint = "Give the architecture's JSON file; weights belong to model_name_or_path."
    raise UserError(Problem(place, message, hint, code="network.config-unreadable"))


def _config_from_hub(
    name: str, model_type: str | None, place: str, cache_dir: str | None
) -> PretrainedConfig:
    require_hub(name, place, cache_dir=cache_dir)
    with hub_errors(name, place):
        data, _ = PretrainedConfig.get_config_dict(name, cache_dir=cache_dir)
    return config_from_dict(data, model_type, f"{name}/config.json", place)


def _with_depth(
    config: PretrainedConfig, architecture: Architecture, block: str
) -> PretrainedConfig:
    wanted = architecture.num_hidden_layers
    if wanted is None or wanted == num_layers_of(config):
        return config
    available = num_layers_of(config)
    place = f"{block}.num_hidden_layers"
    if architecture.config_file:
        raise UserError(
            Problem(
                place,
                f"says {wanted}, but {architecture.config_file} has {available}",
                "Leave one of the two out.",
                code="student.depth-beyond-config",
            )
        )
    if wanted > available:
        raise UserError(
            Problem(
                place,
                f"asks for {wanted} layers, but {architecture.model_name_or_path} has {available}",
                f"Ask for 1 to {available}.",
                code="student.depth-beyond-weights",
            )
        )
    return cut_config(config, wanted, list(range(wanted)))
