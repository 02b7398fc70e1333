"""The verbs that train: a configuration is loaded, what is to be known is printed, and the run is called."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import Config, FileOption, Fresh, Named, Plugins, Set, app, load_config
from .terminal import standard_output

if TYPE_CHECKING:
    from ..config import Chain, Loaded


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
    loaded = load_config(config or context.obj, overrides, "distill", fresh)
    from ..run import run as pipeline

    pipeline.distill(loaded, fresh=fresh, console=standard_output())


@app.command()
def teach(config: Named, overrides: Set = None, fresh: Fresh = False) -> None:
    """Fine-tune the network of teacher_architectures."""
    loaded = load_config(config, overrides, "teach", fresh)
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
    loaded = load_config(config or context.obj, overrides, "check")
    from ..run import run as pipeline

    verb: Literal["distill", "teach"] = "teach" if loaded.verb == "teach" else "distill"
    pipeline.check(loaded, verb=verb, console=standard_output())


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
