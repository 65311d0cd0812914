"""Starts the processes of environments: by the forkserver, or one by one where there is none.

Both hand out the same two sockets for a process; `forkserver` says what passes over the second.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, NamedTuple

from netsecgame.remote.forkserver import NEXT_ORDER, NUMBER, Order

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

#: What the forkserver's process runs. It finds modules where this process does.
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from netsecgame.remote.forkserver import main; main(int(sys.argv[1]))"
)

_END_S = 10.0


class Launched(NamedTuple):
    """A process that was started, or is about to.

    Attributes:
        connection: Where it takes messages, as `child` says.
        watch: Where its pid and its exit code come, and where orders go.
    """

    connection: socket.socket
    watch: socket.socket


def can_fork() -> bool:
    """Whether there can be a forkserver here."""
    return hasattr(os, "fork") and hasattr(socket, "send_fds")


def launch() -> Launched:
    """Start a process for an environment, in the way that is best here."""
    return ForkServerProcess.running().launch() if can_fork() else spawn()


def prepare() -> None:
    """Start what later launches need, so that they are quick."""
    if can_fork():
        ForkServerProcess.running()


class ForkServerProcess:
    """The process that forks. There is one for this process, and it ends with it."""

    _running: ForkServerProcess | None = None
    _lock = threading.Lock()

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), json.dumps(sys.path)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # Ctrl-C in a terminal is meant for the server, which then ends its environments.
                start_new_session=True,
            )
        self._owner_pid = os.getpid()
        atexit.register(self._end)

    @classmethod
    def running(cls) -> ForkServerProcess:
        """The one of this process, started if there is none."""
        with cls._lock:
            if cls._running is None or not cls._running.is_alive:
                cls._running = cls()
            return cls._running

    @property
    def is_alive(self) -> bool:
        """Whether it takes orders of this process, and of no other that was forked from it."""
        return self._owner_pid == os.getpid() and self._process.poll() is None

    def launch(self) -> Launched:
        """Fork a process.

        Raises:
            OSError: If there are no sockets left.
        """
        connection, their_connection = socket.socketpair()
        watch, their_watch = socket.socketpair()
        with their_connection, their_watch:
            theirs = [their_connection.fileno(), their_watch.fileno()]
            socket.send_fds(self._control, [b"f"], theirs)
        return Launched(connection, watch)

    def _end(self) -> None:
        if self._owner_pid == os.getpid():
            self._control.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)


def spawn() -> Launched:
    """Start a process that is no fork of any other."""
    connection, their_connection = socket.socketpair()
    watch, their_watch = socket.socketpair()
    threading.Thread(
        target=_see_to_process,
        args=(their_connection, their_watch),
        name="netsecgame-remote-spawn",
        daemon=True,
    ).start()
    return Launched(connection, watch)


def _see_to_process(connection: socket.socket, watch: socket.socket) -> None:
    """Start a process and see to its end, as the forkserver does."""
    with watch:
        with connection:
            process = multiprocessing.get_context("spawn").Process(
                target=_run_child, args=(connection,)
            )
            try:
                process.start()
            except OSError as error:
                _tell(watch, -(error.errno or 1))
                return
        assert process.pid is not None
        _tell(watch, process.pid)
        _see_to_end(process, watch)
        assert process.exitcode is not None
        _tell(watch, process.exitcode)
        process.close()


def _see_to_end(process: SpawnProcess, watch: socket.socket) -> None:
    order: Order | None = None
    waiting: list[Any] = [process.sentinel, watch]
    while True:
        follow_up = None if order is None else NEXT_ORDER.get(order)
        ready = wait(waiting, None if follow_up is None else follow_up[1])
        if process.sentinel in ready:
            process.join()
            return
        if watch in ready:
            data = _take(watch)
            if not data:
                waiting.remove(watch)
            new = Order(max(data, default=Order.CLOSE))
        else:
            assert follow_up is not None
            new = follow_up[0]
        if order is not None and new <= order:
            continue
        order = new
        if order is Order.TERMINATE:
            process.terminate()
        elif order is Order.KILL:
            process.kill()


def _run_child(connection: socket.socket) -> None:
    from netsecgame.remote import child  # noqa: PLC0415 - only where an environment is

    child.main(connection)


def _take(watch: socket.socket) -> bytes:
    with contextlib.suppress(OSError):
        return watch.recv(64)
    return b""


def _tell(watch: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):
        watch.sendall(NUMBER.pack(number))
