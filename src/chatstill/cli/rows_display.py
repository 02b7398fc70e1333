"""Progress of work on rows: a bar on a terminal, a plain line every ten seconds elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

EVERY = 10.0  # seconds


@contextmanager
def rows_display(console: Console, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """What is called with the number of rows that are done, to show it with rate and time left.

    Args:
        console: Where to.
        what: ``replies``.
        total: All of them.
    """
    started = shown = time.monotonic()
    finished = 0

    def facts() -> str:
        from ..train.progress import clock

        rate = finished / max(time.monotonic() - started, 1e-9)
        return f"{rate:,.0f} {what}/s  {clock((total - finished) / max(rate, 1e-9))} left"

    if not console.is_terminal:

        def line(rows: int) -> None:
            nonlocal finished, shown
            finished += rows
            if time.monotonic() - shown >= EVERY:
                shown = time.monotonic()
                text = f"{finished:,}/{total:,} {what}  {facts()}"
                console.print(text, highlight=False, soft_wrap=True)

        yield line
        return
    columns = (BarColumn(bar_width=24), TextColumn("{task.completed:,.0f}/{task.total:,.0f}"))
    with Progress(
        *columns, TextColumn("{task.fields[facts]}"), console=console, transient=True
    ) as bar:
        task = bar.add_task(what, total=total, facts="")

        def step(rows: int) -> None:
            nonlocal finished
            finished += rows
            bar.update(task, completed=finished, facts=facts())

        yield step
