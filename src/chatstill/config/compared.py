"""The runs that a chain's last student is compared with: taught directly, and fine-tuned alone."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from .. import lookup
from ..disk.run_files import ALONE, DIRECT
from ..errors import Problem, UserError
from .compat.legacy import RENAMED
from .compat.placeholders import is_placeholder
from .methods import lay_under
from .places import Place
from .schema import RunKeys
from .source import Source
from .validate import found

if TYPE_CHECKING:
    from ..methods.base import Method

LINK = "link:"
TEACHER, STUDENT = "teacher_architectures", "student_architectures"
WEIGHTS = "model_name_or_path"
Sources = Mapping[str, Source]


def comparisons(source: Source) -> tuple[list[str], list[Problem]]:
    """Names of the links that the keys ``compare_…`` add, and what is wrong with these keys."""
    wanted, problems = [], []
    direct_key, alone_key = source.get(("compare_direct",)), source.get(("compare_alone",))
    for key, value in (("compare_direct", direct_key), ("compare_alone", alone_key)):
        if value and source.get(("do_eval",)) is False:
            message = f"'{key}' compares figures on dev, and 'do_eval' is false."
            hint = "Set 'do_eval' to true, or leave the other key out."
            problems.append(source.problem((key,), message, hint, code="chain.nothing-is-scored"))
    if direct_key is True:
        wanted.append(DIRECT)
    elif direct_key is not None and not isinstance(direct_key, bool):
        message = f"'compare_direct' must be true or false, found {found(direct_key)}."
        problems.append(
            source.problem(("compare_direct",), message, code="chain.compare-direct-wrong-value")
        )
    if alone_key is True or isinstance(alone_key, dict):
        wanted.append(ALONE)
    elif alone_key is not None and alone_key is not False:
        message = (
            f"'compare_alone' must be true, false or a block of keys, found {found(alone_key)}."
        )
        hint = 'Keys for the run alone: "compare_alone": {"learning_rate": 1e-4}'
        problems.append(
            source.problem(
                ("compare_alone",), message, hint, code="chain.compare-alone-wrong-value"
            )
        )
    return wanted, problems


def direct(source: Source, links: Sources) -> tuple[Source | None, list[Problem]]:
    """The last link again, taught by the teacher that the chain began with.

    Args:
        source: The file.
        links: Name -> values of each link, in order.
    """
    last = list(links.values())[-1]
    first, passed = _root(links, TEACHER)
    if not passed or _named(first, TEACHER).startswith(LINK):
        message = "'compare_direct' is true, but no link before the last one is its teacher."
        hint = (
            'It compares an assistant\'s student with one taught directly: "link:NAME" as teacher.'
        )
        return None, [
            source.problem(
                ("compare_direct",), message, hint, code="chain.nothing-to-compare-directly"
            )
        ]
    link = _copy(source, last, DIRECT)
    _take_teacher(link, first)
    return link, []


def alone(source: Source, links: Sources) -> tuple[Source | None, list[Problem]]:
    """The last link's student from where it began, on gold labels alone.

    It starts as that student did: of links that go on from each other, as the first one's. The
    teacher is the chain's first one; it teaches nothing, and figures stand beside its own.

    Args:
        source: The file.
        links: Name -> values of each link, in order.
    """
    last = list(links.values())[-1]
    begun, passed = _root(links, STUDENT)
    link = _copy(source, last, ALONE)
    place = source.place(("compare_alone",))
    if method := _maker(last):
        return _by_its_maker(source, link, method)
    for key in [key for key in link.values if key not in {**RunKeys.model_fields, **RENAMED}]:
        link.drop((key,))  # how a method teaches
    for key in ("configuration_file", "teacher_cache"):
        link.drop((key,))
    link.put(("model_type",), "KD", place)
    terms = {"soft": {"weight": 0}, "hard": {"weight": 1}}
    link.put(("distillation",), {"terms": terms}, place)
    _take_block(link, STUDENT, begun)
    _take_renamed(link, begun)
    lay_under(link, (), {STUDENT: _student_of_its_method(begun)}, place, {})
    _take_teacher(link, _root(links, TEACHER)[0])
    _start_as_successors(link, begun, place)
    if link.get(("data", "unlabeled")) is not None:  # no gold label, nothing to learn
        link.drop(("data", "unlabeled"))
    link.put(("skip_unlabeled",), True, place)
    problems = _train_as_long(source, link, [begun, *passed], place) if passed else []
    _add_own_keys(source, link)
    return link, problems


def _take_teacher(link: Source, first: Source) -> None:
    """The teacher of another link, and what that one says of its outputs."""
    for key in (TEACHER, "teacher_output", "teacher_output_range"):
        _take_block(link, key, first)


def _train_as_long(
    source: Source, link: Source, links: list[Source], place: Place
) -> list[Problem]:
    """As many epochs, or steps, as some links together; a warning where these do not all say them."""
    own = source.get(("compare_alone",))
    if isinstance(own, dict) and own.keys() & {"num_train_epochs", "max_steps"}:
        return []
    for key in ("max_steps", "num_train_epochs"):
        said = [_said(each, key) for each in links]
        numbers = [
            n for n in said if isinstance(n, int | float) and not isinstance(n, bool) and n > 0
        ]
        if len(numbers) == len(links):
            link.put((key,), sum(numbers) if key == "max_steps" else float(sum(numbers)), place)
            return []
        if numbers and key == "max_steps":  # steps of some and epochs of others have no sum
            break
    message = (
        "'compare_alone' trains as long as its links together where all of them say 'max_steps', or all "
        "'num_train_epochs'; they do not, so it trains as long as the last one."
    )
    hint = 'Say it in each link, or for this run: "compare_alone": {"num_train_epochs": 23}.'
    return [
        replace(
            source.problem(("compare_alone",), message, hint, code="chain.alone-trains-less"),
            severity="warning",
        )
    ]


def _said(link: Source, key: str) -> object:
    """A key of a link, or what its method's file lays under it."""
    file = _file(link)
    value = link.get((key,))
    return file.defaults.get(key) if value is None and file is not None else value


def _add_own_keys(source: Source, link: Source) -> None:
    """The keys that ``compare_alone`` itself holds."""
    changes = source.get(("compare_alone",))
    for key, value in changes.items() if isinstance(changes, dict) else ():
        if key != "note":
            link.put((key,), copy.deepcopy(value), source.place(("compare_alone", key)))


def _file(link: Source) -> lookup.MethodFile | None:
    """The method file that a link names; None where it cannot be found: told where the link is read."""
    name, own = (_word(link, key) for key in ("model_type", "configuration_file"))
    try:
        return lookup.find_method_file(name, own, lookup.method_names())
    except UserError:
        return None


def _method(link: Source) -> "type[Method] | None":
    """The method that a link's file names."""
    if (file := _file(link)) is None:
        return None
    try:
        return lookup.method(file.method)
    except UserError:  # told where the link itself is read
        return None


def _on_a_corpus(link: Source) -> bool:
    """Whether a link is of the pre-training level, by its block, its method's file, or the method itself."""
    file, method = _file(link), _method(link)
    if file is None or method is None:
        return False
    block = {**file.defaults.get(method.block, {}), **(link.get((method.block,)) or {})}
    return bool(block.get("level", method.level) != "task")


def _maker(last: Source) -> "type[Method] | None":
    """The method of a link where no other makes such a student."""
    method = _method(last)
    return method if method is not None and method.alone else None


def _student_of_its_method(link: Source) -> Mapping[str, object]:
    """What the method's file says of the student, which goes with the method otherwise."""
    file = _file(link)
    found = {} if file is None else file.defaults.get(STUDENT, {})
    return found if isinstance(found, dict) else {}


def _word(link: Source, key: str) -> str | None:
    value = link.get((key,))
    return value if isinstance(value, str) and not is_placeholder(value) else None


def _by_its_maker(
    source: Source, link: Source, method: "type[Method]"
) -> tuple[Source | None, list[Problem]]:
    """The same network from the same start, without what the teacher says."""
    block = link.get((method.block,))
    knobs = block if isinstance(block, dict) else {}
    defaults = method.Config().model_dump()
    if all(knobs.get(key, defaults[key]) == value for key, value in method.alone.items()):
        message = (
            "'compare_alone' would train the same network twice: it learns from gold labels alone."
        )
        return None, [
            source.problem(
                ("compare_alone",), message, "Leave it out.", code="chain.nothing-to-compare-alone"
            )
        ]
    for key, value in method.alone.items():
        link.put((method.block, key), value, source.place(("compare_alone",)))
    link.put(("skip_unlabeled",), True, source.place(("compare_alone",)))
    _add_own_keys(source, link)
    return link, []


def _start_as_successors(link: Source, begun: Source, place: Place) -> None:
    """``successor_init`` of Theseus in the words of every other student."""
    words = begun.get(("model_type",))
    if not isinstance(words, str) or "theseus" not in words.lower():
        return
    kind = begun.get(("theseus_scheduler", "successor_init")) or begun.get(("successor_init",))
    block = link.get((STUDENT,))
    block = block if isinstance(block, dict) else {}
    if kind == "pretrained":
        start = {key: block[key] for key in ("model_type", WEIGHTS) if key in block}
        link.put(("pretrained_architectures",), start, place)
        link.put((STUDENT, "copy_from"), "pretrained", place)
    elif kind == "evenly":
        link.put((STUDENT, "copy_layers"), "evenly", place)
    if WEIGHTS in block:  # Theseus does not read it otherwise
        link.drop((STUDENT, WEIGHTS))


def _named(source: Source, block: str) -> str:
    """``link:NAME`` or a path; empty if none is named."""
    value = source.get((block, WEIGHTS))
    return value if isinstance(value, str) else ""


def _root(links: Sources, block: str) -> tuple[Source, list[Source]]:
    """Where a row of links, each with the network of another in a block, began; and those after it.

    A link on a corpus belongs to none: it trains no classifier.
    """
    here = list(links.values())[-1]
    passed: list[Source] = []
    while (name := _named(here, block)).startswith(LINK) and here not in passed:
        before = links.get(name.removeprefix(LINK), next(iter(links.values())))
        if _on_a_corpus(before):
            break
        passed.append(here)
        here = before
    return here, passed


def _copy(source: Source, last: Source, name: str) -> Source:
    link = Source(f"{source.name}: link {name}", copy.deepcopy(last.values))
    link.link, link.places = name, dict(last.places)
    return link


def _take_renamed(link: Source, other: Source) -> None:
    """The student's keys that stand under old names beside its block."""
    for old, new in RENAMED.items():
        if new[0] != STUDENT:
            continue
        link.drop((old,))
        if other.has((old,)) and not link.has(new):
            link.put(new, copy.deepcopy(other.get((old,))), other.place((old,)))


def _take_block(link: Source, block: str, other: Source) -> None:
    """A whole block of another link, or none where that has none."""
    link.drop((block,))
    if other.has((block,)):
        link.put((block,), copy.deepcopy(other.get((block,))), other.place((block,)))
        link.places |= {path: place for path, place in other.places.items() if path[0] == block}
