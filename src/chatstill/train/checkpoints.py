"""Checkpoints that are complete or absent: staged, hashed, synced, renamed; damaged ones are skipped."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..disk.full import writing
from ..disk.json_file import fault_of, known_object, read_object
from ..disk.write import (
    clear_folder,
    fresh_folder,
    remove,
    remove_if_possible,
    sync,
    sync_folder,
    write_text,
)
from ..models.save import readable

MANIFEST = "manifest.json"
SELECTION = "selection.json"
TRAINER_STATE = "trainer_state.json"
_STAGING = ".staging-"
_NAME = re.compile(r"^phase(\d+)-(step(\d+)|best(\d+)|done)$")


def sha256_of(path: Path) -> str:
    """Hex digest of a file, read block by block."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def publish_folder(target: Path, write: Callable[[Path], None]) -> None:
    """Runs ``write`` on a staging folder beside ``target`` and renames it: all of it, or nothing.

    An existing ``target`` is replaced. A manifest with size and sha256 of every file is added.

    Raises:
        OSError: full disk and the like; the staging folder is removed, ``target`` stands as it was.
    """
    staging = fresh_folder(target)
    try:
        with writing(target):
            write(staging)
        files = {}
        for path in sorted(p for p in staging.rglob("*") if p.is_file()):
            readable(path)
            sync(path)
            files[path.relative_to(staging).as_posix()] = {
                "bytes": path.stat().st_size,
                "sha256": sha256_of(path),
            }
        write_text(staging / MANIFEST, json.dumps({"files": files}, indent=1))
        for folder in [staging, *(p for p in staging.rglob("*") if p.is_dir())]:
            sync_folder(folder)
    except BaseException:
        remove_if_possible(staging)
        raise
    if os.path.lexists(target):
        retired = target.parent / f"{_STAGING}retired-{target.name}"
        remove(retired)
        target.rename(retired)
        staging.rename(target)
        remove_if_possible(retired)
    else:
        staging.rename(target)
    sync_folder(target.parent)


def save_torch(value: Any, path: Path) -> None:
    """``torch.save``; a full disk is told with the name of the file."""
    with writing(path):
        torch.save(value, path)


def publish_weights(
    target: Path,
    state: dict[str, Tensor],
    known: Mapping[str, Any],
    extra: Callable[[Path], None] | None = None,
) -> None:
    """Publishes trained weights with what is known of them.

    Args:
        target: The checkpoint.
        state: The weights by name, on the CPU.
        known: For ``selection.json``.
        extra: Writes more files into the folder that it is given.
    """

    def write(folder: Path) -> None:
        with writing(folder / "trained.safetensors"):
            save_file(state, folder / "trained.safetensors")
        write_text(folder / SELECTION, json.dumps(known))
        if extra is not None:
            extra(folder)

    publish_folder(target, write)


def damage_of(folder: Path) -> str | None:
    """What is wrong with a published folder, None if every file is as it was written."""
    try:
        files = read_object(folder / MANIFEST)["files"]
        written = [(str(n), int(entry["bytes"]), entry["sha256"]) for n, entry in files.items()]
    except (OSError, ValueError, KeyError, AttributeError, TypeError, OverflowError):
        return f"{MANIFEST} is missing or not readable"
    for name, size, digest in written:
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size} bytes, {size} were written"
        if sha256_of(path) != digest:
            return f"{name} is not what was written (sha256 differs)"
    return _wrong_shape(folder)


def _wrong_shape(folder: Path) -> str | None:
    """What is wrong with a JSON file of a checkpoint whose bytes are those of its manifest."""
    for name, keys in ((SELECTION, _IN_SELECTION), (TRAINER_STATE, _IN_STATE)):
        if not (folder / name).is_file():
            continue
        try:
            found = read_object(folder / name, finite=False)
        except (OSError, ValueError) as error:
            return f"{name} {fault_of(error)}"
        for key, kinds in keys.items():
            if key in found and type(found[key]) not in kinds:
                return f"'{key}' in {name} is no {' or '.join(k.__name__ for k in kinds)}"
    return None


_NONE = type(None)
_IN_SELECTION: dict[str, tuple[type, ...]] = {
    "best": (float, int, _NONE),
    "best_step": (int, _NONE),
    "evaluations_since": (int,),
    "step": (int,),
    "since_log": (dict, _NONE),
}
_IN_STATE: dict[str, tuple[type, ...]] = {"global_step": (int,), "max_steps": (int,)}


@dataclass(frozen=True, order=True)
class Checkpoint:
    """A checkpoint's place in the run: by phase, then a finished phase after its steps."""

    phase: int
    done: bool
    step: int
    path: Path


class CheckpointStore:
    """The checkpoints of a run: ``phase0-step000120``, ``phase0-best000100``, ``phase0-done``."""

    def __init__(self, folder: Path, limit: int = 2) -> None:
        self.folder = folder
        self.limit = limit

    def path(self, phase: int, step: int | None = None, *, best: bool = False) -> Path:
        """Folder of a step's checkpoint, of the best weights seen at a step, or of a finished phase."""
        if step is None:
            return self.folder / f"phase{phase}-done"
        return self.folder / f"phase{phase}-{'best' if best else 'step'}{step:06d}"

    def clean(self) -> None:
        """Removes what an interrupted save left behind; a replaced folder cut short is put back."""
        if not self.folder.is_dir():
            return
        for path in self.folder.glob(f"{_STAGING}retired-*"):
            target = self.folder / path.name.removeprefix(f"{_STAGING}retired-")
            if not path.is_symlink() and not os.path.lexists(target):
                path.rename(target)
        clear_folder(self.folder)
        for path in self.folder.glob(f"{_STAGING}*"):  # earlier versions' as well
            remove_if_possible(path)

    def all(self) -> list[Checkpoint]:
        """Step and phase checkpoints, oldest first; not checked for damage."""
        found = []
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            match = _NAME.match(path.name)
            if match and match[4] is None:
                found.append(Checkpoint(int(match[1]), match[3] is None, int(match[3] or 0), path))
        return sorted(found)

    def newest(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest undamaged one that builds on undamaged phases; a line for each passed over."""
        lines: list[str] = []
        for checkpoint in reversed(self.all()):
            before = [self.path(phase) for phase in range(checkpoint.phase)]
            for path in [checkpoint.path, *before]:
                damage = damage_of(path)
                if damage is not None:
                    what = "it" if path == checkpoint.path else f"{path.name}, which it builds on,"
                    lines.append(
                        f"checkpoint {checkpoint.path} is skipped: {what} is damaged: {damage}"
                    )
                    break
            else:
                return checkpoint, lines
        return None, lines

    def rotate(self, keep_best: set[Path], saved: Path | None = None) -> None:
        """Keeps the newest ``limit`` step checkpoints, finished phases, and the best weights named.

        Args:
            keep_best: Folders of best weights.
            saved: The checkpoint that was just written: later ones are damaged, or the run would have
                gone on from there, and are removed.
        """
        steps = [c for c in self.all() if not c.done]
        at = next((number for number, c in enumerate(steps) if c.path == saved), len(steps) - 1)
        for checkpoint in [*steps[: at + 1][: -self.limit], *steps[at + 1 :]]:
            remove_if_possible(checkpoint.path)
        for path in self.folder.glob("phase*-best*"):
            if path not in keep_best:
                remove_if_possible(path)

    def best_paths(self, phase: int, step: int | None) -> set[Path]:
        """Best weights of a phase that the run (``step``) or one of its kept checkpoints refers to."""
        steps = {step}
        for checkpoint in self.all():
            if checkpoint.phase == phase:
                steps.add(read_selection(checkpoint.path).get("best_step"))
        return {self.path(phase, step, best=True) for step in steps if step is not None}


def read_selection(folder: Path) -> dict[str, Any]:
    """What selection knew when a checkpoint was written; empty where that is damaged."""
    return known_object(folder / SELECTION)
