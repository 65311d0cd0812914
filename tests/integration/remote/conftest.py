from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.remote.server import RemoteServer, create_remote_environment_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENTRYPOINTS = Path(__file__).parent / "entrypoints"

_POLL_S = 0.01
_DEADLINE_S = 30.0


@pytest.fixture
def hosted(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the entrypoints, where the test works then."""
    monkeypatch.chdir(ENTRYPOINTS)
    return ENTRYPOINTS


class Hosting:
    """Starts servers in this process."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def __call__(
        self, entrypoint: str = "obedient.py", *credentials: object, **options: Any
    ) -> RemoteServer:
        """A server that listens until the test ends.

        Args:
            entrypoint: What it hosts.
            credentials: The three paths of `server_credentials_paths`, if any.
            options: Of the server; `kwargs` are its `entrypoint_kwargs`.
        """
        args = {"entrypoint": entrypoint, "entrypoint_kwargs": options.pop("kwargs", {})}
        options.setdefault("mode", "inline")
        paths: Any = credentials or None
        server = create_remote_environment_server(args, "127.0.0.1", 0, paths, **options)
        self._stack.callback(server.stop, 0)
        return server


@pytest.fixture
def host(hosted: Path) -> Iterator[Hosting]:
    """Starts servers of the entrypoints."""
    with ExitStack() as stack:
        yield Hosting(stack)


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    """Waits for what other processes do."""
    return _wait_until


def _wait_until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + _DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(_POLL_S)
