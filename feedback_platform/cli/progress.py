"""Progress bars on a terminal, and silence elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Report = Callable[[int, int], None]


@contextmanager
def progress_bar(description: str) -> Iterator[tuple[Report, Callable[[str], None]]]:
    """Show a bar on stderr meanwhile; yields how to report counts, and what is being done."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[detail]}"),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(description, total=None, detail="")

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        def detail(text: str) -> None:
            progress.update(task, detail=text)

        yield report, detail
