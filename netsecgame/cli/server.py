"""`netsecgame serve`: one server, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Any

from netsecgame.game.worlds.command_line import serve
from netsecgame.game.worlds.NetSecGame import NetSecGame
from netsecgame.game.worlds.WhiteBoxNetSecGame import WhiteBoxNetSecGame

if TYPE_CHECKING:
    from pathlib import Path

    from netsecgame.game.coordinator import GameCoordinator


def serve_task(
    task: Path,
    host: str,
    port: int,
    *,
    log_level: str,
    is_white_box: bool,
    stops_with_stdin: bool,
    **options: Any,
) -> int:
    """Serve a task until SIGINT or SIGTERM; returns the exit status.

    Args:
        task: The task file.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        log_level: What goes to the log.
        is_white_box: Whether agents are told every action there can be.
        stops_with_stdin: Whether the end of standard input stops the server too.
        options: As for `GameCoordinator`.
    """
    world = WhiteBoxNetSecGame if is_white_box else NetSecGame

    def announce(server: GameCoordinator) -> None:
        if stops_with_stdin:
            _stop_with_stdin(server)
        # One line that people and programs read.
        print(f"listening on {host}:{server.port} (Ctrl-C stops)", flush=True)  # noqa: T201

    return serve(lambda: world(host, port, task, **options), log_level, announce)


def _stop_with_stdin(server: GameCoordinator) -> None:
    loop = asyncio.get_running_loop()
    stdin = sys.stdin.fileno()

    def read() -> None:
        if not os.read(stdin, 4_096):
            loop.remove_reader(stdin)
            server.shutdown_flag.set()

    try:
        loop.add_reader(stdin, read)
    except OSError:  # it is a file, and so at its end sooner or later
        server.shutdown_flag.set()
