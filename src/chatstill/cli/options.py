"""What the verbs share: their program, their options, and how a configuration is loaded."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .. import __version__
from .terminal import write

if TYPE_CHECKING:
    from ..config import Loaded

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Config = Annotated[
    Path | None,
    typer.Argument(metavar="CONFIG", help="A JSON file; default: config/distill.example.1.json."),
]
Named = Annotated[Path, typer.Argument(metavar="CONFIG", help="The JSON file of the run.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Overrides a key; dots lead into blocks."),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Move an old run aside and start anew.")]
Model = Annotated[Path, typer.Argument(metavar="MODEL", help="Folder of a student or teacher.")]
FileOption = Annotated[Path | None, typer.Option("--config", metavar="CONFIG", help="A JSON file.")]
TaskName = Annotated[str | None, typer.Option(help="chat, sst2, mnli, qqp, stsb …")]
Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin", metavar="FILE", help="A Python file with a task or model of your own."
    ),
]
Texts = Annotated[bool, typer.Option("--texts", help="With both texts of each row.")]
Split = Annotated[Literal["train", "dev", "test"], typer.Option(help="Which rows.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        write(f"chatstill {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print it.")
    ] = False,
) -> None:
    """Distils and compresses chat and language-understanding models."""


def as_overrides(
    overrides: list[str] | None,
    task_name: str | None,
    data_dir: str | None,
    plugins: list[str] | None,
) -> list[str]:
    """Options of the command line as overrides; --set goes before them."""
    values = (("task_name", task_name), ("data_dir", data_dir), ("plugins", plugins))
    named = [f"{key}={json.dumps(value)}" for key, value in values if value is not None]
    return [*named, *(overrides or [])]


def load_config(
    config: Path | None,
    overrides: list[str] | None,
    verb: str,
    fresh: bool = False,
    model: Path | None = None,
) -> "Loaded":
    """The configuration of a verb, its warnings shown; None reads none but the defaults and overrides."""
    from ..config import load
    from .messages import show_problems

    loaded = load(config, overrides or [], verb=verb, model=model)
    show_problems(loaded.warnings)
    return replace(loaded, arguments=[*loaded.arguments, *(["--fresh"] if fresh else [])])
