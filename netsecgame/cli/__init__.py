"""The `netsecgame` command; its libraries come with the `server` extra."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING

from netsecgame.errors import NetSecGameError, RemoteConfigError, RemoteError, missing_extra

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: The extras that bring libraries; all others come with `server`.
_EXTRAS = {
    "cryptography": "remote",
    "google": "remote",
    "grpc": "remote",
    "grpc_health": "remote",
    "grpc_reflection": "remote",
    "gymnasium": "env",
    "numpy": "env",
    "pettingzoo": "env",
    "prometheus_client": "remote",
    "pygame": "view",
    "ray": "cluster",
}

EXIT_FAILED, EXIT_BAD_CONFIGURATION, EXIT_INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; returns the exit status.

    What a person did wrong is told on stderr in one line.

    Args:
        arguments: Command line without the program's name; None takes that of the process.
    """

    def run() -> int:
        from netsecgame.cli.app import run_command  # noqa: PLC0415 - needs typer

        return run_command(sys.argv[1:] if arguments is None else list(arguments))

    return tell_errors(run)


def tell_errors(command: Callable[[], int]) -> int:
    """Carry out a command, its errors told in one line; returns the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal may not know every character
    try:
        return command()
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] == __name__.partition(".")[0]:
            raise
        extra = _EXTRAS.get(error.name.partition(".")[0], "server")
        return _fail(str(missing_extra(error, extra)), EXIT_FAILED)
    except OSError as error:
        return _fail(str(error), EXIT_FAILED)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except RemoteError as error:
        # The other side's errors are no fault of the command line.
        is_bad = isinstance(error, RemoteConfigError)
        return _fail(str(error), EXIT_BAD_CONFIGURATION if is_bad else EXIT_FAILED)
    except NetSecGameError as error:
        return _fail(str(error), EXIT_BAD_CONFIGURATION)


def _fail(text: str, status: int) -> int:
    print(text, file=sys.stderr)  # noqa: T201 - this is the command line
    return status
