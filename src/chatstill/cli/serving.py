"""The verbs of a network that serves: ``index`` keeps replies encoded, ``rank`` ranks them for queries."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..disk.write import replacing
from ..errors import Problem, UserError
from ..figures import counted
from ..run.log_file import say
from .options import Model, Plugins, app
from .terminal import Terminal, standard_error, standard_output, write

if TYPE_CHECKING:
    from ..deploy.change import Desk
    from ..deploy.ranker import Ranked, Ranker
    from ..deploy.reply_file import ReplyFile

Label = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The label of a relevant reply, where no name says it."),
]
Queries = Annotated[
    Path | None, typer.Option("--queries", metavar="FILE", help="Queries, one a line.")
]
HEAD = ("query", "rank", "score", "id", "reply")


@app.command()
def index(
    model: Model,
    replies: Annotated[
        Path | None,
        typer.Argument(metavar="[REPLIES]", help="A file: a reply a line, or id TAB reply."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="INDEX", help="The index's folder.")] = Path(
        "index"
    ),
    add: Annotated[Path | None, typer.Option(metavar="FILE", help="Add its replies.")] = None,
    remove: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Remove its ids, or replies without ids.")
    ] = None,
    compact: Annotated[
        bool, typer.Option("--compact", help="Give back the room of what was removed.")
    ] = False,
    hold: Annotated[
        Literal["keys", "states", "vectors"] | None,
        typer.Option(help="What is kept of a reply; default: by the network."),
    ] = None,
    dtype: Annotated[
        Literal["fp16", "bf16", "int8"], typer.Option(help="In which numbers.")
    ] = "fp16",
    pool: Annotated[
        int, typer.Option(min=1, max=16, help="Average so many neighbouring states.")
    ] = 1,
    first_stage: Annotated[
        int | None,
        typer.Option(min=10, metavar="N", help="Keep neighbours too, to find N candidates by."),
    ] = None,
    queries: Queries = None,
    label: Label = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Build it anew where another index is.")
    ] = False,
    plugins: Plugins = None,
) -> None:
    """Encode replies once and keep them, for `rank`; or change such an index."""
    of_form = (hold, dtype, pool, first_stage, fresh) != (None, "fp16", 1, None, False)
    _require_one_change(replies, add, remove, compact, of_form)
    from ..deploy.folder import require_index, require_ours

    if replies is None:
        require_index(out, "--out")
    else:
        require_ours(out)
    from ..deploy import change
    from ..deploy.index import Index
    from ..deploy.manifest import read_manifest
    from ..deploy.network import open_network
    from ..deploy.reply_file import read_names, read_queries

    console = standard_output()
    desk = _desk(console, read_queries(queries) if queries is not None else None, label)
    if compact:
        manifest = change.compact(out, desk)
    elif remove is not None:
        names = read_names(remove, read_manifest(out, "--out").named)
        manifest = change.remove(out, names, desk)
    elif add is not None:
        file = _replies(add, desk)
        manifest = change.add(open_network(model, plugins or ()), file, out, desk)
    else:
        file = _replies(replies or Path(), desk)
        served = open_network(model, plugins or ())
        form = change.Form(hold, dtype, pool, first_stage)
        manifest = change.build(served, file, out, form, desk, fresh=fresh)
    left = Index(out)
    ids = f" of {counted(int((~left.removed).sum()), 'id')}" if manifest.named else ""
    held = f"{counted(len(left), 'reply', 'replies')}{ids}"
    say(console, *_network_lines(model))
    say(console, f"index: {out} ({held}; {manifest.form}; network {manifest.network[:16]})")


def _require_one_change(
    replies: Path | None, add: Path | None, remove: Path | None, compact: bool, of_form: bool
) -> None:
    asked = sum(value is not None for value in (replies, add, remove)) + compact
    if asked != 1:
        found = "none" if not asked else "several"
        message = f"one of REPLIES, --add, --remove and --compact is expected, found {found}"
        raise UserError(Problem("", message, code="index.one-thing-at-a-time"))
    if replies is None and of_form:
        message = (
            "--hold, --dtype, --pool, --first-stage and --fresh are for an index that is built"
        )
        hint = "An index keeps the form that it was built with: leave them out."
        raise UserError(Problem("", message, hint, code="index.form-of-an-index-that-is-there"))


def _replies(path: Path, desk: "Desk") -> "ReplyFile":
    from ..deploy.reply_file import read_replies

    file = read_replies(path)
    for warning in file.warnings:
        desk.warn(warning)
    return file


@app.command()
def rank(
    model: Model,
    index: Annotated[
        Path, typer.Argument(metavar="INDEX", help="Folder of an index that MODEL made.")
    ],
    query: Annotated[str | None, typer.Option(help="A query.")] = None,
    queries: Queries = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write, for --queries.")
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="How many replies.")] = 10,
    first_stage: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Score the N nearest alone where there are more."),
    ] = None,
    label: Label = None,
    plugins: Plugins = None,
) -> None:
    """Rank the replies of an index for a query, or for a file of them."""
    from ..deploy.folder import require_index

    _require_one_source(query, queries, output)
    require_index(index, "INDEX")
    from ..deploy.ranker import Ranker
    from ..deploy.reply_file import read_queries

    console = standard_output()
    asked = [query] if query is not None else read_queries(queries or Path())
    ranker = Ranker(model, index, label=label, first_stage=first_stage, plugins=plugins or ())
    for line in _network_lines(model):
        standard_error().print(line, style="dim")
    _about(ranker, top)
    _about_words(ranker, asked)
    if query is not None:
        _show(console, ranker.rank(query, top))
        return
    assert output is not None
    with replacing(output) as stream, _rows(len(asked), "queries") as done:
        stream.write("\t".join(HEAD) + "\n")
        for number, one in enumerate(asked, 1):
            for found in ranker.rank(one, top):
                for name in found.ids:
                    stream.write(
                        f"{number}\t{found.rank}\t{found.score:.6g}\t{name}\t{found.reply}\n"
                    )
            done(1)
    say(console, f"rankings: {output} ({len(asked):,} queries)")


def _require_one_source(query: str | None, queries: Path | None, output: Path | None) -> None:
    if (query is None) == (queries is None):
        message = "either --query TEXT or --queries FILE is expected"
        raise UserError(Problem("", message, code="rank.one-source"))
    if (queries is None) != (output is None):
        message = "--queries FILE and --output FILE belong together"
        raise UserError(Problem("--output", message, code="rank.output-missing"))
    if output is None or queries is None or not output.exists():
        return
    ours = output.is_file() and not (queries.exists() and output.samefile(queries))
    if ours:
        with output.open(encoding="utf-8", errors="replace") as stream:
            ours = stream.readline(100).rstrip("\n").split("\t") == list(HEAD)
    if not ours:
        message = f"{output} exists and holds no rankings"
        hint = "Name another file, or remove this one yourself."
        raise UserError(Problem("--output", message, hint, code="rank.output-taken"))


def _about(ranker: "Ranker", top: int) -> None:
    from .messages import show_problems

    count = len(ranker.index)
    said = f"score: {ranker.relevance.meaning}; {count:,} replies"
    nearest = ranker.index.manifest.nearest
    if ranker.first_stage is not None and nearest is not None and nearest.recall is not None:
        measured = f"recall {nearest.recall:.3f} was measured with {nearest.candidates:,}"
        said += f"; the {ranker.first_stage:,} nearest are scored ({measured})"
    standard_error().print(said, style="dim")
    if ranker.first_stage is not None and top > ranker.first_stage < count:
        message = f"is {top}, and the first stage finds {ranker.first_stage:,}: these are ranked"
        show_problems([Problem("--top", message, "", "warning", code="rank.top-above-first-stage")])
    elif top > count:
        message = f"is {top}, and the index holds {count:,} replies: all are ranked"
        show_problems([Problem("--top", message, "", "warning", code="rank.top-above-size")])


def _about_words(ranker: "Ranker", asked: list[str]) -> None:
    from .messages import show_problems

    if unknown := ranker.served.wordless(asked):
        message = (
            f"{counted(unknown, 'query holds', 'queries hold')} no word that the network knows"
        )
        hint = "The order of replies says nothing there."
        show_problems([Problem("query", message, hint, "warning", code="rank.no-known-word")])


def _show(console: Terminal, found: list["Ranked"]) -> None:
    if not console.is_terminal:
        write("\t".join(HEAD[1:]))
        for one in found:
            for name in one.ids:
                write(f"{one.rank}\t{one.score:.6g}\t{name}\t{one.reply}")
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in HEAD[1:]:
        table.add_column(head, justify="right" if head in ("rank", "score") else "left")
    for one in found:
        table.add_row(str(one.rank), f"{one.score:.4f}", ", ".join(one.ids), one.reply)
    console.print(table)


def _network_lines(model: Path) -> list[str]:
    """Which network is taken of a run's or a chain's folder."""
    from ..models.save import kept_folder
    from ..run.results import network_lines

    return network_lines(model, kept_folder(model) or model)


def _desk(console: Terminal, queries: list[str] | None, label: str | None) -> "Desk":
    from ..deploy.change import Desk
    from .messages import show_problems

    def tell(line: str) -> None:
        say(console, line)

    def warn(problem: Problem) -> None:
        show_problems([problem])

    return Desk(tell, warn, _rows, queries, label)


def _rows(total: int, what: str = "replies") -> "AbstractContextManager[Callable[[int], None]]":
    from .rows_display import rows_display

    return rows_display(standard_error(), what, total)
