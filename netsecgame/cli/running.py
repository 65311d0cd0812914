"""Runs a command line that typer describes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

# What click raises for a wrong command line; typer has it under no name of its own.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]


def run_app(app: typer.Typer, arguments: Sequence[str], name: str) -> int:
    """Carry out a command line; returns the exit status, 2 if it is wrong.

    Args:
        app: Its commands.
        arguments: Without the program's name.
        name: The program's.
    """
    try:
        status = app(list(arguments), prog_name=name, standalone_mode=False)
    except _UsageError as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else name
        text = " ".join(error.format_message().split())  # type: ignore[attr-defined]
        typer.echo(f"{command}: {text} (see {command} --help)", err=True)
        return 2
    return status if isinstance(status, int) else 0
