"""The network that an index is made with, and that ranks with it: opened from its folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..data.fingerprint import fingerprint, state_sha256
from ..disk.run_files import resolved_values
from ..errors import Problem, UserError
from ..models.custom import code_of, register
from ..models.load import load_classifier
from ..models.networks import networks
from ..models.own import own_block
from ..models.save import kept_folder
from ..text.preprocess import preprocess_version, preprocessor
from ..text.tokenizers import resolve_tokenizer, tokenizer_fingerprint
from .dc_bert import TYPE, ServedDcBert
from .sentences import ServedSentences
from .served import Served

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


NOT_SCORES = ("transformers_version", "_name_or_path", "dtype", "torch_dtype", "architectures")


@dataclasses.dataclass(frozen=True)
class _Folder:
    """The block of a configuration that would name the folder."""

    model_name_or_path: str
    model_type: str | None = None
    config_file: str | None = None
    num_hidden_layers: int | None = None
    num_labels: int | None = None


def open_network(
    folder: Path, plugins: Sequence[str] = (), device: torch.device | str | None = None
) -> Served:
    """The network of a folder, or of a run's.

    Raises:
        UserError: there is none, it does not encode a text by itself, is not whole, or its own interaction
            cannot be found.
    """
    register(plugins)
    folder = kept_folder(folder) or folder
    try:
        loaded = load_classifier(
            _Folder(str(folder)),
            role="student",
            num_labels=None,
            label_names=None,
            problem=None,
            strict_head=True,
        )
    except UserError as error:  # named on the command line, not in a file
        named = [
            problem if ".py" in problem.place else dataclasses.replace(problem, place="MODEL")
            for problem in error.problems
        ]
        raise UserError(named) from error
    model: Any = loaded.model
    kind = _kind_of(type(model), str(model.config.model_type))
    if kind is None:
        able = [name for name, one in networks().items() if _kind_of(one.classes()[1], name)]
        message = (
            f"{folder} is a {model.config.model_type}, which does not encode a reply by itself; an index "
            f"takes a {', '.join(able[:-1])} or {able[-1]}"
        )
        hint = "Distil it into one of these (docs/ranking.md)."
        raise UserError(Problem("MODEL", message, hint, code="index.another-network"))
    tokenizer = resolve_tokenizer(None, str(folder), None)
    known = own_block(model.config).get("preprocess")
    prepare = preprocessor(str(known)) if known else _as_it_is
    identity = _identity(model, tokenizer, preprocess_version(known))
    torch.nn.Module.to(model, device if device is not None else _best_device())
    return kind(model.eval(), tokenizer, prepare, identity, resolved_values(folder.parent))


def _kind_of(model: type[Any], name: str) -> type[Served] | None:
    """What serves a network of a class; None where nothing does."""
    if name == TYPE:
        return ServedDcBert
    halves = hasattr(model, "text_vectors") and hasattr(model, "logits_of")
    return ServedSentences if halves else None


def _as_it_is(text: str) -> str:
    return text


def _best_device() -> torch.device:
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")


def _identity(model: Any, tokenizer: PreTrainedTokenizerBase, preprocessing: str) -> str:
    config = {key: value for key, value in model.config.to_dict().items() if key not in NOT_SCORES}
    return fingerprint(
        {
            "weights": state_sha256(model.state_dict()),
            "code": code_of(model),
            "config": {key: _plain(value) for key, value in config.items()},
            "tokenizer": tokenizer_fingerprint(tokenizer),
            "preprocess": preprocessing,
        }
    )


def _plain(value: Any) -> Any:
    """What JSON can hold; keys are texts there."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
