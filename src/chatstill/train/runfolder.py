"""The run folder: which configuration made it, and whether it is finished. One run uses it at a time."""

import json
import os
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..disk.fresh import is_fresh_name
from ..disk.full import writing
from ..disk.json_file import JsonFault, fault_of, read_object
from ..disk.lock import hold
from ..disk.run_names import CACHE, COPY, LOCK, RECORD, WRITTEN_IN_PLACE
from ..disk.write import clear_folder, not_ours, open_own, write_text
from ..errors import Problem, UserError

FORMAT = 1
MOST = 8  # differences that are listed
BESIDE = "unlabeled.data.txt beside it"
TELLING = ("verb", "model_type", "task_name")
COVERS, ALSO = "covers", ".also."  # key of a fingerprint that holds the files under ``also``
WORDS = "student_architectures.network.words"  # digest of the words that were counted
SELECTS = "do_eval"  # as runs record it, and what it is called where it differs
CALLED = {SELECTS: "figures on dev choose the weights"}
ON_HUB = "files on the hub of "  # and the name, which stays while they change
LATE = (WORDS, SELECTS, ON_HUB)  # keys that begin so: not recorded by all, or not at once
_DIGESTS = re.compile(r"[0-9a-f]{64}(-[0-9a-f]{64})*")


def _short(value: Any) -> str:
    text = "left out" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


class RunFolder:
    """A folder that one configuration owns, recognised by ``run.json``.

    Args:
        path: The folder; it need not exist, and nothing is created before ``open``.

    Attributes:
        mended: What was wrong with ``run.json``, which ``open`` made anew from its copy; else None.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None
        self.mended: str | None = None
        self._written: dict[str, Any] | None = None

    def record(self) -> dict[str, Any] | None:
        """What ``run.json`` holds. A damaged one is read from its copy; None if there is neither."""
        for name in (RECORD, COPY):
            try:
                return self._read(name)
            except FileNotFoundError:
                return None
            except (OSError, ValueError):
                continue
        return None

    def _read(self, name: str = RECORD) -> dict[str, Any]:
        found = read_object(self.path / name)
        if found.get("format") != FORMAT:
            raise JsonFault(f"is not of format {FORMAT}, as this version writes it")
        if not all(isinstance(found.get(key, {}), dict) for key in ("fingerprint", "versions")):
            raise JsonFault("does not hold what a run writes")
        return found

    def _damage(self) -> str | None:
        """What is wrong with a ``run.json`` that is there."""
        try:
            self._read()
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            return fault_of(error)
        return None

    def state(self, fingerprint: dict[str, Any], *, fresh: bool = False) -> str:
        """``new``, ``resume`` or ``finished``.

        Raises:
            UserError: the folder is not a run's and not empty, or holds a run of another configuration.
        """
        if self.path.exists() and not self.path.is_dir():
            raise UserError(
                Problem(
                    "output_dir",
                    f"{self.path} is a file; a folder is expected",
                    code="run.output-is-a-file",
                )
            )
        if not fresh and (links := self._links()):
            raise UserError(links)
        record = self.record()
        if record is None:
            if (damage := self._damage()) is not None:
                if fresh:
                    return "new"
                message = f"{self.path / RECORD} {damage}, so it is not known whose run this is"
                hint = (
                    "Put a copy of it back, name another output_dir, or move it aside with --fresh."
                )
                raise UserError(Problem("output_dir", message, hint, code="run.record-damaged"))
            strangers = self._strangers()
            if strangers:
                raise UserError(
                    Problem(
                        "output_dir",
                        f"{self.path} is not empty and holds no run of chatstill "
                        f"(found {', '.join(strangers[:3])})",
                        "Name a new or empty folder; nothing in it was touched.",
                        code="run.folder-of-others",
                    )
                )
            return "new"
        if fresh:
            return "new"
        changed = _differences(record.get("fingerprint", {}), fingerprint)
        if changed:
            kind = [line for line in changed if line.startswith(tuple(f"{k}:" for k in TELLING))]
            shown = kind or changed[:MOST]
            more = [f"and {len(changed) - len(shown)} more"] if len(changed) > len(shown) else []
            lines = "; ".join([*shown, *more])
            hint = (
                "Name another output_dir, or add --fresh to move the old run aside and start anew."
            )
            if (self.path.parent / RECORD).is_file():
                hint += (
                    " Without the folders of this link and of those after it, earlier ones stand."
                )
            message = f"{self.path} holds a run of another configuration. Changed: {lines}"
            raise UserError(Problem("output_dir", message, hint, code="run.another-configuration"))
        return "finished" if record.get("state") == "finished" else "resume"

    def settle(self, fingerprint: dict[str, Any], late: dict[str, Any]) -> None:
        """Compares, and records, what is known of a run once its rows are read; call after ``open``.

        Args:
            fingerprint: As ``open`` took it.
            late: Values of ``LATE``. Runs of before did not record them, and go on.

        Raises:
            UserError: the folder holds a run of other ones.
        """
        assert self._written is not None
        self.state(fingerprint | late)
        known = self._written.get("fingerprint", {})
        if late.keys() - known.keys():
            self._write({**self._written, "fingerprint": {**known, **late}})

    def _links(self) -> list[Problem]:
        """An error for each link through which a run would write into files of others."""
        found = [not_ours(self.path / n) for n in WRITTEN_IN_PLACE if (self.path / n).is_symlink()]
        other = " cache_dir names another place for prepared data."
        return [replace(p, hint=p.hint + other * (f"/{CACHE} " in p.message)) for p in found]

    def finished(self, fingerprint: dict[str, Any]) -> bool:
        """Whether the folder holds this run, finished: what all processes but the first ask.

        The first one alone says what is wrong with a folder, and changes it.
        """
        record = self.record()
        if record is None or record.get("state") != "finished":
            return False
        return not _differences(record.get("fingerprint", {}), fingerprint)

    def _strangers(self) -> list[str]:
        """Entries that no run wrote. A lock by itself is ours: a run killed at its start leaves it."""
        if not self.path.is_dir():
            return []
        ours = {LOCK, f".{RECORD}.new"}
        names = [entry.name for entry in self.path.iterdir()]
        return sorted(
            name for name in names if name not in ours and not is_fresh_name(name, RECORD)
        )

    def open(
        self,
        fingerprint: dict[str, Any],
        *,
        fresh: bool = False,
        facts: dict[str, Any] | None = None,
    ) -> Path | None:
        """Creates and locks the folder.

        Args:
            fingerprint: Everything that changes weights.
            fresh: Moves an existing run aside.
            facts: Versions and the like, recorded but not compared.

        Returns:
            Where the old run was moved to, if it was.

        Raises:
            UserError: another run holds the lock.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:  # another run may have come and gone since the folder was looked at
            self.state(fingerprint, fresh=fresh)
        except UserError:
            self._release()
            raise
        moved = None
        if fresh and os.path.lexists(self.path / RECORD):
            moved = self._move_aside()
            self.path.mkdir()
            self._take_lock()
        clear_folder(self.path)
        self._written, self.mended = self.record(), self._damage()
        if self._written is not None and self.mended is not None:
            self._write(self._written)
        if self._written is None:
            self._write(
                {"format": FORMAT, "state": "running", "fingerprint": fingerprint, **(facts or {})}
            )
        return moved

    def _take_lock(self) -> None:
        descriptor = open_own(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        if not hold(descriptor):
            owner = os.read(descriptor, 64).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise UserError(
                Problem(
                    "output_dir",
                    f"another run is using {self.path}" + (f" (process {owner})" if owner else ""),
                    "Wait for it, stop it, or name another output_dir.",
                    code="run.folder-in-use",
                )
            )
        os.ftruncate(descriptor, 0)
        with writing(self.path / LOCK):
            os.write(descriptor, str(os.getpid()).encode("ascii"))
        self._release()
        self._lock = descriptor

    def _move_aside(self) -> Path:
        stamp = time.strftime("%Y%m%d-%H%M%S")
        target = self.path.with_name(f"{self.path.name}.old-{stamp}")
        number = 1
        while os.path.lexists(target):
            number += 1
            target = self.path.with_name(f"{self.path.name}.old-{stamp}-{number}")
        shutil.move(self.path, target)
        return target

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def finish(self) -> None:
        """Marks the run finished, in what ``open`` read or wrote: the file may have been damaged since."""
        assert self._written is not None
        self._write({**self._written, "state": "finished"})

    def close(self) -> None:
        """Gives the lock back."""
        self._release()

    def _write(self, record: dict[str, Any]) -> None:
        self._written = record
        for name in (RECORD, COPY):
            write_text(self.path / name, json.dumps(record, indent=1, ensure_ascii=False))


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """``key: old → new`` for every entry that differs, what a run is first; of files, that they do."""
    if COVERS not in old:  # made before those files were in it: nothing is known of them
        new = {key: value for key, value in new.items() if key != COVERS and ALSO not in key}
    late = {key for key in old.keys() ^ new.keys() if key.startswith(LATE)}
    lines = []
    for key in sorted((old.keys() | new.keys()) - late, key=lambda key: (key not in TELLING, key)):
        before, after = old.get(key), json.loads(json.dumps(new.get(key)))
        if before == after:
            continue
        if _is_content(before) and _is_content(after):
            lines.append(f"{_named(key, new)}: other content")
        else:
            lines.append(f"{CALLED.get(key, key)}: {_short(before)} → {_short(after)}")
    return lines


def _named(key: str, new: dict[str, Any]) -> str:
    """The key, and what else it stands for that a user may not think of."""
    more = "data.unlabeled, or the augmented rows" if "data.text" in new else BESIDE
    return f"{key} (or {more})" if key == "data.train" else key


def _is_content(value: Any) -> bool:
    """Whether it stands for files: sha256 alone, several, or by name. Nobody reads those."""
    if isinstance(value, dict):
        return bool(value) and all(map(_is_content, value.values()))
    return isinstance(value, str) and _DIGESTS.fullmatch(value) is not None
