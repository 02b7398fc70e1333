"""``chatstill finish``: ends a run for good with its best or last checkpoint, and reports it as any run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..disk.run_names import CHECKPOINTS
from ..errors import Problem, RunFailure, UserError
from . import run as pipeline
from .levels import Level, level_of
from .log_file import note_in_file, say, start_log

if TYPE_CHECKING:
    from rich.console import Console

    from ..config import Loaded
    from ..train.checkpoints import CheckpointStore
    from ..train.ending import Ended
    from ..train.phases import PhaseResult
    from ..train.runfolder import RunFolder
    from .job import Job, Verb

log = logging.getLogger("chatstill")
Load = Callable[[Path, str], "Loaded"]


def finish(path: Path, load: Load, *, console: Console) -> None:
    """Ends the run of a folder, or the link under way of a chain's; a finished one prints its results.

    Args:
        path: The folder.
        load: The configuration of a run's folder and verb.
        console: Where everything is printed.

    Raises:
        UserError: no run lies there, it is running, holds no checkpoint, or what it was made of changed.
    """
    from ..train.runfolder import RunFolder

    folder = RunFolder(path)
    record = folder.record() if path.is_dir() else None
    if record is None:
        what = "there is no such folder" if not path.exists() else "it holds no run of chatstill"
        raise UserError(
            Problem(str(path), what, "Name the output_dir of the run.", code="finish.no-run")
        )
    if record.get("state") == "finished":
        say(console, f"{path} holds a finished run. Its results:")
        pipeline.print_results(path, console)
        return
    known = record.get("fingerprint", {})
    if "pipeline" in known:
        _finish_link(folder, [str(name) for name in known["pipeline"]], load, console)
        return
    _finish_run(folder, known, load, console)


def _finish_link(folder: RunFolder, names: list[str], load: Load, console: Console) -> None:
    """Ends the link under way; those after it stay to be run."""
    from ..train.runfolder import RunFolder

    folder.open({"pipeline": names})
    try:
        states = {
            name: (RunFolder(folder.path / name).record() or {}).get("state") for name in names
        }
        under_way = next((name for name, state in states.items() if state == "running"), None)
        if under_way is None:
            done = [name for name, state in states.items() if state == "finished"]
            message = f"no link of this chain is under way; finished: {', '.join(done) or 'none'}"
            hint = "Start the chain again: it goes on with the next link, or writes its summary."
            raise UserError(
                Problem(str(folder.path), message, hint, code="chain.no-link-under-way")
            )
        say(console, f"the link under way is {under_way}, in {folder.path / under_way}")
        finish(folder.path / under_way, load, console=console)
        later = [name for name in names if states[name] is None]
        if later:
            say(
                console,
                f"links that were not run: {', '.join(later)}. The chain, started again, goes on",
            )
            say(console, f"with {later[0]}; the network of {under_way} stands as it was ended")
        else:
            say(console, "the chain, started again, writes its summary")
    finally:
        folder.close()


def _finish_run(folder: RunFolder, known: dict[str, Any], load: Load, console: Console) -> None:
    from ..train.checkpoints import CheckpointStore
    from ..train.failures import disk_failures
    from .fingerprint import run_fingerprint

    verb: Verb = "teach" if known.get("verb") == "teach" else "distill"
    loaded = load(folder.path, verb)
    # As many processes as it had are not needed to end it.
    fingerprint = run_fingerprint(loaded, verb) | {"global_batch": known.get("global_batch")}
    if batch := int(known.get("global_batch") or 0):  # one process stands for all that trained
        config = loaded.config.model_copy(update={"per_gpu_train_batch_size": batch})
        loaded = replace(loaded, config=config)
    try:
        folder.open(fingerprint)
    except UserError as error:
        raise UserError([_as_ended(problem) for problem in error.problems]) from None
    store = CheckpointStore(folder.path / CHECKPOINTS, loaded.config.save_total_limit)
    try:
        with disk_failures(store):
            store.clean()
            pipeline.quiet_libraries()
            start_log(folder.path, console)
            job = pipeline.open_job_of(loaded, verb)
            try:
                folder.settle(fingerprint, job.late)
            except UserError as error:
                raise UserError([_as_ended(problem) for problem in error.problems]) from None
            _end(level_of(loaded), job, folder, store, console)
    except RunFailure as end:
        note_in_file([str(end)])
        raise
    finally:
        folder.close()


def _as_ended(problem: Problem) -> Problem:
    """What ``--fresh`` and another folder would not help."""
    if problem.code == "run.folder-in-use":
        return replace(problem, hint="Stop it first: Ctrl-C or SIGTERM saves its step.")
    if problem.code != "run.another-configuration":
        return problem
    hint = "A run is ended as it was trained: put back what changed (--set data_dir=…, --config my.json)."
    return replace(problem, hint=hint)


def _end(
    level: Level,
    job: Job,
    folder: RunFolder,
    store: CheckpointStore,
    console: Console,
) -> None:
    import numpy as np

    from ..tasks.selection import selects_by_lowest
    from ..train.ending import end_phases
    from ..train.failures import failures
    from ..train.phases import steps_of

    started = time.time()
    views = level.prepare(job, folder.path, console, trains=False)
    phases, config = job.method.phases(), job.config
    totals = [steps_of(config, phase, views.num_rows(phase.data))[0] for phase in phases]
    scored = None if job.task.labels.kind == "none" else views.dev
    dev = (None, None) if scored is None else (np.asarray(scored.labels), scored.groups)
    found = end_phases(
        job.method,
        store,
        totals,
        keep=config.keep or "last",
        seed=config.seed,
        lower_is_better=selects_by_lowest(job.task, *dev),
    )
    if isinstance(found, list):
        raise UserError(_nothing(folder.path, found))
    results, ended = found
    if ended is not None:
        log.info("%s", ended.text)
    with failures(store):
        _cut_records(job, folder.path, totals, results, ended)
        trained = replace(level.scored(job, views, results), ended=ended)
        metrics = level.report(job, views, folder.path, trained, time.time() - started)
        folder.finish()
    log.info("finished: %s", metrics["kept"]["text"] if metrics else "dev was not scored")
    if metrics is None and ended is not None:
        for warning in ended.warnings:
            log.warning("%s", warning)
    note_in_file(pipeline.print_results(folder.path, console))


def _nothing(path: Path, damaged: list[str]) -> Problem:
    if damaged:
        message = f"no checkpoint can be taken: {'; '.join(damaged)}"
        return Problem(
            str(path),
            message,
            "Started again, the run trains anew.",
            code="finish.checkpoints-damaged",
        )
    message = "it holds no checkpoint: nothing was saved before it was stopped"
    hint = (
        "Start it again with its configuration; a checkpoint is written every 5 minutes, or every "
        "save_steps steps."
    )
    return Problem(str(path), message, hint, code="finish.no-checkpoint")


def _cut_records(
    job: Job, path: Path, totals: list[int], results: list[PhaseResult], ended: Ended | None
) -> None:
    """Drops log records of steps that are in no weights, as a run that goes on does."""
    from ..train.records import Records

    if ended is None:
        return
    before = {number: sum(totals[:number]) for number in range(len(job.method.phases()))}
    records = Records(path)
    records.open(before, after=(len(results) - 1, results[-1].steps))
    records.close()
