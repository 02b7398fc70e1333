"""The verb ``augment``: more training rows, with the options of TinyBERT's script beside our own."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import Problem
from ..run.log_file import say
from .options import Config, Plugins, Set, app
from .terminal import standard_error, standard_output

if TYPE_CHECKING:
    from ..augment.desk import Desk
    from ..config.schema import RunConfig

Task = Annotated[
    str | None, typer.Option("--task-name", "--task_name", help="chat, sst2, mnli, qqp, stsb …")
]
Data = Annotated[
    str | None,
    typer.Option("--data-dir", "--glue_dir", "--data_dir", help="Folder of the task's files."),
]
Bert = Annotated[
    str | None,
    typer.Option(
        "--model", "--pretrained_bert_model", metavar="FOLDER", help="The masked language model."
    ),
]
Vectors = Annotated[
    str | None,
    typer.Option(
        "--word-vectors", "--glove_embs", metavar="FILE", help="GloVe's text file, or: model."
    ),
]
Copies = Annotated[int | None, typer.Option("--copies", "--N", help="Copies of each text.")]
Candidates = Annotated[int | None, typer.Option("--candidates", "--M", help="Of each word.")]
Probability = Annotated[
    float | None, typer.Option("--probability", "--p", help="By which a word is replaced.")
]
Workers = Annotated[int | None, typer.Option("--workers", help="Processes; default: by the cores.")]


@app.command()
def augment(
    context: typer.Context,
    config: Config = None,
    task_name: Task = None,
    data_dir: Data = None,
    model: Bert = None,
    word_vectors: Vectors = None,
    copies: Copies = None,
    candidates: Candidates = None,
    probability: Probability = None,
    workers: Workers = None,
    plugins: Plugins = None,
    overrides: Set = None,
) -> None:
    """Write more training rows beside the task's own, for "use_augmented": true."""
    from ..config import load
    from .messages import show_problems

    values = {
        "task_name": task_name,
        "data_dir": data_dir,
        "plugins": plugins,
        "augmentation.model_name_or_path": model,
        "augmentation.word_vectors": word_vectors,
        "augmentation.copies": copies,
        "augmentation.candidates": candidates,
        "augmentation.probability": probability,
        "augmentation.workers": workers,
    }
    named = [f"{k}={json.dumps(v)}" for k, v in values.items() if v is not None]
    path = config if config is not None or task_name is not None else context.obj
    loaded = load(path, [*(overrides or []), *named], verb="augment")
    show_problems(loaded.warnings)
    _augment(loaded.config)


def _augment(config: "RunConfig") -> None:
    from ..augment.augment import augment as write
    from ..augment.keys import AugmentationKeys
    from ..augment.named import Named
    from ..augment.record import Sources
    from ..config.augmented import named_model, named_tokenizer
    from ..config.task import task_of

    keys = config.augmentation or AugmentationKeys()
    named = None
    if keys.method == "tinybert":
        from ..run.run import quiet_libraries

        quiet_libraries()
        block = _of_block(config, keys.model_name_or_path)
        named = Named(named_model(config), tokenizer=named_tokenizer(config), **block)
    task, data_dir = task_of(config), Path(config.data_dir)
    train = task.find("train", data_dir)
    assert train is not None, "looked for before"
    model = None if named is None else named.model_name_or_path
    tokenizer = None if named is None else named_tokenizer(config)
    write(Sources(task, data_dir, train, model, tokenizer), keys, named, _desk())


def _of_block(config: "RunConfig", path: str | None) -> dict[str, Any]:
    """Where the masked language model is named, and what stands beside it there."""
    keys = config.augmentation
    values: dict[str, Any] = {"cache_dir": config.cache_dir, "bf16": bool(keys and keys.bf16)}
    block = config.pretrained_architectures
    if path is not None or block is None:
        return {**values, "place": "augmentation.model_name_or_path"}
    return {
        **values,
        "place": "pretrained_architectures.model_name_or_path",
        "model_type": block.model_type,
    }


def _desk() -> "Desk":
    from ..augment.desk import Desk
    from .messages import show_problems
    from .rows_display import rows_display

    console = standard_output()

    def tell(line: str) -> None:
        say(console, line)

    def warn(problem: Problem) -> None:
        show_problems([problem])

    return Desk(tell, warn, lambda what, total: rows_display(standard_error(), what, total))
