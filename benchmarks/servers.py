"""What the benchmarks over TCP share: servers in processes of their own, and a blocking client."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
TASK = ROOT / "task_configs" / "two_networks_small.yaml"
END = b"EOF"

_START_S = 10.0
_PATIENCE_S = 20
_READ_BYTES = 1 << 18


class Server(NamedTuple):
    """A server that listens.

    Attributes:
        port: Where.
        pid: Its process.
    """

    port: int
    pid: int

    @property
    def cpu_s(self) -> float:
        """User and system time so far, in seconds."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)


def endless_task(folder: Path) -> Path:
    """The task without a step limit, and with a goal that needs a block: nobody ever wins."""
    task = folder / "task.yaml"
    lines = TASK.read_text().splitlines(keepends=True)
    text = "".join(line for line in lines if "max_steps" not in line)
    goal = "known_data: {213.47.23.195: [[User1, DataFromServer1]]}"
    assert goal in text
    task.write_text(text.replace(goal, "known_blocks: {192.168.2.2: [192.168.1.2]}"))
    return task


@contextmanager
def game_server(folder: Path, loop: str = "auto", task: Path | None = None) -> Iterator[Server]:
    """The game server.

    Args:
        folder: Where its log goes.
        loop: Its event loop: auto, asyncio or uvloop.
        task: What it serves; None is `endless_task`.
    """
    task = task or endless_task(folder)
    module = "netsecgame.game.worlds.NetSecGame"
    with running([module, "-c", str(task), "-gp", "0", "--loop", loop], folder) as server:
        yield server


@contextmanager
def echo_server(
    folder: Path, replies: Sequence[Sequence[bytes]], loop: str = "auto"
) -> Iterator[Server]:
    """The echo server; see `echo_server.py`.

    Args:
        folder: Where the replies are handed over.
        replies: What the first connection is answered, what the second one is, and so on.
        loop: Its event loop: auto, asyncio or uvloop.
    """
    file = folder / "replies.json"
    file.write_text(json.dumps([[reply.decode() for reply in each] for each in replies]))
    with running(["benchmarks.echo_server", str(file), "--loop", loop], ROOT) as server:
        yield server


@contextmanager
def running(module: list[str], folder: Path) -> Iterator[Server]:
    """A server process, from when it listens until the block ends.

    Args:
        module: What to run, with its arguments.
        folder: Its working directory.
    """
    with subprocess.Popen([sys.executable, "-m", *module], cwd=folder) as process:
        try:
            yield Server(_listening_port(process), process.pid)
        finally:
            process.terminate()
            process.wait(10)


def _listening_port(process: subprocess.Popen[bytes]) -> int:
    watched = psutil.Process(process.pid)
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        for connection in watched.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN:
                return int(connection.laddr.port)
        time.sleep(0.01)
    raise RuntimeError("the server did not start")


def connect(port: int) -> socket.socket:
    """A blocking connection without Nagle's delay; to read fails where nothing comes for long."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # No `settimeout`: it would add a system call to each read.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _PATIENCE_S, 0))
    return connection


def ask(connection: socket.socket, request: bytes) -> bytes:
    """Send one request and read its answer."""
    connection.sendall(request)
    return read_answer(connection)


def read_answer(connection: socket.socket) -> bytes:
    """The next answer, its end marker included."""
    reply = connection.recv(_READ_BYTES)
    while not reply.endswith(END):
        more = connection.recv(_READ_BYTES)
        if not more:
            raise ConnectionError("the server closed the connection")
        reply += more
    return reply
