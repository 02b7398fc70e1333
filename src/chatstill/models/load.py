"""Loading a classifier: architecture from a JSON file, weights from a folder, a file or the hub."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

from ..errors import Problem, UserError
from ..registry.hub import require_hub
from ..tasks.base import LabelKind
from ..tasks.label_names import index_in, same_names
from .architecture import Architecture, load_config
from .body import head_is_new, in_body
from .custom import own_faults, own_type, probe
from .heads import check_head, wanted_outputs
from .hub import hub_errors, quiet_transformers
from .label_columns import output_names
from .labels import set_labels
from .report import LoadReport, make_report
from .weights import find_weights, read_tensors
from .whole import require_body, require_own_shape, require_whole, said_otherwise

__all__ = ["LoadReport", "LoadedModel", "load_classifier", "load_config"]


@dataclass(frozen=True)
class LoadedModel:
    """A network in float32, in eval mode, on the CPU, and what was loaded into it."""

    model: PreTrainedModel
    report: LoadReport


def load_classifier(
    architecture: Architecture,
    *,
    role: str,
    num_labels: int | None,
    label_names: Sequence[str] | None,
    problem: LabelKind | None,
    cache_dir: str | None = None,
    strict_head: bool = False,
    seed: int = 42,
) -> LoadedModel:
    """A transformers sequence classifier as an architecture block describes it.

    ``config_file`` and ``model_name_or_path``: built from the file, every tensor that fits in name
    and shape loaded, the rest reported. The file alone: random. The path alone: its own
    config.json.

    Args:
        architecture: The block of the configuration.
        role: ``teacher`` or ``student``, for messages.
        num_labels: Outputs of the head; None keeps the config's.
        label_names: Names in the order of the outputs; None keeps the config's.
        problem: Sets ``problem_type``; None keeps the one of its config.
        cache_dir: Where files of the hub are kept.
        strict_head: The network is used as it is (a teacher, what is evaluated): whatever of it is not
            in the weights is an error, and so are layers there that the config does not count. Else it
            is to be trained, and what is missing is new.
        seed: Of every tensor that is not loaded. The global generator is not touched.

    Raises:
        UserError: everything in ``load_config`` and ``find_weights``, weights none of whose layers
            fit, and a network that is used as it is and not wholly there.
    """
    config = load_config(architecture, role, cache_dir)
    # A student answers with the outputs of its teacher.
    outputs = wanted_outputs(architecture, config, num_labels) if role == "teacher" else num_labels
    check_head(architecture, outputs or len(config.id2label or ()), role, num_labels, problem)
    before = output_names(config)
    fits = outputs == num_labels or (outputs == 1 and len(label_names or ()) == 2)
    names = _as_numbered_there(before, label_names or ()) if role == "teacher" else label_names
    set_labels(config, outputs, names if fits else None, problem)
    path = architecture.model_name_or_path
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        # Only the CPU's generator: torch.manual_seed would also reseed the accelerators.
        torch.default_generator.manual_seed(seed)
        if not path:
            model = new_classifier(config, seed)
            report = LoadReport("", missing=sorted(name for name, _ in model.named_parameters()))
            return LoadedModel(model.eval(), report)
        place = f"{role}_architectures.model_name_or_path"
        with own_faults(config, "can't be loaded"):
            model, info = from_weights(config, path, place, cache_dir)
        probe(model)
    report = make_report(model, info, path)
    if label_names is not None:
        report = replace(report, renamed=_renamed(before, output_names(config), model, report))
    require_layers(model, report, place)
    otherwise = said_otherwise(architecture, config, place)
    report = replace(report, otherwise=otherwise)
    cut = architecture.num_hidden_layers is not None
    if architecture.config_file is None:
        require_sizes(model, report, place)
        require_body(model, report, place, cut=cut)
    if strict_head:
        require_own_shape(otherwise, place)
        _require_head(model, report, place)
        require_whole(model, report, place, cut=cut)
    return LoadedModel(model.eval(), report)


def _as_numbered_there(before: Sequence[str], wanted: Sequence[str]) -> Sequence[str]:
    """The names in the order of a network's outputs, where these have the same names in another one."""
    found = same_names(before, [(name,) for name in wanted])
    places = [place for place in found if place is not None]
    return [wanted[n] for n in places] if sorted(places) == list(range(len(wanted))) else wanted


def new_classifier(config: PretrainedConfig, seed: int) -> PreTrainedModel:
    """A classifier of random weights, in eval mode; the global generator is not touched."""
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        torch.default_generator.manual_seed(seed)
        with own_faults(config, "can't be built"), building(config, "config_file"):
            model: PreTrainedModel = _model_class(config)._from_config(config, dtype=torch.float32)
        probe(model)
    return model.eval()


def with_new_head(loaded: LoadedModel, seed: int) -> PreTrainedModel:
    """A pre-trained network with a classifier of random weights, whatever its folder held beside it."""
    model, of_body = loaded.model, in_body(loaded.model)
    head = {name for name, _ in model.named_parameters() if not of_body(name)}
    if not head <= set(loaded.report.missing):
        fresh = new_classifier(model.config, seed).state_dict()
        model.load_state_dict({name: fresh[name] for name in head}, strict=False)
    return model


def _model_class(config: PretrainedConfig) -> Any:
    found = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING[type(config)]
    return found[0] if isinstance(found, list | tuple) else found


def from_weights(
    config: PretrainedConfig,
    path: str,
    place: str,
    cache_dir: str | None,
    model_class: Any = None,
) -> tuple[PreTrainedModel, dict[str, Any]]:
    """A network filled with what fits of some weights, and what did not.

    Args:
        config: Its architecture.
        path: The weights.
        place: Where they were named, for messages.
        cache_dir: Where files of the hub are kept.
        model_class: Of transformers; None is the sequence classifier of the architecture.
    """
    weights = find_weights(path, place)
    options: dict[str, Any] = {
        "config": config,
        "dtype": torch.float32,
        "ignore_mismatched_sizes": True,
        "output_loading_info": True,
    }
    model_class = model_class or _model_class(config)
    if weights.hub_name is not None:
        require_hub(path, place, cache_dir=cache_dir)
        with hub_errors(path, place):
            return model_class.from_pretrained(path, cache_dir=cache_dir, **options)
    tensors = read_tensors(weights, place)
    with building(config, place, path):
        return model_class.from_pretrained(None, state_dict=tensors, **options)


@contextmanager
def building(
    config: PretrainedConfig, place: str, path: str = "the architecture"
) -> Iterator[None]:
    """Whatever a network raises while it is built or filled is about its config or its weights.

    Raises:
        UserError: in place of any other exception.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # RuntimeError, ValueError, KeyError, TypeError, ZeroDivisionError …
        if own_type(config.model_type) is not None:
            raise  # for ``own_faults``, which knows the user's file and line
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0] if lines else "no reason given"
        kind = type(error).__name__
        message = f"{path} does not make a network of type {config.model_type} ({kind}: {reason})"
        raise UserError(Problem(place, message, code="network.cannot-be-built")) from error


def require_layers(model: PreTrainedModel, report: LoadReport, place: str) -> None:
    """Weights none of whose layers fit are those of something else."""
    if report.num_layers_loaded:
        return
    if report.mismatched:
        first = report.mismatched[0]
        reason = f"{first.name} has shape {first.found} there, {first.expected} in the architecture"
        hint = "The architecture (config_file) and the weights are of different sizes."
    else:
        names = ", ".join(report.unexpected[:3]) or "none"
        reason = f"its names are other ones ({names} ...)"
        hint = f"These may be weights of another kind of model than {model.config.model_type}."
    raise UserError(
        Problem(
            place,
            f"no layer of {report.source} fits {type(model).__name__}: {reason}",
            hint,
            code="weights.no-layer-fits",
        )
    )


def require_sizes(model: PreTrainedModel, report: LoadReport, place: str) -> None:
    """A folder's own config and weights must be of one size, but for a head of another task."""
    of_body = in_body(model)
    inside = [found for found in report.mismatched if of_body(found.name)]
    if inside:
        first, others = inside[0], len(inside) - 1
        more = f", and {others} more tensors differ" if others else ""
        message = (
            f"config.json of {report.source} is not that of its weights: {first.name} has shape "
            f"{first.found} in the weights, {first.expected} by config.json{more}"
        )
        hint = (
            "Put the right config.json beside the weights. To take over what fits of them, name the "
            "architecture yourself: config_file."
        )
        raise UserError(Problem(place, message, hint, code="weights.config-of-others"))


def _renamed(
    before: list[str], now: list[str], model: PreTrainedModel, report: LoadReport
) -> tuple[list[str], list[str]] | None:
    """Old and new names of a trained head's outputs, if they had any and these differ."""
    named = any(index_in(name) is None for name in before)
    return None if not named or before == now or head_is_new(model, report) else (before, now)


def _require_head(model: PreTrainedModel, report: LoadReport, place: str) -> None:
    of_body = in_body(model)
    for found in report.mismatched:
        if not of_body(found.name):
            message = (
                f"the classifier {found.name} in {report.source} has shape {found.found}, "
                f"expected {found.expected}: another number of labels"
            )
            hint = (
                "Use a teacher that was fine-tuned on this task, or correct num_labels or "
                "id2label in its "
                "config."
            )
            raise UserError(
                Problem(place, message, hint, code="weights.classifier-of-other-labels")
            )
    missing = [name for name in report.missing if not of_body(name)]
    if missing:
        message = f"{report.source} has no trained classifier ({', '.join(missing)} missing)"
        hint = "Fine-tune it on the task first: `chatstill teach my.json`, then name that folder."
        raise UserError(Problem(place, message, hint, code="weights.no-classifier"))
