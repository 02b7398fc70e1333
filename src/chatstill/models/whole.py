"""A network must find all of its weights in the file, and the file must hold no more of it.

Of one that is used unchanged that is the head too; of one that is trained, the body alone.
"""

import re
from collections.abc import Sequence

from transformers import PretrainedConfig, PreTrainedModel

from ..errors import Problem, UserError
from .architecture import Architecture, config_of_weights
from .body import POOLER, in_body
from .custom import is_own
from .layers import count_layers, find_layers
from .report import LoadReport
from .shape import other_values
from .weights import find_weights

CHANGED_BY = ("lora_", "adapter", "base_layer")  # what is trained beside frozen weights


def require_whole(model: PreTrainedModel, report: LoadReport, place: str, *, cut: bool) -> None:
    """Refuses a network of which a part would be random, or of which layers would be left out.

    Args:
        model: As loaded.
        report: What was loaded.
        place: The key that names the weights.
        cut: Whether the configuration itself asks for fewer layers.

    Raises:
        UserError: tensors are missing, or the weights hold layers that the config does not count.
    """
    lost = [*report.missing, *(found.name for found in report.mismatched)]
    _require(model, report, place, lost, cut=cut)


def require_body(model: PreTrainedModel, report: LoadReport, place: str, *, cut: bool) -> None:
    """The same of the body alone; a pooler, which comes before a classifier, may be new.

    A model of a user's own may have parts that its weights are not expected to have.
    """
    of_body = in_body(model)
    lost = [*report.missing, *(found.name for found in report.mismatched)]
    lost = [name for name in lost if of_body(name) and POOLER not in name]
    _require(model, report, place, [] if is_own(model) else lost, cut=cut)


def _require(
    model: PreTrainedModel, report: LoadReport, place: str, lost: list[str], *, cut: bool
) -> None:
    name = find_layers(model)
    known = model.config.num_hidden_layers if name is not None else 0
    beside = [other for other in report.unexpected if _numbers([other], name) & {*range(known)}]
    if beside and not is_own(model):
        shown = ", ".join(beside[:2])
        message = (
            f"{report.source} holds {len(beside)} tensors of its layers that a {model.config.model_type} "
            f"does not have ({shown} …): without them it is another network"
        )
        hint = "Save it as a plain network of its kind, with all of its parts."
        if any(word in other for word in CHANGED_BY for other in beside):
            hint = "These look like adapters (LoRA): merge them (peft: merge_and_unload), save the whole."
        raise UserError(Problem(place, message, hint, code="weights.parts-left-out"))
    if lost:
        layers = sorted(_numbers(lost, name))
        what = f"{_listed(layers)} of {known}, counted from 0" if layers else f"{len(lost)} tensors"
        shown = ", ".join(lost[:3]) + (", ..." if len(lost) > 3 else "")
        message = f"{report.source} is not whole: its weights lack {what} ({shown}), which would be random"
        hint = (
            "Give the folder with all of its weights, or correct num_hidden_layers in its config.json. "
            "To train what is missing: `chatstill teach`, with the architecture's file (config_file)."
        )
        raise UserError(Problem(place, message, hint, code="weights.layers-lacking"))
    more = sorted(number for number in _numbers(report.unexpected, name) if number >= known)
    if more and not cut:
        message = (
            f"{report.source} holds {max(more) + 1} layers, and its config.json counts {known}: "
            f"{_listed(more)}, counted from 0, would be left out"
        )
        role = place.split(".")[0]
        hint = "Correct num_hidden_layers in its config.json."
        if role != place:
            hint += f' To use its first {known} alone: "{role}": {{"num_hidden_layers": {known}}}.'
        raise UserError(Problem(place, message, hint, code="weights.layers-beyond-config"))


def said_otherwise(
    architecture: Architecture, config: PretrainedConfig, place: str
) -> list[tuple[str, object, object]]:
    """What a ``config_file`` says otherwise than the config.json beside the weights: key, theirs, its own."""
    path = architecture.model_name_or_path
    if architecture.config_file is None or path is None:
        return []
    weights = find_weights(path, place)
    if weights.folder is None or not (weights.folder / "config.json").is_file():
        return []
    theirs = config_of_weights(weights, None, place)
    layers = count_layers(theirs), count_layers(config)
    deeper = [("num_hidden_layers", *layers)] if layers[0] < layers[1] else []
    return [*deeper, *other_values(theirs, config)]


def require_own_shape(otherwise: Sequence[tuple[str, object, object]], place: str) -> None:
    """A ``config_file`` must describe weights that are used unchanged as the config.json beside them does.

    Raises:
        UserError: it has other heads, another activation …: the network would compute something else.
    """
    if otherwise:
        said = ", ".join(f"{name} {there} there, {here} here" for name, there, here in otherwise)
        message = f"is not the config.json beside the weights ({said}), which would compute something else"
        hint = "Leave it out: the folder's own config.json describes them."
        key = f"{place.split('.')[0]}.config_file"
        raise UserError(Problem(key, message, hint, code="weights.another-config-file"))


def _numbers(names: list[str], layers: str | None) -> set[int]:
    """The layers, from 0, that tensors of these names belong to."""
    if layers is None:
        return set()
    inside = layers.split(".", 1)[-1]  # weights may lack the prefix of the body
    found = (re.search(rf"(?:^|\.){re.escape(inside)}\.([0-9]+)\.", name) for name in names)
    return {int(match[1]) for match in found if match}


def _listed(numbers: list[int]) -> str:
    """``layer 1``, ``layers 1 to 3`` or ``layers 0, 2, 5``."""
    if len(numbers) == 1:
        return f"layer {numbers[0]}"
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"layers {numbers[0]} to {numbers[-1]}"
    return f"layers {', '.join(map(str, numbers[:8]))}" + (", ..." if len(numbers) > 8 else "")
