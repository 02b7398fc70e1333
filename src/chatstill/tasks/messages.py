"""Lists of messages, as chat models' data hold them, as the turns of a conversation."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import Problem
from .cells import Bad, kind_of
from .reading import shorten

# Keys of who speaks and of what is said: OpenAI's and transformers' form, and ShareGPT's.
FORMS = (("role", "content"), ("from", "value"))
# Nobody says these in the conversation: instructions, and what programs hand each other.
NO_TURNS = frozenset(
    "system developer tool function function_call tool_call function_response observation".split()
)
ANSWERS = frozenset("assistant gpt bot chatbot model ai".split())
CALLS = ("tool_calls", "function_call")
MESSAGE = 'a message {"role": …, "content": …}'


def are_messages(cell: Any) -> bool:
    """Whether a cell is a list of messages: a list with an object in it."""
    return isinstance(cell, list) and any(isinstance(item, dict) for item in cell)


def content_of(item: Any) -> str | Bad | None:
    """The text of a message or candidate: of one text, or of parts that all are text; None for none."""
    found = next((item[key] for _, key in FORMS if item.get(key) is not None), None)
    if not isinstance(found, list):
        return found if found is None or isinstance(found, str) else _no_content(found)
    parts = [part.get("text") if isinstance(part, dict) else part for part in found]
    texts = [part for part in parts if isinstance(part, str)]
    return "\n".join(texts) if texts and len(texts) == len(parts) else _no_content(found)


def _no_content(found: Any) -> Bad:
    return Bad(f"the content {shorten(str(found))}", "a text")


class Messages:
    """Reads lists of messages: the texts in their order, without who says them.

    Args:
        roles: Those whose messages are turns; None: all but ``NO_TURNS``.

    Attributes:
        last_role: Who speaks last in the list that was read last.
    """

    def __init__(self, roles: Sequence[str] | None = None) -> None:
        self._roles = None if roles is None else {role.casefold() for role in roles}
        self._left_out: Counter[str] = Counter()
        self._ends: list[int] = [0, 0]  # lists that end with an answer, and the line of the first
        self.last_role = ""

    def turns(self, cell: Sequence[Any], column: str) -> list[str] | Bad:
        """The turns of a list, oldest first; empty ones are left out.

        Args:
            cell: The list.
            column: Its name, for the place of a fault.
        """
        turns: list[str] = []
        skipped: list[str] = []
        self.last_role = ""
        for number, item in enumerate(cell):
            place = f"{column}[{number}]"
            role = _role(item)
            if isinstance(role, Bad):
                return Bad(role.found, role.expected, role.hint, place)
            content = content_of(item)
            if not self._is_turn(role) or (content is None and any(map(item.get, CALLS))):
                skipped.append(role)
                continue
            if not isinstance(content, str):
                bad = content or Bad("no content", MESSAGE)
                return Bad(bad.found, bad.expected, bad.hint, place)
            self.last_role = role.casefold()
            turns += [content] if content else []
        if not turns:
            held = f"only messages of {', '.join(dict.fromkeys(skipped))}" if skipped else "no text"
            read = "" if self._roles is None else f' of "roles": {", ".join(sorted(self._roles))}'
            what = held if cell else "an empty list"
            return Bad(what, f"one message at least that says something{read}", "", column)
        self._left_out.update(skipped)
        return turns

    def ends_with_answer(self, line: int) -> None:
        """Notes that candidates follow a message of their own speaker."""
        self._ends = [self._ends[0] + 1, self._ends[1] or line]

    def warnings(self, path: Path, unit: str) -> list[Problem]:
        """What the user should know of the lists that were read."""
        found = []
        if self._left_out and self._roles is None:
            held = ", ".join(f"{role} ({count:,})" for role, count in self._left_out.most_common(5))
            message = f"messages that are no turns of the talk are not read: {held}"
            hint = 'To read other ones: "roles" names them all, such as ["system", "user", "assistant"].'
            found.append(
                Problem(str(path), message, hint, "warning", code="dialogues.messages-not-read")
            )
        count, first = self._ends
        if count:
            lines = f"{count:,} dialogues end" if count > 1 else "1 dialogue ends"
            message = f"{lines} with a message of the assistant, the first in {unit} {first}"
            hint = (
                "Its candidates answer their own speaker: see that no reply stands in the messages."
            )
            found.append(
                Problem(str(path), message, hint, "warning", code="dialogues.later-replies")
            )
        return found

    def _is_turn(self, role: str) -> bool:
        known = role.casefold()
        return known not in NO_TURNS if self._roles is None else known in self._roles


def _role(item: Any) -> str | Bad:
    if not isinstance(item, dict):
        return Bad(kind_of(item), MESSAGE)
    role = next((item[key] for key, _ in FORMS if item.get(key) is not None), None)
    if isinstance(role, str) and role:
        return role
    if role is None:
        keys = ", ".join(str(key) for key in item) or "nothing"
        return Bad(f"no role (it holds {keys})", MESSAGE)
    return Bad(f"the role {shorten(str(role))}", "a text")
