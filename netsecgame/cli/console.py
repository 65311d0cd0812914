"""Where commands print."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, Progress

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import ProgressColumn

#: Where there is no terminal to draw on, about so many lines tell of the progress.
PLAIN_LINES = 10


class CommandConsole(Console):
    """Raises an ordinary error when nobody reads its output; rich would end the process at once."""

    def on_broken_pipe(self) -> None:
        """Called by rich."""
        raise BrokenPipeError(errno.EPIPE, "nobody reads the output")


class LiveLine:
    """A bar that is drawn while a command runs, and gone at its end; a context manager.

    Attributes:
        progress: What draws it; nothing where there is no terminal.
        console: Where.
    """

    def __init__(self, console: Console, before: ProgressColumn, *after: ProgressColumn) -> None:
        """Draw nothing yet.

        Args:
            console: Where to draw.
            before: What is left of the bar.
            after: What is right of it.
        """
        self.console = console
        self.progress = Progress(
            before,
            BarColumn(bar_width=20),
            *after,
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.progress.stop()
