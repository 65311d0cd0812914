"""Where and how a server listens: its port, the options of its connections, open files."""

from __future__ import annotations

import errno
import logging
import socket
from typing import TYPE_CHECKING, Any

from grpc_health.v1 import health, health_pb2

from netsecgame.errors import PortInUseError, RemoteConfigError
from netsecgame.remote.tls import join_address
from netsecgame.remote.wire_schema import POOL, SERVICE

if TYPE_CHECKING:
    import grpc.aio

    from netsecgame.remote.options import ServerOptions

_LOG = logging.getLogger(__name__)

#: Sockets for each environment: of the client, and two of the environment's process.
_SOCKETS_PER_ENVIRONMENT = 3
_OTHER_FILES = 256

#: A peer that does not answer a ping for so long is gone.
_PING_TIMEOUT_S = 5


def channel_options(options: ServerOptions) -> list[tuple[str, Any]]:
    """How gRPC is to treat connections."""
    keepalive_ms = round(options.keepalive_s * 1_000)
    return [
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", options.max_message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.keepalive_time_ms", keepalive_ms),
        ("grpc.keepalive_timeout_ms", _PING_TIMEOUT_S * 1_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # gRPC has pings of its own, and only one under way; a keepalive waits for that one.
        ("grpc.http2.ping_timeout_ms", _PING_TIMEOUT_S * 1_000),
        ("grpc.http2.max_pings_without_data", 0),
        # Clients may ping as often as they like: it keeps routers from forgetting them.
        ("grpc.http2.min_ping_interval_without_data_ms", 1),
        ("grpc.http2.max_ping_strikes", 0),
    ]


def add_reflection(server: grpc.aio.Server) -> None:
    """Let a server say what it speaks."""
    from grpc_reflection.v1alpha import reflection, reflection_pb2  # noqa: PLC0415 - an option

    # Whoever asks finds the messages in one pool.
    for each in (health_pb2, reflection_pb2):
        POOL.AddSerializedFile(each.DESCRIPTOR.serialized_pb)
    names = (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server, POOL)


def check_port(host: str, port: int) -> None:
    """Make sure that nobody listens there.

    gRPC is content when it gets one of a name's addresses, and says little when it gets none.

    Raises:
        PortInUseError: If somebody does.
        RemoteConfigError: If there is no such address here.
    """
    address = join_address(host, port)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise RemoteConfigError(f"{address}: no such host ({error})") from error
    refusals = []
    for family, kind, _, _, place in found:
        try:
            with socket.socket(family, kind) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(place)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUseError(address) from error
            refusals.append(error)
    # A name may have an address of a family that this machine does without.
    if len(refusals) == len(found):
        why = refusals[0].strerror
        raise RemoteConfigError(f"{address}: nobody can listen there ({why})") from refusals[0]


def allow_files(environments: int) -> None:
    """Let this process, and those it starts, have the open files of so many environments."""
    count = environments * _SOCKETS_PER_ENVIRONMENT + _OTHER_FILES
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError) as error:
        _LOG.warning("only %d files can be open at once: %s", soft, error)
