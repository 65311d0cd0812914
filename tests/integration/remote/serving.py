"""Servers in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PROGRAM = """
import json, signal, sys

from netsecgame.remote.server import create_remote_environment_server

options = json.loads(sys.argv[1])
args = {"entrypoint": options.pop("entrypoint")}
server = create_remote_environment_server(args, "127.0.0.1", options.pop("port", 0), **options)
signal.signal(signal.SIGTERM, lambda *_: server.stop())
signal.signal(signal.SIGINT, lambda *_: server.stop(0))
print(server.port, flush=True)
server.wait_for_termination()
"""


class ServerProcess:
    """A server that listens, in a process of its own.

    Attributes:
        process: The process.
        port: Where it listens.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self.process = process
        self.port = int(process.stdout.readline())

    def wait(self) -> int:
        """Wait for its end; gives the exit status."""
        return self.process.wait(60)


@contextmanager
def serving_process(
    folder: Path, entrypoint: str = "obedient.py", **options: object
) -> Iterator[ServerProcess]:
    """A server, from when it listens until it has ended; stops by SIGTERM, at once by SIGINT.

    Args:
        folder: Where it works.
        entrypoint: What it hosts.
        options: Of the server, and its `port`.
    """
    process = subprocess.Popen(
        [
            sys.executable,
            *("-W", "error", "-c", _PROGRAM),
            json.dumps({"entrypoint": entrypoint, **options}),
        ],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield ServerProcess(process)
        finally:
            if process.poll() is None:
                process.kill()
