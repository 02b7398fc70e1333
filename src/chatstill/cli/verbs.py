"""The verbs. Each loads its configuration, prints what is to be known, and calls the pipeline."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .. import __version__
from ..errors import Problem, UserError
from ..run.log_file import say
from .caches import cache
from .of_run import block_of_run, data_of_run, of_run
from .terminal import standard_output, write

if TYPE_CHECKING:
    from ..config import Chain, Loaded

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_EXAMPLE = "The JSON file of the run; default: config/distill.example.1.json."
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


@app.command()
def distill(
    context: typer.Context, config: Config = None, overrides: Set = None, fresh: Fresh = False
) -> None:
    """Train the student of CONFIG."""
    chain = _load_chain(config or context.obj, overrides, "distill", fresh)
    if chain is not None:
        from ..run import chain as chains

        chains.distill_chain(chain, fresh=fresh, console=standard_output())
        return
    loaded = _load(config or context.obj, overrides, "distill", fresh)
    from ..run import run as pipeline

    pipeline.distill(loaded, fresh=fresh, console=standard_output())


@app.command()
def teach(config: Named, overrides: Set = None, fresh: Fresh = False) -> None:
    """Fine-tune the network of teacher_architectures."""
    loaded = _load(config, overrides, "teach", fresh)
    from ..run import run as pipeline

    pipeline.teach(loaded, fresh=fresh, console=standard_output())


@app.command()
def finish(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run that was stopped.")],
    config: FileOption = None,
    plugins: Plugins = None,
    overrides: Set = None,
) -> None:
    """End a stopped run for good: its best or last checkpoint becomes the network."""
    from ..config.again import load_again
    from .messages import show_problems

    def loaded_of(folder: Path, verb: str) -> "Loaded":
        more = {"config": config, "plugins": plugins, "overrides": overrides or ()}
        loaded = load_again(folder, verb, **more)  # type: ignore[arg-type]
        show_problems(loaded.warnings)
        return loaded

    from ..run.finish import finish as end

    end(run, loaded_of, console=standard_output())


@app.command()
def check(context: typer.Context, config: Config = None, overrides: Set = None) -> None:
    """Check CONFIG and all it names, print the plan, stop."""
    chain = _load_chain(config or context.obj, overrides, "check")
    if chain is not None:
        from ..run import chain as chains

        chains.check_chain(chain, console=standard_output())
        return
    loaded = _load(config or context.obj, overrides, "check")
    from ..run import run as pipeline

    verb: Literal["distill", "teach"] = "teach" if loaded.verb == "teach" else "distill"
    pipeline.check(loaded, verb=verb, console=standard_output())


@app.command()
def evaluate(
    model: Model,
    config: FileOption = None,
    task_name: TaskName = None,
    data_dir: Annotated[str | None, typer.Option(help="Folder of the task's files.")] = None,
    split: Split = "dev",
    output: Annotated[Path | None, typer.Option(help="Folder for figures and predictions.")] = None,
    ranking: Annotated[
        bool, typer.Option("--ranking", help="Beside TF-IDF, of all questions.")
    ] = False,
    texts: Texts = False,
    plugins: Plugins = None,
    overrides: Set = None,
) -> None:
    """Score any student or teacher on a task's rows."""
    known = {} if config is not None else of_run(model, plugins)
    block = [] if config is not None or task_name is not None else block_of_run(model)
    if not any(item.startswith("data.") for item in block):
        data_dir = data_dir or data_of_run(model, known)
    task_name = task_name or known.get("task_name")
    if config is None and task_name is None and not model.exists():
        hint = "If it is a name on the hub, say its task: --task-name or --config."
        raise UserError(Problem("", f"there is no folder {model}", hint, code="cli.no-such-folder"))
    if texts and output is None:
        raise UserError(
            Problem(
                "--texts",
                "predictions are only written with --output FOLDER",
                code="cli.texts-without-output",
            )
        )
    named = _named([*block, *(overrides or [])], task_name, data_dir, plugins)
    loaded = _load(config, [*named, *_with_texts(texts)], "evaluate", model=model)
    from ..run import run as pipeline

    console = standard_output()
    pipeline.evaluate(
        model, loaded.config, split=split, output=output, ranking=ranking, console=console
    )


@app.command()
def predict(
    model: Model,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Rows with or without labels.")],
    config: FileOption = None,
    task_name: TaskName = None,
    output: Annotated[Path | None, typer.Option(help="The file to write.")] = None,
    texts: Texts = False,
    plugins: Plugins = None,
    overrides: Set = None,
) -> None:
    """Write a model's scores for every row of FILE."""
    block = [] if config is not None or task_name is not None else block_of_run(model)
    guessed = False
    if config is None:
        task_name = task_name or of_run(model, plugins).get("task_name")
        told = any(
            word.startswith(("task_name=", "data.")) for word in [*block, *(overrides or [])]
        )
        guessed, task_name = not (task_name or told), task_name or "chat"
    named = _named([*block, *(overrides or [])], task_name, None, plugins)
    loaded = _load(config, [*named, *_with_texts(texts)], "predict", model=model)
    from ..run import run as pipeline

    try:
        pipeline.predict(model, file, loaded.config, output=output, console=standard_output())
    except UserError as error:
        if guessed:
            message = (
                f"nothing beside {model} says its task, so the rows were read as those of chat"
            )
            hint = "Name the task (--task-name mrpc), or the file of its run (--config my.json)."
            error.problems.append(
                Problem("", message, hint, "warning", code="predict.task-not-told")
            )
        raise


@app.command()
def glue_score(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Run folders, one for each task.")
    ],
) -> None:
    """Print GLUE's overall score of several finished runs."""
    from ..run.glue_scores import score_lines

    say(standard_output(), *score_lines(folders))


@app.command()
def submit(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL...", help="Run folders, or TASK=FOLDER for other networks."),
    ],
    data_dir: Annotated[Path, typer.Option(help="GLUE's folder.")] = Path("data"),
    output: Annotated[Path, typer.Option(help="The zip to write.")] = Path("submission.zip"),
    incomplete: Annotated[bool, typer.Option("--incomplete", help="Without some tasks.")] = False,
    plugins: Plugins = None,
    overrides: Set = None,
) -> None:
    """Predict GLUE's test sets and write the zip that its server takes."""
    from ..run import glue_scores as submission
    from .messages import show_problems

    named = submission.named_models(models, lambda folder: of_run(folder, plugins).get("task_name"))
    configs = {
        task: _load(None, _named(overrides, task, None, plugins), "predict").config
        for task in submission.configured(named)
    }
    console = standard_output()
    warnings = submission.submit(
        named,
        data_dir,
        output,
        configs=configs,
        incomplete=incomplete,
        say=lambda line: say(console, line),
    )
    show_problems(warnings)


app.command()(cache)


def _with_texts(asked: bool) -> list[str]:
    return ["predictions_texts=true"] if asked else []


def _named(
    overrides: list[str] | None,
    task_name: str | None,
    data_dir: str | None,
    plugins: list[str] | None,
) -> list[str]:
    """Options of the command line as overrides; --set goes before them."""
    values = (("task_name", task_name), ("data_dir", data_dir), ("plugins", plugins))
    named = [f"{key}={json.dumps(value)}" for key, value in values if value is not None]
    return [*named, *(overrides or [])]


def _load_chain(
    config: Path | None, overrides: list[str] | None, verb: str, fresh: bool = False
) -> "Chain | None":
    from ..config import load_chain
    from .messages import show_problems

    chain = load_chain(config, overrides or [], verb=verb)
    if chain is None:
        return None
    show_problems(chain.warnings)
    return replace(chain, arguments=[*chain.arguments, *(["--fresh"] if fresh else [])])


def _load(
    config: Path | None,
    overrides: list[str] | None,
    verb: str,
    fresh: bool = False,
    model: Path | None = None,
) -> "Loaded":
    from ..config import load
    from .messages import show_problems

    loaded = load(config, overrides or [], verb=verb, model=model)
    show_problems(loaded.warnings)
    return replace(loaded, arguments=[*loaded.arguments, *(["--fresh"] if fresh else [])])
