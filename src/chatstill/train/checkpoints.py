"""Checkpoints that are complete or absent: staged, hashed, synced, renamed; damaged ones are skipped."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..models.save import readable

MANIFEST = "manifest.json"
_STAGING = ".staging-"
_NAME = re.compile(r"^phase(\d+)-(step(\d+)|best(\d+)|done)$")


def fsync_path(path: Path) -> None:
    """Forces a file, or a folder's entries, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
    staging = target.parent / f"{_STAGING}{target.name}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    try:
        write(staging)
        files = {}
        for path in sorted(p for p in staging.rglob("*") if p.is_file()):
            readable(path)
            fsync_path(path)
            files[path.relative_to(staging).as_posix()] = {
                "bytes": path.stat().st_size,
                "sha256": sha256_of(path),
            }
        manifest = staging / MANIFEST
        manifest.write_text(json.dumps({"files": files}, indent=1), encoding="utf-8")
        fsync_path(manifest)
        for folder in [staging, *(p for p in staging.rglob("*") if p.is_dir())]:
            fsync_path(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    if target.exists():
        retired = target.parent / f"{_STAGING}retired-{target.name}"
        shutil.rmtree(retired, ignore_errors=True)
        target.rename(retired)
        staging.rename(target)
        shutil.rmtree(retired, ignore_errors=True)
    else:
        staging.rename(target)
    fsync_path(target.parent)


def damage_of(folder: Path) -> str | None:
    """What is wrong with a published folder, None if every file is as it was written."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = manifest["files"].items()
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return f"{MANIFEST} is missing or not readable"
    for name, entry in files:
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != entry["bytes"]:
            return f"{name} has {path.stat().st_size} bytes, {entry['bytes']} were written"
        if sha256_of(path) != entry["sha256"]:
            return f"{name} is not what was written (sha256 differs)"
    return None


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
            if not target.exists():
                path.rename(target)
        for path in self.folder.glob(f"{_STAGING}*"):
            shutil.rmtree(path, ignore_errors=True)

    def all(self) -> list[Checkpoint]:
        """Step and phase checkpoints, oldest first; not checked for damage."""
        found = []
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            match = _NAME.match(path.name)
            if match and match[4] is None:
                found.append(Checkpoint(int(match[1]), match[3] is None, int(match[3] or 0), path))
        return sorted(found)

    def newest(self) -> tuple[Checkpoint | None, list[str]]:
        """The newest undamaged checkpoint, and a line for each damaged one that was passed over."""
        lines: list[str] = []
        for checkpoint in reversed(self.all()):
            damage = damage_of(checkpoint.path)
            if damage is None:
                return checkpoint, lines
            lines.append(f"checkpoint {checkpoint.path} is damaged and skipped: {damage}")
        return None, lines

    def rotate(self, keep_best: set[Path]) -> None:
        """Keeps the newest ``limit`` step checkpoints, finished phases, and the best weights named."""
        steps = [c for c in self.all() if not c.done]
        for checkpoint in steps[: -self.limit]:
            shutil.rmtree(checkpoint.path, ignore_errors=True)
        for path in self.folder.glob("phase*-best*"):
            if path not in keep_best:
                shutil.rmtree(path, ignore_errors=True)
