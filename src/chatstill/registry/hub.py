"""The Hugging Face hub: a quick question whether it can be reached; what to do where it can't or refuses."""

import functools
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import Problem, UserError

log = logging.getLogger("chatstill")
SECONDS = 8
_no_answer: list[str] = []  # why, once this process takes what was fetched before
MODEL_FILES = "config.json, model.safetensors and the tokenizer's files"
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


def endpoint() -> str:
    """Where the hub is asked."""
    return os.environ.get("HF_ENDPOINT") or "https://huggingface.co"


def offline() -> bool:
    """Whether asking the hub is forbidden."""
    from huggingface_hub import constants

    named = any(os.environ.get(name, "") not in ("", "0") for name in _OFFLINE)
    return named or bool(constants.HF_HUB_OFFLINE)


def hub_problem(
    name: str,
    place: str,
    error: BaseException | str,
    wanted: str = MODEL_FILES,
    folder: str | None = None,
    kind: str = "model",
) -> Problem:
    """What a user is told when ``name`` is no folder here and can't be had from the hub.

    Args:
        name: The name on the hub.
        place: Key of the configuration that holds it.
        error: What went wrong, or what a library raised.
        wanted: The files that a local folder needs.
        folder: The folder that takes the place of the name; None for one of that name.
        kind: ``model`` or ``dataset``.
    """
    page = f"{endpoint()}/{'datasets/' if kind == 'dataset' else ''}{name}"
    if isinstance(error, BaseException) and (refusal := refusal_of(error, page)):
        return Problem(
            place,
            f"{name} is no folder here, and the hub refused it ({endpoint()}): {refusal[0]}",
            f"{refusal[1]} A folder ./{folder or name} with {wanted} would do as well.",
            code="hub.refused",
        )
    reason = error if isinstance(error, str) else _first_line(error)
    state = "HF_HUB_OFFLINE is set" if offline() and not _no_answer else f"asked {endpoint()}"
    return Problem(
        place,
        f"{name} is no folder here and could not be had from the hub ({state}): {reason}",
        f"Put {wanted} into the folder ./{folder or name}, or into another one and name that; or set "
        "HF_ENDPOINT to a mirror you can reach; or fetch it once with a connection (HF_TOKEN for "
        "what is private) and run with HF_HUB_OFFLINE=1.",
        code="hub.not-reached",
    )


def refusal_of(error: BaseException, page: str) -> tuple[str, str] | None:
    """What the hub answered, and what to do; None where the error is of another kind.

    Args:
        error: As a library raised it; the hub's answer may be one of its causes.
        page: Address of the model or data set.
    """
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HfHubHTTPError,
        RepositoryNotFoundError,
    )

    causes = list(_causes(error))
    if any("is a gated dataset" in str(one) for one in causes):
        return _gated(page)
    if any(type(one).__name__ == "DatasetNotFoundError" for one in causes):
        return _unknown()
    answers = [one for one in causes if isinstance(one, HfHubHTTPError) and _status(one)]
    if not answers or isinstance(answers[0], EntryNotFoundError):  # the library names the file
        return None
    answer, status = answers[0], _status(answers[0])
    said = " ".join((getattr(answer, "server_message", None) or "").split())
    words = f"status {status}{f', {said[:200]!r}' if said else ''}"
    if isinstance(answer, GatedRepoError):
        return _gated(page)
    if isinstance(answer, RepositoryNotFoundError):
        return _unknown()
    if status == 401:
        return f"{words}; {_token()}", "Set HF_TOKEN to one that is valid, or take it away."
    if status == 429:
        return f"{words}: too many requests", "Wait some minutes; with HF_TOKEN more are allowed."
    if status >= 500:
        return f"{words}: a fault of its own", "Try later, or set HF_ENDPOINT to a mirror."
    return words, f"{page} may say why."


def _status(error: BaseException) -> int:
    return int(getattr(getattr(error, "response", None), "status_code", 0) or 0)


def _gated(page: str) -> tuple[str, str]:
    return (
        f"only those who accepted its terms get it; {_token()}",
        f"Accept them on {page}, and set HF_TOKEN to a token of that account.",
    )


def _unknown() -> tuple[str, str]:
    return (
        f"it knows none of this name, or a private one; {_token()}",
        "Mind the spelling (OWNER/NAME); for a private one set HF_TOKEN to a token that may read it.",
    )


def _token() -> str:
    """Whether one was sent."""
    from huggingface_hub import get_token

    if os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN"):
        return "the token of HF_TOKEN was sent"
    return "the token of `hf auth login` was sent" if get_token() else "no token is set"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def require_hub(
    name: str,
    place: str,
    *,
    wanted: str = MODEL_FILES,
    folder: str | None = None,
    kind: str = "model",
    cache_dir: str | None = None,
) -> None:
    """Stops at once where the hub can't be reached and nothing of ``name`` was fetched before.

    The libraries ask several times with growing pauses, file by file; this asks once. Where it can't be
    reached and something was fetched, they ask no more in this process, and a line says so.

    Raises:
        UserError: with the folder to fill.
    """
    if offline() and not _no_answer:
        return
    reason = _no_answer[0] if _no_answer else _unreachable(endpoint())
    if not reason:
        return
    if not _fetched(name, kind, cache_dir):
        raise UserError(hub_problem(name, place, reason, wanted, folder))
    if not _no_answer:
        _no_answer.append(reason)
        _ask_no_more()
        log.warning("%s: %s; what was fetched before is taken", endpoint(), reason)


def _ask_no_more() -> None:
    """What ``HF_HUB_OFFLINE`` does where it is set before the start."""
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = True
    if (datasets := sys.modules.get("datasets")) is not None:
        datasets.config.HF_HUB_OFFLINE = True


def fetched_folder(name: str, cache_dir: str | None = None) -> Path | None:
    """Where the files of a model lie that were fetched last; None where nothing was fetched."""
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = Path(cache_dir or HF_HUB_CACHE, _folder_of(name, "model"))
    commit = folder / "refs" / "main"
    if not commit.is_file():
        return None
    found = folder / "snapshots" / commit.read_text(encoding="utf-8").strip()
    return found if found.is_dir() else None


def _fetched(name: str, kind: str, cache_dir: str | None) -> bool:
    """Whether anything of this name lies in the hub's cache."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return os.path.isdir(os.path.join(cache_dir or HF_HUB_CACHE, _folder_of(name, kind)))


def _folder_of(name: str, kind: str) -> str:
    return f"{kind}s--{name.replace('/', '--')}"


@functools.cache
def _unreachable(address: str) -> str:
    """Why the hub does not answer; empty if it does, whatever it says."""
    from huggingface_hub import get_session

    try:
        get_session().head(address, timeout=SECONDS)
    except Exception as error:
        # The client's kinds differ between its versions; any of them means: no answer.
        reason = re.sub(r"^\[Errno -?\d+\] ", "", " ".join(str(error).split()))
        return f"no answer ({reason or type(error).__name__})"
    return ""
