"""A server in a process of its own, which can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

ENTRYPOINTS = Path(__file__).parent / "entrypoints"

_PROGRAM = """
import json, sys
from netsecgame.remote import create_remote_environment_server
args, port, options = json.loads(sys.argv[1])
server = create_remote_environment_server(args, "127.0.0.1", port, **options)
print(server.port, flush=True)
server.wait_for_termination()
"""


class ServerProcess:
    """A server that listens as long as the context lasts, unless it is killed.

    Attributes:
        port: The same again when it is started again.
    """

    def __init__(
        self, entrypoint: str, kwargs: dict[str, Any] | None = None, **options: Any
    ) -> None:
        self.port = 0
        self._args = {"entrypoint": entrypoint, "entrypoint_kwargs": kwargs or {}}
        self._options = {"mode": "inline", **options}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it; it listens then."""
        arguments = json.dumps([self._args, self.port, self._options])
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, arguments],
            cwd=ENTRYPOINTS,
            env={**os.environ, "PYTHONPATH": str(Path.cwd())},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def kill(self) -> None:
        """End it as the system does that is short of memory."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()
