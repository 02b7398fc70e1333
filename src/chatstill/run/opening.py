"""How a run begins: its folder is taken, and what is known before training is written."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..disk.run_names import RECORD
from ..disk.scratch import clear_left
from ..disk.write import write_json
from ..preflight.plan import plan_lines
from .fingerprint import run_facts
from .levels import level_of
from .log_file import note_in_file, say, start_log

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from ..config import Loaded
    from ..preflight.plan import Plan
    from ..train.runfolder import RunFolder
    from .job import Job

log = logging.getLogger("chatstill")


def open_folder(
    loaded: Loaded,
    job: Job,
    plan: Plan | None,
    folder: RunFolder,
    fingerprint: dict[str, Any],
    fresh: bool,
    console: Console,
) -> None:
    """Takes the run folder and writes what is known before training; a run without a plan goes on."""
    clear_left()  # temporary folders of killed runs
    moved = folder.open(fingerprint, fresh=fresh, facts=run_facts())
    folder.settle(fingerprint, job.late)
    if moved is not None:
        say(console, f"the old run was moved to {moved}")
    start_log(folder.path, console)
    if folder.mended is not None:
        log.warning("%s %s: it is made anew from its copy", folder.path / RECORD, folder.mended)
    if plan is not None:
        note_in_file(plan_lines(plan))
        if plan.data_report:
            write_json(folder.path / "data_report.json", plan.data_report)
    else:
        _warn_of_versions(folder, run_facts())
        level_of(loaded).renew_data_report(job, folder.path / "data_report.json")
        log.info("going on with the run in %s", folder.path)
    write_resolved(loaded, job, folder.path)


def write_resolved(loaded: Loaded, job: Job, folder: Path) -> None:
    """The resolved configuration, each value with where it came from."""
    values = loaded.resolved()
    settled = {key: {"value": v, "origin": f"usual {why}"} for key, (v, why) in job.usual.items()}
    write_json(folder / "config.resolved.json", {**values, **settled})


def _warn_of_versions(folder: RunFolder, facts: dict[str, Any]) -> None:
    """A run that goes on under other versions is not bit-identical to an unbroken one."""
    before = (folder.record() or {}).get("versions", {})
    changed = [
        f"{k} {before[k]} → {v}"
        for k, v in facts["versions"].items()
        if before.get(k) not in (None, v)
    ]
    if changed:
        log.warning(
            "going on with other versions (%s): the result may differ in the last digits",
            ", ".join(changed),
        )
