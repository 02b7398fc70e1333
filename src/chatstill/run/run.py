"""The main path, top to bottom: a configuration in, a smaller network and its figures out.

It names no method, model or task.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Interrupted, Problem, RunFailure, UserError
from ..train.launch import Gate, rank, relaunch_on_every_device, world_size
from .levels import level_of, level_of_rows
from .log_file import say
from .own_inputs import moved_aside

if TYPE_CHECKING:
    from rich.console import Console

    from ..config import Loaded
    from ..methods.base import Method
    from ..preflight.plan import Plan
    from ..tasks.base import Split
    from ..train.checkpoints import CheckpointStore
    from ..train.runfolder import RunFolder
    from .job import Job, Verb

log = logging.getLogger("chatstill")


def distill(
    loaded: Loaded, *, fresh: bool = False, told: Collection[Problem] = (), console: Console
) -> None:
    """Trains the student that the configuration describes and writes the run folder.

    Args:
        loaded: The configuration.
        fresh: Moves a run that is there aside.
        told: Warnings that were printed before, as a chain's are.
        console: Where everything is printed.
    """
    _run(loaded, "distill", fresh, told, console)


def teach(
    loaded: Loaded, *, fresh: bool = False, told: Collection[Problem] = (), console: Console
) -> None:
    """Fine-tunes a teacher from pretrained weights; arguments as those of ``distill``."""
    _run(loaded, "teach", fresh, told, console)


def check(loaded: Loaded, *, verb: Verb = "distill", console: Console) -> None:
    """Both reports, and no more: nothing is created."""
    from ..train.runfolder import RunFolder
    from .fingerprint import run_fingerprint

    folder = RunFolder(Path(loaded.config.output_dir))
    fingerprint = run_fingerprint(loaded, verb)
    occupied: list[Problem] = []
    try:
        state = folder.state(fingerprint)
        if state != "new":
            say(console, f"{folder.path} holds this run: {state}")
    except UserError as error:  # told with all that the pre-flight finds
        occupied = error.problems
    quiet_libraries()
    try:
        job = examined_job(loaded, verb)
        if not occupied and job.late:
            folder.state(fingerprint | job.late)
        _print_plan(loaded, job, console)
    except UserError as error:
        raise UserError([*occupied, *error.problems]) from None
    if occupied:
        raise UserError(occupied)


def _run(
    loaded: Loaded, verb: Verb, fresh: bool, told: Collection[Problem], console: Console
) -> None:
    from ..disk.run_names import CHECKPOINTS
    from ..train.checkpoints import CheckpointStore
    from ..train.failures import disk_failures
    from ..train.runfolder import RunFolder
    from .fingerprint import run_fingerprint
    from .log_file import note_in_file
    from .opening import open_folder

    config = loaded.config
    folder = RunFolder(Path(config.output_dir))
    if not config.do_train:
        _evaluate_only(loaded, verb, console)
        return
    fingerprint = run_fingerprint(loaded, verb)
    state = folder.state(fingerprint, fresh=fresh) if rank() == 0 else "resume"
    if fresh and (lost := moved_aside(config, folder.path)):
        raise UserError(lost)
    if rank() != 0 and not fresh and folder.finished(fingerprint):
        return
    if state == "finished":
        say(console, f"{config.output_dir} holds this run, finished. Its results:")
        print_results(folder.path, console)
        return
    relaunch_on_every_device(loaded.arguments, cpu=bool(config.training_arguments.get("use_cpu")))
    quiet_libraries()
    gate = Gate(folder.path)
    if rank() == 0:
        job = (examined_job if state == "new" else open_job_of)(loaded, verb)
        plan = _print_plan(loaded, job, console, told) if state == "new" else None
    else:
        gate.wait()
        job, plan = open_job_of(loaded, verb), None
    store = CheckpointStore(folder.path / CHECKPOINTS, config.save_total_limit)
    try:
        with disk_failures(store):
            if rank() == 0:
                open_folder(loaded, job, plan, folder, fingerprint, fresh, console)
            _train_and_report(loaded, job, folder, store, gate, console)
    except (Interrupted, RunFailure) as end:
        note_in_file([str(end)])
        raise
    finally:
        folder.close()


def _train_and_report(
    loaded: Loaded,
    job: Job,
    folder: RunFolder,
    store: CheckpointStore,
    gate: Gate,
    console: Console,
) -> None:
    from ..train.failures import failures
    from .log_file import note_in_file

    level = level_of(loaded)
    started = time.time()
    if rank() == 0:
        store.clean()
    views = level.prepare(job, folder.path, console)
    gate.open()
    trained = level.train(job, views, folder.path, store, gate, console)
    if rank() == 0:
        with failures(store):
            metrics = level.report(job, views, folder.path, trained, time.time() - started)
            folder.finish()
        log.info("finished: %s", metrics["kept"]["text"] if metrics else "dev was not scored")
        note_in_file(print_results(folder.path, console))


def open_job_of(loaded: Loaded, verb: Verb) -> Job:
    """The parts of a run, loaded and fitting."""
    job: Job = level_of(loaded).open_job(loaded.config, verb, _method_of(loaded, verb))
    job.idle = loaded.idle if verb == "distill" else ()  # a file is read by both verbs
    return job


def examined_job(loaded: Loaded, verb: Verb) -> Job:
    """The same for the pre-flight.

    Raises:
        UserError: what keeps the networks from being put together, and all that can be said without them.
    """
    try:
        return open_job_of(loaded, verb)
    except UserError as error:
        others = level_of(loaded).without_networks(loaded.config, _method_of(loaded, verb))
        raise UserError(dict.fromkeys([*error.problems, *others])) from None


def _method_of(loaded: Loaded, verb: Verb) -> type[Method]:
    from .. import lookup

    name = loaded.config.method_name if verb == "distill" else "finetune"
    return lookup.method(name, loaded.config.plugins)


def _print_plan(loaded: Loaded, job: Job, console: Console, told: Collection[Problem] = ()) -> Plan:
    """Checks a job, prints the plan but for the warnings that were told, and returns all of it."""
    with console.status("checking data, teacher and costs"):
        plan = level_of(loaded).preflight(job)
    show_plan(replace(plan, warnings=[w for w in plan.warnings if w not in told]), console)
    return plan


def show_plan(plan: Plan, console: Console) -> None:
    """Prints a plan."""
    from ..preflight.plan import plan_lines, plan_renderable

    if console.is_terminal:
        console.print(plan_renderable(plan))
    else:  # whole lines, to be searched and copied
        say(console, *plan_lines(plan))


def print_results(folder: Path, console: Console) -> list[str]:
    """Prints ``eval_results.txt`` and where the network and the report are; returns those lines."""
    path = folder / "eval_results.txt"
    if not path.is_file():
        console.print("(do_eval was false: no results were written)")
        return []
    kept = [folder / name for name in ("student", "teacher", "report.html")]
    text = path.read_text(encoding="utf-8").rstrip()
    lines = [*text.splitlines(), *(f"{made.stem}: {made}" for made in kept if made.exists())]
    say(console, *lines)
    return lines


def quiet_libraries() -> None:
    """Their notices about downloads and new heads are ours to word."""
    import os

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    logging.getLogger("huggingface_hub").setLevel(
        logging.ERROR
    )  # its retries; our error says it once
    from transformers.utils import logging as hf_logging

    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    logging.getLogger("torch.distributed").setLevel(logging.ERROR)
    # A first step that draws no successor moves the schedule on and nothing else, on purpose.
    warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step", UserWarning)


def _evaluate_only(loaded: Loaded, verb: Verb, console: Console) -> None:
    """``do_train: false``: scores the network in ``output_dir``, on the first process."""
    from ..models.save import kept_folder

    if rank() != 0:
        return
    folder = kept_folder(Path(loaded.config.output_dir))
    if folder is None:
        raise UserError(
            Problem(
                "output_dir",
                f"do_train is false, and {loaded.config.output_dir} holds no trained network",
                "Set do_train to true, or name the run folder of a finished run.",
                code="run.nothing-to-evaluate",
            )
        )
    evaluate(Path(loaded.config.output_dir), loaded.config, console=console)


def evaluate(
    model: Path,
    config: Any,
    *,
    split: Split = "dev",
    output: Path | None = None,
    rivals: Collection[str] = (),
    console: Console,
) -> dict[str, Any]:
    """Scores any classifier on a split of a task; prints the metrics and returns them.

    ``rivals`` adds tables of them (``evaluate.beside``).
    """
    quiet_libraries()
    metrics = level_of_rows(config).evaluate(model, config, split, output, rivals=rivals)
    say(console, *metrics["lines"])
    return metrics


def predict(
    model: Path, file: Path, config: Any, *, output: Path | None = None, console: Console
) -> Path:
    """Scores the rows of a file, with or without labels, and writes them as TSV."""
    from ..models.save import kept_folder
    from .results import network_lines

    quiet_libraries()
    network = kept_folder(model) or model
    level = level_of_rows(config)
    say(console, *network_lines(model, network))
    target, warnings = level.predict(network, file, config, output)
    told = [f"warning = {warning.place}: {warning.message}" for warning in warnings]
    say(console, *told, f"predictions: {target}")
    return target


__all__ = ["RunFailure", "check", "distill", "evaluate", "predict", "teach", "world_size"]
