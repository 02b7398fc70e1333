"""A network used unchanged must find all of its weights in the file, and the file must hold no more."""

import re

from transformers import PreTrainedModel

from ..errors import Problem, UserError
from .layers import find_layers
from .report import LoadReport


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
    name = find_layers(model)
    known = model.config.num_hidden_layers if name is not None else 0
    lost = [*report.missing, *(found.name for found in report.mismatched)]
    if lost:
        layers = sorted(_numbers(lost, name))
        what = f"{_listed(layers)} of {known}, counted from 0" if layers else f"{len(lost)} tensors"
        shown = ", ".join(lost[:3]) + (", ..." if len(lost) > 3 else "")
        message = f"{report.source} is not whole: its weights lack {what} ({shown}), which would be random"
        hint = (
            "Give the folder with all of its weights, or correct num_hidden_layers in its config.json. "
            "To train what is missing: `chatstill teach`."
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
