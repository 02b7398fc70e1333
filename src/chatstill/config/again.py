"""The configuration of a run from its own folder: what ``config.resolved.json`` recorded, checked anew."""

import re
from collections.abc import Sequence
from pathlib import Path

from ..disk.run_files import resolved_entries
from ..errors import Problem, UserError
from .load import Loaded, load, load_source
from .places import KeyPath, Place
from .source import Source, apply_override

FILE = "config.resolved.json"
# Origins of values that a user wrote; the rest is laid under again.
_OF_A_USER = re.compile(r".+:\d+|--set")
# Where the run found the files that its student starts from: what the user wrote of it is not kept.
_FOUND = "student_architectures.network.folder"


def load_again(
    folder: Path,
    verb: str,
    *,
    config: Path | None = None,
    plugins: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
) -> Loaded:
    """What a run was configured with.

    Args:
        folder: The run's.
        verb: ``distill`` or ``teach``.
        config: The file that describes the run; None takes what its folder recorded.
        plugins: Files with code, which is not run unasked: those of the run have to be named again.
        overrides: ``key=value`` for what lies elsewhere by now.

    Raises:
        UserError: with all problems; a folder that recorded nothing, plugins that are not named.
    """
    named = [*overrides, f"output_dir={folder}"]
    if config is not None:
        return load(config, named, verb=verb)
    entries = resolved_entries(folder)
    if not entries:
        message = f"its {FILE} is missing or damaged, so its configuration is not known"
        raise UserError(
            Problem(
                str(folder),
                message,
                "Name the file: --config my.json",
                code="run.configuration-lost",
            )
        )
    plugins_of_run = entries.get("plugins", {}).get("value") or []
    if plugins_of_run and not plugins:
        more = " ".join(f"--plugin {name}" for name in plugins_of_run)
        message = f"the run had plugins of its own: {', '.join(map(str, plugins_of_run))}."
        raise UserError(
            Problem(
                str(folder),
                message,
                f"Name them: {more}, or --config CONFIG.",
                code="run.plugins-not-named",
            )
        )
    source = Source(str(folder / FILE))
    for key, entry in entries.items():
        if _OF_A_USER.fullmatch(str(entry["origin"])) or (key == _FOUND and entry["value"]):
            path: KeyPath = tuple(key.split("."))
            where = f"{folder / FILE} ({entry['origin']})"
            source.put(path, entry["value"], Place(str(entry["origin"]), where, 1))
    if plugins:
        source.put(("plugins",), list(plugins), Place("--plugin", "--plugin", 1))
    problems = [problem for override in named for problem in apply_override(source, override)]
    return load_source(source, problems, [], verb=verb)
