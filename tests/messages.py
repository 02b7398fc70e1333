"""Every finding of the sources by its code: the sentence and the way out, as templates.

They stand in ``messages.txt``, which ``make messages`` writes anew; no other test quotes a sentence.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "chatstill"
SNAPSHOT = Path(__file__).with_name("messages.txt")
HEAD = """\
# What users are told, by code: "file: sentence → way out"; {…} is filled in, [a | b] is one of the two.
# Written from the sources by `make messages`. A better sentence changes this file and no test.
"""
MAKERS = ("Problem", "Said", "Finding")
MESSAGE = ("message", "what")


class Told(NamedTuple):
    """One place of the sources that tells something: file, line, code, sentence, way out."""

    file: str
    line: int
    code: str
    message: str
    hint: str


class Call(NamedTuple):
    """A call that makes a finding, with the functions around it."""

    file: str
    node: ast.Call
    around: tuple[ast.FunctionDef, ...]


def trees() -> Iterator[tuple[str, ast.Module]]:
    """Each file of the package, by its path within."""
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        yield name, ast.parse(path.read_text(encoding="utf-8"))


@cache
def calls() -> tuple[Call, ...]:
    """All calls that make a finding or hand a code on."""
    found = []
    for file, tree in trees():
        stack: list[tuple[ast.AST, tuple[ast.FunctionDef, ...]]] = [(tree, ())]
        while stack:
            node, around = stack.pop()
            if isinstance(node, ast.Call) and (_code(node) or _called(node) in MAKERS):
                found.append(Call(file, node, around))
            inside = (*around, node) if isinstance(node, ast.FunctionDef) else around
            stack += [(child, inside) for child in ast.iter_child_nodes(node)]
    return tuple(
        sorted(found, key=lambda call: (call.file, call.node.lineno, call.node.col_offset))
    )


def faults() -> list[str]:
    """Calls without a code, or with one that is neither a text nor handed on."""
    wrong = [f"{file}:{node.lineno}" for file, node in _plain_texts()]
    for call in calls():
        value = _code(call.node)
        handed_on = isinstance(value, ast.Attribute) and value.attr == "code"
        handed_on |= isinstance(value, ast.Name) and any(
            value.id == "code" and value.id in [a.arg for a in own.args.kwonlyargs]
            for own in call.around
        )
        if not handed_on and not isinstance(value, ast.Constant):
            wrong.append(f"{call.file}:{call.node.lineno}")
    return wrong


def quoted(path: Path) -> list[str]:
    """Assertions of a test file that hold six words in a row of a sentence, by line."""
    known = _sentences()
    wrong = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        asks = isinstance(node, ast.Assert | ast.withitem)
        asks |= isinstance(node, ast.Call) and _called(node) == "parametrize"
        for inner in ast.walk(node) if asks else ():
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                if _rows_of_words([inner.value]) & known:
                    wrong.append(f"{path.name}:{inner.lineno} {inner.value}")
    return wrong


@cache
def _sentences() -> set[tuple[str, ...]]:
    return _rows_of_words(f"{one.message} ⏎ {one.hint}" for one in told())


def _rows_of_words(texts: Iterable[str], number: int = 6) -> set[tuple[str, ...]]:
    found = set()
    for text in texts:
        for piece in re.split(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|[\[\]|⏎]", text):
            words = re.findall(r"[\w']+", piece)
            found |= {tuple(words[n : n + number]) for n in range(len(words) - number + 1)}
    return found


def _plain_texts() -> Iterator[tuple[str, ast.Call]]:
    """Errors that are made of a text alone."""
    for file, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _called(node) == "UserError" and node.args:
                if isinstance(node.args[0], ast.Constant | ast.JoinedStr):
                    yield file, node


@cache
def told() -> tuple[Told, ...]:
    """All findings, in the order of their codes."""
    positions = _positions()
    found = []
    for call in calls():
        code = _code(call.node)
        if isinstance(code, ast.Constant):
            parts = [_argument(call, at) for at in positions[_called(call.node)]]
            found.append(Told(call.file, call.node.lineno, str(code.value), *parts))
    return tuple(sorted(found, key=lambda one: (one.code, one.file, one.line)))


def snapshot() -> str:
    """What ``messages.txt`` has to hold."""
    lines, before = [HEAD], ""
    for one in told():
        if one.code != before:
            lines.append(f"\n{one.code}")
        text = f"{one.message} → {one.hint}" if one.hint else one.message
        entry = f"    {one.file}: {text}"
        if lines[-1] != entry:
            lines.append(entry)
        before = one.code
    return "\n".join(lines) + "\n"


def _code(node: ast.Call) -> ast.expr | None:
    return next((keyword.value for keyword in node.keywords if keyword.arg == "code"), None)


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]


def _positions() -> dict[str, tuple[int, int]]:
    """Where message and hint stand among the arguments of what takes a code."""
    found = {}
    for _, tree in trees():
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.ClassDef):
                names = [ast.unparse(f.target) for f in node.body if isinstance(f, ast.AnnAssign)]
            elif isinstance(node, ast.FunctionDef):
                names = [arg.arg for arg in node.args.args if arg.arg != "self"]
                names += [arg.arg for arg in node.args.kwonlyargs]
            message = next((names.index(name) for name in MESSAGE if name in names), None)
            if "code" in names and message is not None:
                hint = names.index("hint") if "hint" in names else 99
                found[node.name] = (message, hint)  # type: ignore[attr-defined]
    return found


def _argument(call: Call, at: int) -> str:
    """The text of an argument, by place or by the name ``hint``."""
    named = {keyword.arg: keyword.value for keyword in call.node.keywords}
    if at < len(call.node.args):
        return re.sub(r"\s*\n\s*", " ⏎ ", _text(call.node.args[at], call))
    return _text(named["hint"], call) if at == 2 and "hint" in named else ""


def _text(node: ast.expr, call: Call) -> str:
    """A text as a template: what is filled in stands in braces."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, call) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return f"{{{ast.unparse(node.value)}}}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left, call) + _text(node.right, call)
    if isinstance(node, ast.IfExp):
        return f"[{_text(node.body, call)} | {_text(node.orelse, call)}]"
    if isinstance(node, ast.Name) and call.around:
        texts = _values(node.id, call.around[-1].body, call, [f"{{{node.id}}}"])
        return texts[0] if len(texts) == 1 else f"[{' | '.join(texts)}]"
    return f"{{{ast.unparse(node)}}}"


def _values(name: str, block: list[ast.stmt], call: Call, before: list[str]) -> list[str]:
    """What a name may hold at the call, or behind a block that the call is not in."""
    for statement in block:
        target = next(iter(getattr(statement, "targets", [])), getattr(statement, "target", None))
        blocks = _blocks(statement)
        here = any(node is call.node for node in ast.walk(statement))
        if blocks and here:
            inside = [part for part in blocks if _holds(part, call)]
            if isinstance(statement, ast.For) and name in ast.unparse(statement.target).split(", "):
                before = [f"{{{name}}}"]
            return _values(name, inside[0], call, before) if inside else before
        if here:
            return [f"{{{name}}}"] if _bound_inside(statement, name) else before
        if blocks:
            after = [_values(name, part, call, before) for part in blocks if not _leaves(part)]
            after += [before] if isinstance(statement, ast.If) and not statement.orelse else []
            before = list(dict.fromkeys(text for part in after or [before] for text in part))
        elif isinstance(target, ast.Name) and target.id == name:
            value = _text(statement.value, call)  # type: ignore[attr-defined]
            added = isinstance(statement, ast.AugAssign)
            before = [text + value for text in before] if added else [value]
    return before


def _blocks(statement: ast.stmt) -> list[list[ast.stmt]]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.body]
    blocks = [getattr(statement, part, []) for part in ("body", "orelse", "finalbody")]
    blocks += [handler.body for handler in getattr(statement, "handlers", [])]
    return [block for block in blocks if block]


def _holds(block: list[ast.stmt], call: Call) -> bool:
    return any(node is call.node for statement in block for node in ast.walk(statement))


def _leaves(block: list[ast.stmt]) -> bool:
    return isinstance(block[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)


def _bound_inside(statement: ast.stmt, name: str) -> bool:
    """Whether a comprehension of the statement has a name of its own like this."""
    targets = [n.target for n in ast.walk(statement) if isinstance(n, ast.comprehension)]
    return any(isinstance(n, ast.Name) and n.id == name for t in targets for n in ast.walk(t))


if __name__ == "__main__":
    SNAPSHOT.write_text(snapshot(), encoding="utf-8")
