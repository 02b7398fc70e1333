"""Saving a student as an ordinary transformers checkpoint that loads without this package."""

import copy
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..disk.full import writing
from ..disk.run_files import last_link
from ..disk.run_names import NETWORKS
from ..disk.write import clear_strays, fresh_folder, remove_if_possible, sync, sync_folder
from ..features.capture import takes_token_types
from ..tasks.base import LabelKind
from ..text.token_types import gives_types, handing_types_out
from .hub import quiet_transformers
from .labels import set_labels
from .own import set_own_block


def save_student(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    folder: Path,
    label_names: Sequence[str],
    problem: LabelKind | None = None,
    extras: Mapping[str, Any] | None = None,
) -> None:
    """Writes weights, config with label names, and tokenizer; the folder is complete or absent.

    Written beside and renamed. A folder of that name is replaced; killed between the two renames,
    it stands as ``.<name>.old`` and the next save, or ``recover_saved``, brings it back.

    Args:
        model: A plain transformers model; not changed.
        tokenizer: None saves none. Where the model reads token types and a pair has some, the saved one gives
            them unasked, as rows are read here; not changed.
        folder: ``output_dir/model``.
        label_names: In the order of the model's outputs; empty keeps the names of its config.
        problem: See ``set_labels``; None keeps the config's ``problem_type``.
        extras: The block ``chatstill`` of its config; one that came with the teacher's goes.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    recover_saved(folder)
    remove_if_possible(folder.with_name(f".{folder.name}.new"))  # of an earlier version
    clear_strays(folder)
    staging = fresh_folder(folder)
    try:
        with writing(folder):
            _write(model, tokenizer, staging, label_names, problem, extras or {})
    except BaseException:
        remove_if_possible(staging)
        raise
    old = _aside(folder)
    if os.path.lexists(folder):
        folder.rename(old)
    staging.rename(folder)
    sync_folder(folder.parent)
    remove_if_possible(old)


def _write(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    folder: Path,
    label_names: Sequence[str],
    problem: LabelKind | None,
    extras: Mapping[str, Any],
) -> None:
    """All files of a network, durable."""
    with quiet_transformers(), writing(folder / "model.safetensors"):
        model.save_pretrained(folder)
    config = copy.deepcopy(model.config)
    set_labels(config, None, label_names or None, problem)
    set_own_block(config, extras)
    config.architectures = [type(model).__name__]
    with writing(folder / "config.json"):
        config.save_pretrained(folder)
    if tokenizer is not None:
        if takes_token_types(model) and gives_types(tokenizer):
            tokenizer = handing_types_out(tokenizer)
        with writing(folder / "tokenizer.json"):
            tokenizer.save_pretrained(folder)
    for file in folder.iterdir():
        readable(file)
    for path in sorted(folder.rglob("*")):
        (sync_folder if path.is_dir() else sync)(path)
    sync_folder(folder)


def readable(path: Path) -> None:
    """The mode that a new file usually gets: safetensors makes its files for the owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def recover_saved(folder: Path) -> None:
    """Ends a replacement that was cut off: the old folder comes back unless the new one stands."""
    old = _aside(folder)
    if os.path.lexists(folder) or old.is_symlink():
        remove_if_possible(old)
    elif old.exists():
        old.rename(folder)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def kept_folder(run: Path) -> Path | None:
    """The network that a run folder holds, a chain's last, or a plain model folder; else None."""
    for name in NETWORKS:
        recover_saved(run / name)
        if (run / name / "config.json").is_file():
            return run / name
    if (run / "config.json").is_file():
        return run
    last = last_link(run)
    return kept_folder(last) if last is not None else None
