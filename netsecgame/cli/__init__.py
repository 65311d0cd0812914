"""The `netsecgame` command; its libraries come with the `server` extra."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from netsecgame.errors import NetSecGameError, missing_extra

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The extras that bring libraries; all others come with `server`.
_EXTRAS = {"gymnasium": "env", "numpy": "env", "pettingzoo": "env", "ray": "cluster"}

EXIT_FAILED, EXIT_BAD_CONFIGURATION, EXIT_INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; returns the exit status.

    What a person did wrong is told on stderr in one line.

    Args:
        arguments: Command line without the program's name; None takes that of the process.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may not know every character
    try:
        from netsecgame.cli.app import run_command  # noqa: PLC0415 - needs typer

        return run_command(sys.argv[1:] if arguments is None else list(arguments))
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] == __name__.partition(".")[0]:
            raise
        extra = _EXTRAS.get(error.name.partition(".")[0], "server")
        return _fail(str(missing_extra(error, extra)), EXIT_FAILED)
    except OSError as error:
        return _fail(str(error), EXIT_FAILED)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except NetSecGameError as error:
        return _fail(str(error), EXIT_BAD_CONFIGURATION)


def _fail(text: str, status: int) -> int:
    print(text, file=sys.stderr)  # noqa: T201 - this is the command line
    return status
