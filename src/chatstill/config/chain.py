"""A file with ``pipeline``: several runs, each with the file's keys and its own on top."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..disk.run_files import COMPARED
from ..errors import Problem, UserError
from .chain_links import OF_A_LINK, Verb, drafts_of, kept_in
from .load import Loaded, load_source, sort_problems
from .source import Source, read_source

__all__ = ["Chain", "Link", "kept_in", "load_chain"]


@dataclass(frozen=True)
class Link:
    """One run of a chain.

    Attributes:
        name: Its folder inside the chain's.
        verb: What is run.
        loaded: Its configuration; networks of links before it are named by where they will lie.
        after: Links whose networks it takes.
    """

    name: str
    verb: Verb
    loaded: Loaded
    after: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Its run folder."""
        return Path(self.loaded.config.output_dir)

    @property
    def kept(self) -> Path:
        """Where its network will lie."""
        return kept_in(self.folder, self.verb)


@dataclass(frozen=True)
class Chain:
    """The runs of a file, in order.

    Attributes:
        name: The file as the user named it.
        links: Every one passed the first report.
        warnings: Of all of them.
        arguments: The command line that loads the same again.
    """

    name: str
    links: list[Link]
    warnings: list[Problem]
    arguments: list[str]

    @property
    def folder(self) -> Path:
        """The file's ``output_dir``."""
        return self.links[0].folder.parent


def load_chain(path: Path | None, overrides: Sequence[str], *, verb: str) -> Chain | None:
    """Reads a file that lists a pipeline, or whose student is compared with one alone; None for others.

    Args:
        path: The JSON file.
        overrides: ``key=value`` for the file's keys, ``pipeline.NAME.key=value`` for a link's.
        verb: ``distill`` or ``check``.

    Raises:
        UserError: With the problems of all links at once.
    """
    if path is None:
        return None
    of_links = [override for override in overrides if override.startswith(OF_A_LINK)]
    of_file = [override for override in overrides if override not in of_links]
    source, problems, complete = read_source(path, of_file)
    alone = source.get(("compare_alone",))
    if not complete or not (source.get(("pipeline",)) or alone is True or isinstance(alone, dict)):
        return None
    sets = [word for override in overrides for word in ("--set", override)]
    arguments = [verb, str(path), *sets]
    drafts, found = drafts_of(source, of_links)
    problems += found
    links = []
    for draft in drafts:
        try:
            loaded = load_source(draft.source, [], arguments, verb=draft.verb)
        except UserError as error:
            problems += error.problems
        else:
            problems += loaded.warnings
            links.append(Link(draft.name, draft.verb, loaded, draft.after))
    if len(links) == len(drafts):  # a faulty link may be the one that reads the network
        problems += _unread(links, source)
    problems = _said_once(problems, source, [draft.source.name for draft in drafts])
    if any(problem.severity == "error" for problem in problems):
        raise UserError(problems)
    return Chain(source.name, links, problems, arguments)


def _unread(links: Sequence[Link], source: Source) -> list[Problem]:
    """Links whose network no later one reads, though it was trained for them."""
    listed = [link for link in links if link.name not in COMPARED]
    read = {name for link in listed for name in link.after}
    return [
        Problem(
            source.name,
            f"no later link reads the network of '{link.name}'",
            f'Name it where it is to be gone on from, such as "student_architectures": '
            f'{{"model_name_or_path": "link:{link.name}"}}, or run \'{link.name}\' by itself.',
            "warning",
            code="chain.link-not-read",
        )
        for link in listed[:-1]
        if link.name not in read
    ]


def _said_once(problems: list[Problem], source: Source, links: list[str]) -> list[Problem]:
    """What concerns every link is a matter of the file, and what is an error is no warning as well."""
    for message in {problem.message for problem in problems if problem.place in links}:
        places = {problem.place for problem in problems if problem.message == message}
        if len(links) > 1 and places.issuperset(links):
            problems = [
                replace(p, place=source.name) if p.message == message and p.place in links else p
                for p in problems
            ]
    errors = {(p.place, p.message) for p in problems if p.severity == "error"}
    return sort_problems(
        [p for p in problems if p.severity == "error" or (p.place, p.message) not in errors]
    )
