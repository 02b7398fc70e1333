"""The verbs that train nothing: what there is, a schema for editors, and a first configuration."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..disk.write import write_text
from ..errors import Problem, UserError
from ..run.log_file import say
from .options import Plugins, app
from .terminal import is_utf8, standard_output, write

Kind = Annotated[
    Literal["tasks", "methods", "students"] | None,
    typer.Argument(metavar="[tasks|methods|students]", help="One kind; default: all."),
]


@app.command()
def init(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="The training file, or the folder that holds it.")
    ],
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Folder of a teacher, or of a pre-trained model.")
    ],
    output: Annotated[
        Path | None, typer.Option(help="The file; default: distill.jsonc or teach.jsonc.")
    ] = None,
) -> None:
    """Look at data and a model, and write a configuration with comments."""
    from ..draft.write import draft

    target, lines = draft(data, model, output)
    say(standard_output(), *lines, f"written: {target}")


@app.command("list")
def list_(kind: Kind = None, plugins: Plugins = None) -> None:
    """List tasks, methods and kinds of students."""
    from .lists import show

    show(standard_output(), (kind,) if kind else ("tasks", "methods", "students"), plugins or ())


@app.command()
def schema(
    output: Annotated[
        Path | None, typer.Option(help="The file to write; default: standard output.")
    ] = None,
    method_file: Annotated[
        bool, typer.Option("--method-file", help="Of config/models_config/*.json instead.")
    ] = False,
    plugins: Plugins = None,
) -> None:
    """Print a JSON Schema of the configuration, for editors."""
    from ..config.jsonschema import method_file_schema, run_schema

    found = method_file_schema() if method_file else run_schema(plugins or ())
    text = json.dumps(found, indent=2, ensure_ascii=output is None and not is_utf8()) + "\n"
    if output is None:
        write(text.rstrip("\n"))
        return
    if output.is_dir() or (output.exists() and '"$schema"' not in _start(output)):
        message = f"{output} exists and holds no schema."
        raise UserError(
            Problem("--output", message, "Name another file.", code="cli.output-is-no-schema")
        )
    write_text(output, text)
    say(standard_output(), f"schema: {output}")


def _start(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return stream.read(200)
