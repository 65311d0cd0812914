"""A network that can fail without a word."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Self


class Relay:
    """Passes bytes between one client and a server, until it is told to lose them all.

    Attributes:
        port: Where the client connects.
        is_silent: Whether bytes are lost; nobody is told.
        passed_at: When bytes passed last, on the monotonic clock.
    """

    def __init__(self, server_port: int) -> None:
        self.is_silent = False
        self.passed_at = time.monotonic()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._server_port = server_port
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._threads[0].join()
        for each in self._sockets:
            # Closing alone does not wake a thread that reads.
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in (*self._sockets, self._listener):
            each.close()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(("127.0.0.1", self._server_port))
        self._sockets += [client, server]
        for source, sink in ((client, server), (server, client)):
            self._threads.append(threading.Thread(target=self._pass, args=(source, sink)))
            self._threads[-1].start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if not self.is_silent:
                    self.passed_at = time.monotonic()
                    sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
