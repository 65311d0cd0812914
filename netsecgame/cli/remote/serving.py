"""`netsecgame remote serve`: a server of environments until it is told to stop."""

from __future__ import annotations

import logging
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsecgame.cli.remote.credentials import read_kwargs, warnings_in_one_line
from netsecgame.cli.stopping import STOP_SIGNALS, Stopped
from netsecgame.errors import RoleNotAvailableError
from netsecgame.game.loading import load_game
from netsecgame.game.task_files import find_task_file
from netsecgame.game_components import AgentRole
from netsecgame.remote.options import load_server_options
from netsecgame.remote.server import create_remote_environment_server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

    from netsecgame.cli.remote.credentials import Paths
    from netsecgame.remote.options import ServerOptions
    from netsecgame.remote.server import RemoteServer

GAME = "netsecgame.envs.entrypoint:create_environment"

#: What clients of the game may choose, unless the operator says otherwise: nothing that names a
#: file of the server, and nothing that makes a game larger.
GAME_KWARGS = (
    "action_masks",
    "enable_rendering",
    "max_cycles",
    "observation",
    "render_mode",
    "role",
)


def args_of_task(
    task: str, role: str, kwargs: str | None = None, *, is_parallel: bool = False
) -> dict[str, Any]:
    """What to host to have the game played.

    Args:
        task: A task file, or the name of one.
        role: Of the learner.
        kwargs: Further options of the environments, as JSON.
        is_parallel: Whether all agents learn; `role` does not count then.

    Raises:
        ConfigurationError: If the task is wrong.
        RoleNotAvailableError: If it has no such role.
    """
    path = find_task_file(task).resolve()
    roles = load_game(path).task.roles
    if not is_parallel and AgentRole(role) not in roles:
        raise RoleNotAvailableError(role, [each.value for each in roles])
    told: dict[str, Any] = {"task": str(path)}
    told |= {"kind": "parallel"} if is_parallel else {"kind": "single", "role": str(role)}
    return {"entrypoint": GAME, "entrypoint_kwargs": {**_read(kwargs), **told}}


def args_of_entrypoint(
    entrypoint: str | None, kwargs: str | None, repo: str | None, reference: str | None
) -> dict[str, Any]:
    """What to host to have an own environment played; without an entrypoint clients choose one."""
    args = {"entrypoint": entrypoint, "repo": repo, "reference": reference}
    return {**args, "entrypoint_kwargs": _read(kwargs)}


def read_options(given: Mapping[str, Any], config: str | None) -> ServerOptions:
    """The options that a server will have.

    Args:
        given: Those that flags tell.
        config: A TOML file with others.

    Raises:
        RemoteConfigError: If one makes no sense.
    """
    if str(Path.cwd()) not in sys.path:  # the function of --authorize may be there
        sys.path.insert(0, str(Path.cwd()))
    return load_server_options(given, toml_path=config)


def serve_until_stopped(
    args: Mapping[str, Any],
    url: str,
    port: int,
    credentials: Paths | None,
    options: Mapping[str, Any],
) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status.

    The first signal lets clients go on for a while, the second ends everything at once.

    Args:
        args: What to host.
        url: Host name or address to listen on.
        port: 0 takes a free one.
        credentials: The `server_credentials_paths`.
        options: Of the server.

    Raises:
        RemoteConfigError: If that cannot be hosted.
        PortInUseError: If another program listens there.
    """
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    with warnings_in_one_line(), _signals_stopping() as stopper:
        server = create_remote_environment_server(args, url, port, credentials, **options)
        with server:
            stopper.server = server
            print(f"listening on {server.address} ({server.security})", flush=True)  # noqa: T201
            if server.metrics_port is not None:
                print(f"metrics on {url}:{server.metrics_port}", flush=True)  # noqa: T201
            server.wait_for_termination()
    return 0


class _Stopper:
    """Stops a server when signals ask for it.

    Attributes:
        server: Which; until there is one, a signal raises `Stopped`.
    """

    def __init__(self) -> None:
        self.server: RemoteServer | None = None
        self._has_begun = False

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        if self.server is None:
            raise Stopped(number)
        # The next signal interrupts this call while it waits for the clients.
        grace = 0 if self._has_begun else None
        self._has_begun = True
        self.server.stop(grace)


@contextmanager
def _signals_stopping() -> Iterator[_Stopper]:
    stopper = _Stopper()
    before = {number: signal.signal(number, stopper) for number in STOP_SIGNALS}
    try:
        yield stopper
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read(kwargs: str | None) -> dict[str, Any]:
    return {} if kwargs is None else read_kwargs(kwargs)
