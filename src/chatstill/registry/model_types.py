"""The names that ``model_type`` of an architecture takes: transformers' types, two of ours, a user's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import Problem
from .plugins import line_of, load_plugin

SEQUENCE_CLASSIFICATION, QA = "sequence-classification", "qa"
BUILT_IN = {
    SEQUENCE_CLASSIFICATION: "a classifier of transformers, of the type that its config.json names",
    QA: "the same as a scorer of replies: one logit, the score, or two",
}


@dataclass(frozen=True)
class OwnModel:
    """A model of a plugin.

    Attributes:
        name: The ``model_type`` of its ``config_class``.
        model: The class.
        plugin: The file that holds it.
    """

    name: str
    model: Any
    plugin: str


def plain(name: str) -> str:
    """A name as it is compared: case, hyphens, underscores and blanks don't count."""
    return "".join(sign for sign in name.casefold() if sign not in "-_ ")


def built_in(name: str | None) -> str | None:
    """Which of our own two types a name means, if one."""
    return next((kind for kind in BUILT_IN if name and plain(name) == plain(kind)), None)


def own_models(plugins: Sequence[str]) -> dict[str, OwnModel]:
    """The models of plugins by name; of several classes with one ``config_class`` the last."""
    return {
        kind: OwnModel(kind, model, plugin)
        for plugin in plugins
        for kind, model in _classes(plugin)
        if not _of_transformers(model)
    }


def borrowed_types(plugins: Sequence[str]) -> list[Problem]:
    """Models that can't be told from transformers' own, as hints for a name that is not found."""
    return [
        Problem(
            line_of(plugin, model),
            f"{model.__name__} has the model_type '{kind}' of transformers.",
            "Give it a config_class of its own: "
            f'class MyConfig({model.config_class.__name__}): model_type = "my-{kind}".',
            code="plugin.type-of-transformers",
        )
        for plugin in plugins
        for kind, model in _classes(plugin)
        if _of_transformers(model)
    ]


def _classes(plugin: str) -> list[tuple[str, Any]]:
    """Classes of a file that look like models of transformers' kind; nothing heavy is imported."""
    module = load_plugin(plugin)
    found: list[tuple[str, Any]] = []
    for value in vars(module).values():
        if not isinstance(value, type) or value.__module__ != module.__name__:
            continue
        kind = getattr(getattr(value, "config_class", None), "model_type", None)
        if isinstance(kind, str) and callable(getattr(value, "from_pretrained", None)):
            found.append((kind, value))
    return found


def _of_transformers(model: Any) -> bool:
    return str(model.config_class.__module__).split(".")[0] == "transformers"
