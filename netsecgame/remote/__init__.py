"""Gymnasium environments over gRPC: a server hosts them, a client plays them as if they were here.

Nothing is imported before somebody asks for a name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from netsecgame.errors import missing_extra

if TYPE_CHECKING:
    from netsecgame.remote.args import RemoteArgs
    from netsecgame.remote.client import RemoteEnvironment
    from netsecgame.remote.options import ClientOptions, ServerOptions
    from netsecgame.remote.parallel import RemoteParallelEnv
    from netsecgame.remote.server import (
        EnvironmentInfo,
        RemoteServer,
        create_remote_environment_server,
        serve,
    )
    from netsecgame.remote.tls import InsecureConnectionWarning
    from netsecgame.remote.vector import RemoteVectorEnv

__all__ = [
    "ClientOptions",
    "EnvironmentInfo",
    "InsecureConnectionWarning",
    "RemoteArgs",
    "RemoteEnvironment",
    "RemoteParallelEnv",
    "RemoteServer",
    "RemoteVectorEnv",
    "ServerOptions",
    "create_remote_environment_server",
    "serve",
]

_HOMES = {
    "ClientOptions": "options",
    "EnvironmentInfo": "server",
    "InsecureConnectionWarning": "tls",
    "RemoteArgs": "args",
    "RemoteEnvironment": "client",
    "RemoteParallelEnv": "parallel",
    "RemoteServer": "server",
    "RemoteVectorEnv": "vector",
    "ServerOptions": "options",
    "create_remote_environment_server": "server",
    "serve": "server",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{home}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "netsecgame":
            raise
        raise missing_extra(error, "remote") from error
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
