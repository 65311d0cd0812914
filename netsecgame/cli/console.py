"""Where commands print."""

from __future__ import annotations

import errno

from rich.console import Console


class CommandConsole(Console):
    """Raises an ordinary error when nobody reads its output; rich would end the process at once."""

    def on_broken_pipe(self) -> None:
        """Called by rich."""
        raise BrokenPipeError(errno.EPIPE, "nobody reads the output")
