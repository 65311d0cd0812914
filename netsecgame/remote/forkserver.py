"""A process that forks the processes of environments and sees to their end.

Forking is quick, but only safe in a process without threads, so this one does nothing else: it has
loaded what every environment needs, and no gRPC. Whoever started it tells it over sockets what to
do:

- On the *control* socket comes one byte for each process to fork, with two sockets attached: the
  environment's connection, and its watch socket.
- On a *watch* socket this process tells the pid, and later the exit code, as signed 32-bit numbers
  (a first number below 0 is an errno: there is no process). It takes `Order`s there, a byte each.
  When the watch socket ends, whoever wanted the environment is gone, so its process ends too.

Each forked process leads a process group, so what an environment starts ends with it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import selectors
import signal
import socket
import struct
import sys
import threading
import time
import warnings
from enum import IntEnum
from typing import Final


class Order(IntEnum):
    """What to do about a process."""

    CLOSE = 1  # it was asked to end by itself; terminate it if it does not
    TERMINATE = 2  # SIGTERM, and SIGKILL if that is not enough
    KILL = 3


#: How long an environment's `close()` may take.
CLOSE_S: Final = 5.0

#: How long a process may take to end after SIGTERM.
TERMINATE_S: Final = 2.0

#: A pid or an exit code on a watch socket.
NUMBER: Final = struct.Struct("<i")

#: What follows on an order that was not enough, and how long after it.
NEXT_ORDER: Final = {
    Order.CLOSE: (Order.TERMINATE, CLOSE_S),
    Order.TERMINATE: (Order.KILL, TERMINATE_S),
}

_SIGNALS = {Order.TERMINATE: signal.SIGTERM, Order.KILL: signal.SIGKILL}

_MAX_ORDERS = 64


class _Child:
    """A forked process.

    Attributes:
        pid: Of the process, and of its group.
        watch: Where its end is told.
        order: The last one carried out; None before any.
        due: When the next one follows, on the monotonic clock; None if none does.
        has_ended: Whether its pid may be another's already.
    """

    def __init__(self, pid: int, watch: socket.socket) -> None:
        self.pid = pid
        self.watch = watch
        self.order: Order | None = None
        self.due: float | None = None
        self.has_ended = False

    def carry_out(self, order: Order) -> None:
        """Do what an order says; one that is late, or behind the last one, changes nothing."""
        if self.has_ended or (self.order is not None and order <= self.order):
            return
        self.order = order
        _, delay_s = NEXT_ORDER.get(order, (None, None))
        self.due = None if delay_s is None else time.monotonic() + delay_s
        if order in _SIGNALS:
            self.signal_group(_SIGNALS[order])

    def carry_on(self) -> None:
        """Carry out the next order if it is due."""
        if self.due is not None and self.order is not None and self.due <= time.monotonic():
            self.carry_out(NEXT_ORDER[self.order][0])

    def signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def tell(self, number: int) -> None:
        """Tell whoever watches a number; harmless if nobody does any more."""
        with contextlib.suppress(OSError):
            self.watch.send(NUMBER.pack(number))


class ForkServer:
    """Forks processes and sees to their end, until nobody needs it any more."""

    def __init__(self, control: socket.socket) -> None:
        self._control: socket.socket | None = control
        self._children: dict[int, _Child] = {}
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._selector.register(self._woken, selectors.EVENT_READ)
        signal.set_wakeup_fd(self._waker.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def run(self) -> socket.socket | None:
        """Serve; returns None at the end, and in each forked process its connection."""
        while self._control is not None or self._children:
            for key, _ in self._selector.select(self._pause_s()):
                if key.fileobj is self._control:
                    connection = self._fork()
                    if connection is not None:
                        return connection
                elif key.fileobj is self._woken:
                    self._woken.recv(4_096)
                else:
                    self._obey(key.data)
            self._reap()
            for child in self._children.values():
                child.carry_on()
        return None

    def _pause_s(self) -> float | None:
        due = [child.due for child in self._children.values() if child.due is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _fork(self) -> socket.socket | None:
        """Fork a process if one is asked for; returns its connection in that process only."""
        assert self._control is not None
        data, descriptors, _, _ = socket.recv_fds(self._control, 1, 2)
        if not data:
            self._selector.unregister(self._control)
            self._control.close()
            self._control = None
            return None
        connection, watch = (socket.socket(fileno=each) for each in descriptors)
        try:
            pid = _fork_quietly()
        except OSError as error:
            with contextlib.suppress(OSError):
                watch.send(NUMBER.pack(-(error.errno or 1)))
            connection.close()
            watch.close()
            return None
        if pid == 0:
            watch.close()
            self._leave_to_parent()
            return connection
        connection.close()
        # Both sides do it, so that it is done before either goes on.
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        watch.setblocking(False)
        child = self._children[pid] = _Child(pid, watch)
        self._selector.register(watch, selectors.EVENT_READ, child)
        child.tell(pid)
        return None

    def _leave_to_parent(self) -> None:
        """In a forked process: let go of everything that is the parent's."""
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        for child in self._children.values():
            child.watch.close()
        for each in (self._control, self._woken, self._waker):
            if each is not None:
                each.close()

    def _obey(self, child: _Child) -> None:
        try:
            orders = child.watch.recv(_MAX_ORDERS)
        except BlockingIOError:
            return
        except OSError:
            orders = b""
        if not orders:
            self._selector.unregister(child.watch)
            if child.has_ended:
                child.watch.close()
            orders = bytes([Order.CLOSE])
        for order in orders:
            child.carry_out(Order(order))

    def _reap(self) -> None:
        """Take notice of processes that have ended, and end what they left behind."""
        while self._children:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid)
            child.signal_group(signal.SIGKILL)
            child.has_ended = True
            child.tell(os.waitstatus_to_exitcode(status))
            if child.watch.fileno() in self._selector.get_map():
                # Closed at once, an order that is on its way would fail, and whoever gave it would
                # never read the exit code.
                with contextlib.suppress(OSError):
                    child.watch.shutdown(socket.SHUT_WR)
            else:
                child.watch.close()


def _fork_quietly() -> int:
    """Fork; libraries of linear algebra have threads, but see to them when a process forks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def main(control_descriptor: int) -> None:
    """What the process does: serve, or be an environment's process."""
    import gc  # noqa: PLC0415 - only here

    from netsecgame.remote import child  # noqa: PLC0415 - loads all that environments need

    # Objects that the collector never looks at again stay on pages that all processes share.
    gc.collect()
    gc.freeze()
    connection = ForkServer(socket.socket(fileno=control_descriptor)).run()
    if connection is not None:
        child.main(connection)
        _exit_quickly()


def _exit_quickly() -> None:
    """End as the interpreter does, but do not take everything apart first.

    That would be half of the time which an environment's process takes in all.
    """
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(0)
