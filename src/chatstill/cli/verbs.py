"""The verbs that look at trained networks."""

from pathlib import Path
from typing import Annotated

import typer

from ..errors import Problem, UserError
from ..run.log_file import say
from .caches import cache
from .of_run import block_of_run, data_of_run, of_run
from .options import (
    FileOption,
    Model,
    Plugins,
    Set,
    Split,
    TaskName,
    Texts,
    app,
    as_overrides,
    load_config,
)
from .terminal import standard_output


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
    tf_idf: Annotated[
        bool, typer.Option("--tf-idf", help="Beside a linear model on TF-IDF.")
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
    named = as_overrides([*block, *(overrides or [])], task_name, data_dir, plugins)
    loaded = load_config(config, [*named, *_with_texts(texts)], "evaluate", model=model)
    from ..run import run as pipeline

    console = standard_output()
    rivals = [name for name, wanted in (("--ranking", ranking), ("--tf-idf", tf_idf)) if wanted]
    pipeline.evaluate(
        model, loaded.config, split=split, output=output, rivals=rivals, console=console
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
    named = as_overrides([*block, *(overrides or [])], task_name, None, plugins)
    loaded = load_config(config, [*named, *_with_texts(texts)], "predict", model=model)
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
        task: load_config(None, as_overrides(overrides, task, None, plugins), "predict").config
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
