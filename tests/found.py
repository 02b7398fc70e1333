"""What a test asks of a finding: its code and its place, and the values that its sentence must hold."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from chatstill.errors import Problem, UserError

CODE = re.compile(r"[a-z]+(-[a-z]+)*\.[a-z0-9]+(-[a-z0-9]+)*")
Raised = pytest.ExceptionInfo[UserError]


def found(what: Raised | UserError | Iterable[Problem]) -> list[tuple[str, str]]:
    """(code, place) of each finding, in order."""
    return [(problem.code, problem.place) for problem in _problems(what)]


def codes(what: Raised | UserError | Iterable[Problem]) -> list[str]:
    """The code of each finding, in order."""
    return [problem.code for problem in _problems(what)]


def told(what: Raised | UserError | Iterable[Problem]) -> str:
    """All findings as one text, each with its code in brackets behind it."""
    return "\n".join(f"{problem}\n[{problem.code}]" for problem in _problems(what))


@contextmanager
def refused(code: str, *values: str) -> Iterator[Raised]:
    """``pytest.raises(UserError)`` with a finding of this code that holds these values."""
    with pytest.raises(UserError) as caught:
        yield caught
    assert code in codes(caught), told(caught)
    texts = [str(problem) for problem in caught.value.problems if problem.code == code]
    assert any(all(value in text for value in values) for text in texts), told(caught)


def _problems(what: Raised | UserError | Iterable[Problem]) -> list[Problem]:
    if isinstance(what, pytest.ExceptionInfo):
        what = what.value
    return what.problems if isinstance(what, UserError) else list(what)


def holds(what: str | Problem | Raised, expected: str | tuple[str, ...]) -> bool:
    """Whether a finding, or a text of ``told``, has a code and values: ``("room.what", "value")``."""
    if isinstance(what, str):
        text = what
    else:
        text = told([what] if isinstance(what, Problem) else what)
    first, *values = (expected,) if isinstance(expected, str) else expected
    code = f"[{first}]" if CODE.fullmatch(first) else first
    return all(part in text for part in (code, *values))
