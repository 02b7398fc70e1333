"""What a run's files say to other verbs: nothing where they are missing, damaged or of another shape."""

from pathlib import Path
from typing import Any

from .json_file import known_object
from .run_names import RECORD

DIRECT = "direct"  # a chain's run of its last student without assistants
ALONE = "alone"  # and of the same student fine-tuned without a teacher
COMPARED = (DIRECT, ALONE)


def last_link(folder: Path) -> Path | None:
    """The folder of a chain's last link, from its ``metrics.json``; None for the folder of a single run.

    Where nothing was scored there is no such file, and ``run.json`` of the finished chain names its links.
    """
    links = known_object(folder / "metrics.json").get("links")
    blocks = links if isinstance(links, list) else []
    names = [link.get("name") for link in blocks if isinstance(link, dict)] or _links(folder)
    inside = [name for name in names if isinstance(name, str) and _is_plain(name)]
    kept = [name for name in inside if name not in COMPARED]
    return folder / kept[-1] if kept else None


def _links(folder: Path) -> list[Any]:
    """Names of the links of a chain that is finished."""
    record = known_object(folder / RECORD)
    found = record.get("fingerprint")
    names = found.get("pipeline") if isinstance(found, dict) else None
    return names if isinstance(names, list) and record.get("state") == "finished" else []


def resolved_values(folder: Path) -> dict[str, Any]:
    """The values of ``config.resolved.json`` by key; a block's own keys as ``data.train``."""
    return {key: entry["value"] for key, entry in resolved_entries(folder).items()}


def resolved_entries(folder: Path) -> dict[str, dict[str, Any]]:
    """``value`` and ``origin`` of every key of ``config.resolved.json``."""
    found = known_object(folder / "config.resolved.json")
    return {
        key: {"origin": "", **entry}
        for key, entry in found.items()
        if isinstance(entry, dict) and "value" in entry
    }


def _is_plain(name: str) -> bool:
    """One folder below, not the folder itself or one above."""
    return name not in ("", ".", "..") and "\0" not in name and Path(name).parts == (name,)
