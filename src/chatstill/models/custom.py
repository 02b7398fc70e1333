"""A user's own models: made known to transformers, and their faults told by file and line."""

import hashlib
import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

from ..errors import Problem, UserError
from ..registry.model_types import OwnModel, own_models, plain
from ..registry.plugins import faults, line_of
from .networks import network, networks

# What is asked of every network; what else it may have is asked for before it is called.
METHODS = ("_from_config", "from_pretrained", "save_pretrained", "forward")
_KNOWN: dict[str, OwnModel] = {}


def register(plugins: Sequence[str]) -> None:
    """Makes the models of plugins known, so that a config.json with their ``model_type`` loads.

    Raises:
        UserError: a plugin fails, a config class cannot be made without arguments, or a model lacks a
            method that every network needs.
    """
    register_networks()
    for ours in networks().values():
        ours.use_plugins(plugins)
    for name, of_plugin in own_models(plugins).items():
        model: Any = of_plugin.model
        if lacking := [name for name in METHODS if not callable(getattr(model, name, None))]:
            place = line_of(of_plugin.plugin, model)
            message = f"{model.__name__} has no {' and no '.join(lacking)}."
            hint = (
                f"Write `class {model.__name__}(PreTrainedModel)`: that brings what is not its own."
            )
            raise UserError(Problem(place, message, hint, code="plugin.model-lacks-methods"))
        config_class = model.config_class
        with faults(of_plugin.plugin, f"{config_class.__name__}() fails"):
            config_class()
        CONFIG_MAPPING.register(name, config_class, exist_ok=True)
        MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING.register(config_class, model, exist_ok=True)
        _KNOWN[name] = of_plugin


def register_networks() -> None:
    """Makes the package's own networks known to transformers' automatic classes."""
    for ours in networks().values():
        config_class, model = ours.classes()
        CONFIG_MAPPING.register(ours.model_type, config_class, exist_ok=True)
        found: Any = MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING
        found.register(config_class, model, exist_ok=True)


def own_type(name: str | None) -> OwnModel | None:
    """The registered model of a name; case, hyphens and underscores don't count."""
    return next(
        (of_plugin for key, of_plugin in _KNOWN.items() if name and plain(key) == plain(name)), None
    )


def is_own(model: torch.nn.Module) -> bool:
    """Whether a model's code is a user's, not transformers'."""
    return type(model).__module__.split(".")[0] not in ("transformers", __name__.split(".")[0])


def code_of(model: PreTrainedModel) -> str:
    """Hex digest of a user's file that a network's code is in, or a part of it; empty where it is in none."""
    if (ours := network(model.config.model_type)) is not None:
        return ours.code(model.config)
    file = inspect.getsourcefile(type(model)) if is_own(model) else None
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""


def extends(of_plugin: OwnModel, kind: object) -> bool:
    """Whether a model's config continues that of one of transformers' types, and may read its files."""
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        return False
    return issubclass(of_plugin.model.config_class, CONFIG_MAPPING[kind])


@contextmanager
def own_faults(config: PretrainedConfig, doing: str) -> Iterator[None]:
    """What a user's own model raises as a ``UserError``; nothing for transformers' models."""
    of_plugin = _KNOWN.get(config.model_type)
    if of_plugin is None:
        yield
        return
    with faults(of_plugin.plugin, f"{of_plugin.model.__name__} {doing}"):
        yield


@torch.no_grad()
def probe(model: PreTrainedModel) -> None:
    """Runs a user's own model on two made-up rows: a slip shows before anything is prepared.

    Raises:
        UserError: it fails, or its logits have another shape than (rows, num_labels).
    """
    of_plugin = _KNOWN.get(model.config.model_type)
    if of_plugin is None:
        return
    place = line_of(of_plugin.plugin, type(model).forward)
    taken = inspect.signature(model.forward).parameters
    open_ended = any(one.kind is one.VAR_KEYWORD for one in taken.values())
    lacking = [name for name in ("input_ids", "attention_mask") if name not in taken]
    if lacking and not open_ended:
        message = f"{type(model).__name__}.forward takes no {' and no '.join(lacking)}."
        raise UserError(Problem(place, message, code="plugin.forward-takes-too-little"))
    batch = {"input_ids": torch.ones(2, 5, dtype=torch.long)}
    batch["attention_mask"] = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    if "token_type_ids" in taken and (getattr(model.config, "type_vocab_size", 0) or 0) > 1:
        batch["token_type_ids"] = torch.zeros_like(batch["input_ids"])
    training = model.training
    model.eval()
    with faults(of_plugin.plugin, f"{type(model).__name__}.forward fails"):
        logits = getattr(model(**batch), "logits", None)
    model.train(training)
    wanted = (2, model.config.num_labels)
    found = tuple(logits.shape) if isinstance(logits, torch.Tensor) else None
    if found != wanted:
        what = f"logits of shape {found}" if found else "no logits"
        message = f"{type(model).__name__}.forward gives {what} for 2 rows, expected {wanted}."
        hint = "It returns SequenceClassifierOutput(logits=...): (rows, config.num_labels)."
        raise UserError(Problem(place, message, hint, code="plugin.forward-gives-another-shape"))
