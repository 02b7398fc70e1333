"""A chain, top to bottom: the links of a file's pipeline, each an ordinary run, one after the other.

A link that takes the network of a link before it is checked before that one is trained, with an untrained
network of the same shape in its place.
"""

from __future__ import annotations

import gc
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..config.rules import TEACHERS
from ..disk.full import full_disk, is_full
from ..disk.scratch import scratch_folder
from ..errors import Interrupted, Problem, RunFailure, UserError
from ..train.launch import meet_again, rank, relaunch_on_every_device, wait_until
from . import run as pipeline
from .levels import level_of
from .log_file import say
from .own_inputs import moved_aside

if TYPE_CHECKING:
    from rich.console import Console

    from ..config import Chain, Link, RunConfig
    from ..preflight.plan import Plan
    from .job import Job

LABELS_TOLD = ("teacher", "student", "network", "teacher's outputs", "time")


def distill_chain(chain: Chain, *, fresh: bool = False, console: Console) -> None:
    """Runs every link that is not finished, then writes and prints the summary.

    Raises:
        UserError: with the problems of all links, before the first one starts.
        Interrupted: asked to stop; started again, it goes on in the link where it was.
        RunFailure: a link failed; those before it are finished.
    """
    from ..train.runfolder import RunFolder

    folder = RunFolder(chain.folder)
    names = {"pipeline": [link.name for link in chain.links]}
    state = folder.state(names, fresh=fresh) if rank() == 0 else ""
    if rank() == 0 and not fresh and (taken := _taken(chain)):
        raise UserError(taken)
    made = [link.kept for link in chain.links]
    lost = [p for link in chain.links for p in moved_aside(link.loaded.config, chain.folder, made)]
    if fresh and lost:
        raise UserError(list(dict.fromkeys(lost)))
    first = chain.links[0].loaded.config
    cpu = bool(first.training_arguments.get("use_cpu"))
    relaunch_on_every_device(chain.arguments, cpu=cpu)
    pipeline.quiet_libraries()
    try:
        told: list[Problem] = []
        if rank() == 0:
            if state == "new":
                told = overview(chain, check_links(chain, console), console)
            moved = folder.open(names, fresh=fresh)
            if moved is not None:
                say(console, f"the old runs were moved to {moved}")
        for number in range(len(chain.links)):
            _run_link(chain, number, told, console)
        if rank() == 0:
            from .chain_results import report_chain

            report_chain(chain, console)
            folder.finish()
    except Exception as error:
        if isinstance(error, UserError | RunFailure | Interrupted) or not is_full(error):
            raise
        hint = "Make room, and start again: the links that are finished stand"
        raise RunFailure(f"{full_disk(error)}. {hint}") from error
    finally:
        folder.close()


def check_chain(chain: Chain, *, console: Console) -> None:
    """Both reports of every link, and no more: nothing is created."""
    pipeline.quiet_libraries()
    taken = _taken(chain)
    try:
        plans = check_links(chain, console)
    except UserError as error:
        raise UserError([*taken, *error.problems]) from None
    told: list[Problem] = []
    for number, (link, plan) in enumerate(zip(chain.links, plans, strict=True)):
        say(console, heading(chain, number))
        new = [warning for warning in plan.warnings if warning not in told]
        pipeline.show_plan(replace(plan, warnings=new), console)
        told += new
        missing = [each.name for each in _earlier(chain, link) if not _is_kept(each)]
        if missing:
            say(console, f"{', '.join(missing)}: an untrained network stood in")
    if taken:
        raise UserError(taken)


def _taken(chain: Chain) -> list[Problem]:
    """Links whose folders hold something else. A link that waits for another is asked after that one."""
    from ..train.runfolder import RunFolder
    from .fingerprint import run_fingerprint

    problems: list[Problem] = []
    for link in chain.links:
        if all(map(_is_kept, _earlier(chain, link))):
            try:
                RunFolder(link.folder).state(run_fingerprint(link.loaded, link.verb))
            except UserError as error:
                problems += [replace(p, place=f"{link.name}: {p.place}") for p in error.problems]
    return problems


def _earlier(chain: Chain, link: Link) -> list[Link]:
    """The links that one builds on."""
    return [each for each in chain.links if each.name in link.after]


def _is_kept(link: Link) -> bool:
    """Whether a link's network is there."""
    return (link.kept / "config.json").is_file()


def heading(chain: Chain, number: int) -> str:
    """``link 2 of 3: student (teacher: assistant)``."""
    link = chain.links[number]
    after = f" (after {', '.join(link.after)})" if link.after else ""
    return f"link {number + 1} of {len(chain.links)}: {link.name}{after}"


def _run_link(chain: Chain, number: int, told: list[Problem], console: Console) -> None:
    """Runs a link to its end on all processes; a finished one is left as it is."""
    from ..train.runfolder import RunFolder
    from .fingerprint import run_fingerprint

    link = chain.links[number]
    folder = RunFolder(link.folder)
    fingerprint = run_fingerprint(link.loaded, link.verb)
    if folder.finished(fingerprint):
        if rank() == 0:
            say(console, f"{heading(chain, number)}: finished before, in {link.folder}")
        return
    if rank() == 0:
        say(console, "", f"{heading(chain, number)}, in {link.folder}")
    start = pipeline.teach if link.verb == "teach" else pipeline.distill
    start(link.loaded, told=told, console=console)
    if rank() != 0:
        wait_until(lambda: folder.finished(fingerprint))
    gc.collect()  # networks of this link, before those of the next are loaded
    meet_again(number + 1)


def check_links(chain: Chain, console: Console) -> list[Plan]:
    """The pre-flight of every link.

    Raises:
        UserError: with the problems of all links; those that need a faulty one are left out.
    """
    plans: list[Plan] = []
    problems: list[Problem] = []
    faulty: set[str] = set()
    with scratch_folder() as scratch:
        stand_ins: dict[str, str] = {}
        for number, link in enumerate(chain.links):
            if faulty.intersection(link.after):
                faulty.add(link.name)
                continue
            try:
                with console.status(f"checking {heading(chain, number)}"):
                    level, job = level_of(link.loaded), _open_link(link, stand_ins)
                    plans.append(level.preflight(job))
            except UserError as error:
                faulty.add(link.name)
                problems += [_of_link(p, link, stand_ins) for p in error.problems]
                continue
            if not _is_kept(link):
                folder = scratch / link.name
                level.stand_in(job, folder)
                stand_ins[str(link.kept)] = str(folder)
    if problems:
        raise UserError(problems)
    return plans


def _of_link(problem: Problem, link: Link, stand_ins: dict[str, str]) -> Problem:
    """A problem with its link's name, and without the folders of networks that stand in."""
    message = problem.message
    for kept, stand_in in stand_ins.items():
        message = message.replace(stand_in, kept)
    return replace(problem, place=f"{link.name}: {problem.place}", message=message)


def _open_link(link: Link, stand_ins: dict[str, str]) -> Job:
    """The parts of a link, with what is there already of the networks that it names."""
    config = with_stand_ins(link.loaded.config, stand_ins)
    job = pipeline.open_job_of(replace(link.loaded, config=config), link.verb)
    teacher = getattr(config, TEACHERS[link.loaded.level])
    if teacher is not None and teacher.model_name_or_path in stand_ins.values():
        job.teacher_is_trained = False
    return job


def with_stand_ins(config: RunConfig, stand_ins: dict[str, str]) -> RunConfig:
    """The configuration with other folders for networks that are still to be trained."""
    changed = {}
    for name in type(config).model_fields:
        block = getattr(config, name)
        if name.endswith("_architectures") and block is not None:
            paths: dict[str, Any] = {
                key: stand_ins[value]
                for key in ("model_name_or_path", "tokenizer_name_or_path")
                if (value := getattr(block, key)) in stand_ins
            }
            if (block.network or {}).get(
                "folder"
            ) in stand_ins:  # of files that a student starts from
                folder = {"folder": stand_ins[block.network["folder"]]}
                paths["network"] = {**block.network, **folder}
            if paths:
                changed[name] = block.model_copy(update=paths)
    tokenizer = config.tokenizer_name_or_path
    if tokenizer in stand_ins:
        changed["tokenizer_name_or_path"] = stand_ins[tokenizer]
    return config.model_copy(update=changed) if changed else config


def overview(chain: Chain, plans: list[Plan], console: Console) -> list[Problem]:
    """One block with each link's networks, phases, steps and time; its whole plan comes when it starts.

    Returns:
        The warnings of all links, each once, as they were printed.
    """
    from ..preflight.plan import PHASE, Plan, Section

    sections = []
    for number, plan in enumerate(plans):
        phases = [section.title for section in plan.sections if section.title.startswith(PHASE)]
        rows = []
        for section in plan.sections:
            several = len(phases) > 1 and section.title in phases
            steps = f"phase {section.title.removeprefix(PHASE)}" if several else "steps"
            told = {"steps": steps} | {label: label for label in LABELS_TOLD}
            rows += [(told[label], value) for label, value in section.rows if label in told]
        sections.append(Section(heading(chain, number), rows))
    warnings = list(dict.fromkeys(w for plan in plans for w in plan.warnings))
    pipeline.show_plan(Plan(sections, warnings), console)
    return warnings
