"""The links of a pipeline as separate configurations: the file's keys with each link's own on top."""

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .. import lookup
from ..disk.run_files import COMPARED, DIRECT
from ..disk.run_names import CACHE, is_taken
from ..errors import Problem, UserError
from ..registry.names import nearest
from .compared import LINK, TEACHER, alone, comparisons, direct
from .compat.placeholders import is_placeholder
from .places import KeyPath
from .source import Source, apply_override

OF_A_LINK = "pipeline."
ONLY = "distilled"  # the one link of a file without a pipeline that is compared
Verb = Literal["distill", "teach"]
_OF_A_LINK = ("name", "verb", "note")
_NOT_IN_A_LINK = {
    "pipeline": "A pipeline has one level.",
    "compare_direct": "It stands at the top of the file.",
    "compare_alone": "It stands at the top of the file.",
    "output_dir": "Each link has a folder of its name in the file's output_dir.",
}
OF_A_CHAIN = ("pipeline", "compare_direct", "compare_alone")
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}")


@dataclass
class Draft:
    """A link before it is checked.

    Attributes:
        name: Of its folder.
        verb: What is run.
        source: Its values with their places in the file.
        after: Links whose networks it takes; filled by ``resolve_links``.
    """

    name: str
    verb: Verb
    source: Source
    after: tuple[str, ...] = ()


def kept_in(folder: Path, verb: str) -> Path:
    """Where a run of a verb leaves its network."""
    return folder / ("teacher" if verb == "teach" else "student")


def drafts_of(source: Source, overrides: Sequence[str]) -> tuple[list[Draft], list[Problem]]:
    """The links of a file, references to each other resolved, and what is wrong with the list.

    Args:
        source: The file.
        overrides: Those that begin with ``OF_A_LINK``.
    """
    drafts, problems = _listed(source)
    wanted, faults = comparisons(source)
    problems += faults
    later = {name: [o for o in overrides if o.startswith(f"{OF_A_LINK}{name}.")] for name in wanted}
    of_the_chain = [o for o in overrides if not any(o in found for found in later.values())]
    if drafts:
        problems += _apply_overrides(drafts, of_the_chain)
    listed = list(drafts)
    for name in wanted if drafts else ():  # of the last link as it is now
        compared = direct if name == DIRECT else alone
        link, faults = compared(source, {draft.name: draft.source for draft in listed})
        problems += faults
        if link is not None:
            _place_in_folder(link, source.get(("output_dir",)))
            verb = listed[-1].verb if name == DIRECT else "distill"
            drafts.append(Draft(name, verb, link))
            problems += _apply_overrides(drafts, later[name])
    for number, draft in enumerate(drafts):
        problems += _resolve(draft, drafts[:number])
    return drafts, problems


def _listed(source: Source) -> tuple[list[Draft], list[Problem]]:
    if not source.get(("pipeline",)):  # one run, and those that it is compared with
        source.put(("pipeline",), [{"name": ONLY}], source.place(("compare_alone",)))
    links = source.get(("pipeline",))
    if not isinstance(links, list):
        message = "'pipeline' must be a list of links: [ { … }, { … } ]."
        return [], [source.problem(("pipeline",), message, code="chain.pipeline-is-no-list")]
    drafts: list[Draft] = []
    problems: list[Problem] = []
    for number, link in enumerate(links):
        if not isinstance(link, dict):
            message = "a link is a block { … } of keys."
            problems.append(
                source.problem(("pipeline", number), message, code="chain.link-is-no-block")
            )
            continue
        name = link.get("name", f"link{number + 1}")
        faults = _faults(link, name, {draft.name for draft in drafts}, source, number)
        problems += faults
        if _is_name(name) and name not in {draft.name for draft in drafts}:
            verb: Verb = "teach" if link.get("verb") == "teach" else "distill"
            draft = Draft(name, verb, _link_source(source, name, number))
            if drafts and TEACHER not in link:
                _follow_on(draft.source, drafts[-1].name)
            drafts.append(draft)
    return drafts, problems


def _is_name(name: Any) -> bool:
    """Whether a link can be spoken of by it; its folder may have that name or not."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def _faults(
    link: dict[str, Any], name: Any, taken: set[str], source: Source, number: int
) -> list[Problem]:
    here: KeyPath = ("pipeline", number)
    problems = []
    if not _is_name(name):
        message = f"{json.dumps(name, ensure_ascii=False)} can't name a link."
        hint = (
            "Its folder has that name: up to 100 letters, digits, '-', '_' and '.', such as step1."
        )
        problems.append(
            source.problem((*here, "name"), message, hint, code="chain.link-name-faulty")
        )
    elif (found := _in_use(name, taken)) is not None:
        problems.append(
            source.problem(
                (*here, "name"), f"the name '{name}' is taken.", found, code="chain.link-name-taken"
            )
        )
    if link.get("verb", "distill") not in ("distill", "teach"):
        message = f"'verb' is {json.dumps(link['verb'])}; a link can distill or teach."
        problems.append(source.problem((*here, "verb"), message, code="chain.verb-unknown"))
    problems += [
        source.problem(
            (*here, key), f"'{key}' can't stand in a link.", hint, code="chain.key-not-of-a-link"
        )
        for key, hint in _NOT_IN_A_LINK.items()
        if key in link
    ]
    return problems


def _in_use(name: str, taken: set[str]) -> str | None:
    """Who has a link's name; case is not counted: some file systems do not tell ``A`` from ``a``."""
    if name in taken:
        return "Each link has its own name."
    same = [other for other in taken if other.casefold() == name.casefold()]
    if same:
        return f"Its folder and that of '{same[0]}' would be one where file names have no case."
    if name.casefold() in COMPARED or is_taken(name):
        return "A chain keeps its own files and folders under that name; call the link step1 or the like."
    return None


def _link_source(source: Source, name: str, number: int) -> Source:
    """The file's keys with a link's own on top.

    A block of an architecture is one network, so a link's own takes the place of the file's; other
    blocks are merged key by key. ``null`` takes the file's key out.
    """
    shared = {k: v for k, v in source.values.items() if k not in OF_A_CHAIN}
    link = Source(f"{source.name}: link {name}", copy.deepcopy(shared))
    link.link = name
    link.of_the_file = frozenset(shared)
    link.places = {path: place for path, place in source.places.items() if path[0] in shared}
    here: KeyPath = ("pipeline", number)
    written = {k: v for k, v in source.get(here).items() if k not in (*_OF_A_LINK, *_NOT_IN_A_LINK)}
    _lay_over(link, (), written, source, here)
    _place_in_folder(link, source.get(("output_dir",)))
    return link


def _place_in_folder(link: Source, folder: Any) -> None:
    """A folder of its own, and the prepared rows of all links together."""
    if not isinstance(folder, str):
        return
    place = link.place(("output_dir",))
    link.put(("output_dir",), str(Path(folder) / link.link), place)
    if not link.has(("cache_dir",)):
        link.put(("cache_dir",), str(Path(folder) / CACHE), place)


def _lay_over(
    link: Source, path: KeyPath, values: dict[str, Any], source: Source, home: KeyPath
) -> None:
    for key, value in values.items():
        here, there = (*path, key), (*home, key)
        if not path:
            link.of_the_file -= {key}
        if not path and value is None:
            link.drop(here)
            continue
        whole = not path and key.endswith("_architectures")
        if isinstance(value, dict) and isinstance(link.get(here), dict) and not whole:
            _lay_over(link, here, value, source, there)
            continue
        link.put(here, copy.deepcopy(value), source.place(there))
        for known, place in source.places.items():
            if known[: len(there)] == there:
                link.places[(*here, *known[len(there) :])] = place


def _follow_on(link: Source, before: str) -> None:
    """In a chain of assistants the link before is the teacher where a link names none of its own."""
    try:
        file = _method_file(link)
    except (UserError, AttributeError, TypeError):  # said when the link is checked
        return
    if file.chain == "teacher":
        place = link.place(("model_type",))
        link.put((TEACHER,), {"model_name_or_path": LINK + before}, place)


def _apply_overrides(drafts: list[Draft], overrides: Sequence[str]) -> list[Problem]:
    """``pipeline.NAME.key=value`` goes over a link's own value."""
    problems: list[Problem] = []
    by_name = {draft.name: draft for draft in drafts}
    for override in overrides:
        name, _, rest = override.removeprefix(OF_A_LINK).partition(".")
        if name in by_name and not rest.startswith("output_dir="):
            problems += apply_override(by_name[name].source, rest)
        else:
            hint = f"The links are {', '.join(by_name)}: --set {OF_A_LINK}{drafts[0].name}.seed=7"
            message = (
                f"there is no link '{name}'."
                if name not in by_name
                else "a link has its own folder."
            )
            problems.append(
                Problem(f"--set {override}", message, hint, code="chain.override-of-no-link")
            )
    return problems


def _writes_files(draft: Draft) -> bool:
    """Whether a link leaves files that a network of the package starts from, not a network to go on with."""
    if draft.verb == "teach":
        return False
    try:
        file = _method_file(draft.source)
        return lookup.method(file.method).reads_words
    except (UserError, AttributeError, TypeError):  # said when the link is checked; or a plugin's
        return False


def _method_file(link: Source) -> lookup.MethodFile:
    file_name = link.get(("configuration_file",))
    return lookup.find_method_file(
        link.get(("model_type",)),
        None if is_placeholder(file_name) else file_name,
        lookup.method_names(),
    )


def _resolve(draft: Draft, before: Sequence[Draft]) -> list[Problem]:
    """``link:NAME`` becomes the folder where that link leaves its network."""
    known = {earlier.name: earlier for earlier in before}
    problems, after, promised, files = [], [], [], []
    for path, value in list(draft.source.leaves()):
        if not isinstance(value, str) or not value.startswith(LINK):
            continue
        name, place = value.removeprefix(LINK), draft.source.place(path)
        if path[-1] not in ("model_name_or_path", "tokenizer_name_or_path"):
            message = f"'{value}' can only stand as a model_name_or_path or tokenizer_name_or_path."
            problems.append(Problem(place.where, message, code="chain.link-reference-misplaced"))
            draft.source.drop(path)
            continue
        earlier = known.get(name)
        if earlier is None:
            near = nearest(name, list(known))
            names = ", ".join(known) or "none"
            hint = f"Did you mean '{LINK}{near}'?" if near else f"Links before it: {names}."
            message = f"'{value}': there is no link of that name before '{draft.name}'."
            problems.append(
                Problem(place.where, message, hint, code="chain.link-reference-unknown")
            )
            promised.append(value)  # no more is to be said of it
            continue
        folder = str(kept_in(Path(str(earlier.source.get(("output_dir",)))), earlier.verb))
        draft.source.put(path, folder, place)
        if path[0] == TEACHER:  # what an earlier link made answers on the task's own scale
            for key in ("teacher_output", "teacher_output_range"):
                draft.source.drop((key,))
        after.append(name)
        promised.append(folder)
        if _writes_files(earlier):
            files.append(folder)
    draft.after = tuple(dict.fromkeys(after))
    draft.source.promised, draft.source.files_promised = frozenset(promised), frozenset(files)
    return problems
