"""A Ray cluster, from joining it to leaving it."""

from __future__ import annotations

import logging
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from netsecgame.errors import ConfigurationError, missing_extra

try:
    import ray
except ImportError as error:
    raise missing_extra(error, "cluster") from error

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How long the head of a cluster may take to answer.
CONNECT_TIMEOUT_S = 10.0


@contextmanager
def open_cluster(address: str | None = None) -> Iterator[None]:
    """Join a cluster for as long as the context lasts.

    Args:
        address: `HOST:PORT` of its head, ``auto`` for the one that this machine belongs to, or None
            to start one on this machine, which ends with the context.

    Raises:
        ConfigurationError: If no cluster answers there.
    """
    _check_listening(address)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address or "local",
            include_dashboard=None if address else False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except (ConnectionError, ValueError) as error:
        raise _not_there(address, error) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)  # Ray has put its own there
    try:
        yield
    finally:
        ray.shutdown()


def _check_listening(address: str | None) -> None:
    """Find out at once that nobody is there: Ray would try for two minutes, and end the process."""
    host, colon, port = (address or "").rpartition(":")
    if colon and "://" not in host and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT_S).close()
        except (OSError, OverflowError) as error:
            raise _not_there(address, error) from error


def _not_there(address: str | None, error: Exception) -> ConfigurationError:
    reason = f"there is no Ray cluster at {address!r}: {' '.join(str(error).split())}"
    return ConfigurationError(reason, path="ray-address")
