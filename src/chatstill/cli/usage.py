"""Slips of the command line in our own words, with the nearest word and the way to the help."""

import difflib
import re
from collections.abc import Sequence
from typing import Any

import typer

# The library brings its errors under a private name; this one is the base of a public one.
UsageError: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "UsageError"
)


def call(app: typer.Typer, given: Sequence[str], obj: Any) -> None:
    """Runs the command line; its library's own errors are raised, not printed.

    Raises:
        UsageError: A verb, an option or a value that does not exist.
        SystemExit: An end that was asked for, with its code.
    """
    try:
        code = app(list(given), prog_name="chatstill", obj=obj, standalone_mode=False)
    except typer.Abort as stop:
        raise KeyboardInterrupt from stop
    if isinstance(code, int) and code:
        raise SystemExit(code)


def explain(error: Any) -> tuple[str, str]:
    """What is wrong with a command line, and the lines that show how it is used.

    The message is empty where no verb was given: then the lines are the whole help.
    """
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return "", str(getattr(error, "message", error))
    message, hint = _words(error, context)
    usage, path = "Usage: chatstill VERB …", "chatstill"
    if context is not None:
        usage, path = context.get_usage().strip(), context.command_path
    return message + (f" {hint}" if hint else ""), f"{usage}\n`{path} --help` says more."


def _words(error: Any, context: Any) -> tuple[str, str]:
    """Message and hint; what has no words here keeps those of the library."""
    kind, text = type(error).__name__, str(getattr(error, "message", error))
    quoted = re.findall(r"'([^']*)'", text)
    if kind == "NoSuchOption":
        options = [word for one in context.command.params for word in getattr(one, "opts", ())]
        found = str(error.option_name)
        return f"there is no option {found}.", _near(found, [o for o in options if o[:2] == "--"])
    if kind == "MissingParameter":
        return f"{_name(error)} is missing.", ""
    if kind == "BadParameter" and "is not one of" in text and quoted:
        found, words = quoted[0], quoted[1:]
        return f"{_name(error)} is '{found}', and must be {_or(words)}.", _near(found, words)
    if text.startswith("No such command") and quoted:
        verbs = list(context.command.list_commands(context))
        if quoted[0].endswith((".json", ".jsonc")):
            return f"'{quoted[0]}' is no verb.", f"To run it: chatstill distill {quoted[0]}"
        return f"there is no verb '{quoted[0]}'.", _near(quoted[0], verbs)
    if text.startswith("Got unexpected extra argument"):
        found = text[text.rfind("(") + 1 : text.rfind(")")]
        hint = f"Each value has its own --set: --set {found.split()[0]}" if "=" in found else ""
        return f"more than the verb takes: {found}.", hint
    if kind == "BadOptionUsage" and "requires an argument" in text:
        return f"{error.option_name} lacks its value.", ""
    if kind == "BadParameter" and getattr(error, "param", None) is not None:
        told = text.replace("Input should be", "must be", 1).rstrip(".")
        return f"{_name(error)}{' ' if told.startswith('must') else ': '}{told}.", ""
    return text.rstrip(".") + ".", ""


def _name(error: Any) -> str:
    """The parameter that an error is about, as it is typed."""
    option = next((word for word in error.param.opts if word.startswith("--")), None)
    return option or str(error.param.metavar or error.param.name.upper())


def _or(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else "".join(words)


def _near(word: str, known: Sequence[str]) -> str:
    found = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"Did you mean {found[0]}?" if found else ""
