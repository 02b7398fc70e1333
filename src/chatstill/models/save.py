"""Saving a student as an ordinary transformers checkpoint that loads without this package."""

import copy
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ..tasks.base import LabelKind
from .hub import quiet_transformers
from .labels import set_labels
from .own import set_own_block


def save_student(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase | None,
    folder: Path,
    label_names: Sequence[str],
    problem: LabelKind | None = None,
    own: Mapping[str, Any] | None = None,
) -> None:
    """Writes weights, config with label names, and tokenizer; the folder is complete or absent.

    Written beside and renamed. A folder of that name is replaced; killed between the two renames,
    it stands as ``.<name>.old`` and the next save, or ``recover_saved``, brings it back.

    Args:
        model: A plain transformers model; not changed.
        tokenizer: None saves none.
        folder: ``output_dir/model``.
        label_names: In the order of the model's outputs; empty keeps the names of its config.
        problem: See ``set_labels``; None keeps the config's ``problem_type``.
        own: The block ``chatstill`` of its config; one that came with the teacher's goes.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    recover_saved(folder)
    staging = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(staging, ignore_errors=True)
    with quiet_transformers():
        model.save_pretrained(staging)
    config = copy.deepcopy(model.config)
    set_labels(config, None, label_names or None, problem)
    set_own_block(config, own or {})
    config.architectures = [type(model).__name__]
    config.save_pretrained(staging)
    if tokenizer is not None:
        tokenizer.save_pretrained(staging)
    for file in staging.iterdir():
        readable(file)
    _sync(staging)
    old = _aside(folder)
    if folder.exists():
        folder.rename(old)
    staging.rename(folder)
    _sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def readable(path: Path) -> None:
    """The mode that a new file usually gets: safetensors makes its files for the owner alone."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod(0o666 & ~mask)


def recover_saved(folder: Path) -> None:
    """Ends a replacement that was cut off: the old folder comes back unless the new one stands."""
    old = _aside(folder)
    if not old.exists():
        return
    if folder.exists():
        shutil.rmtree(old)
    else:
        old.rename(folder)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _sync(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("r+b") as handle:
                os.fsync(handle.fileno())
        else:
            _sync_folder(path)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Makes names in a folder durable; some file systems and Windows cannot, and need not."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
