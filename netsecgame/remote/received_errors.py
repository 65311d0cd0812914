"""What a server's error raises on this side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.errors import (
    EntrypointError,
    EnvironmentDiedError,
    EnvironmentRaisedError,
    InvalidActionError,
    NotAllowedError,
    ProtocolViolationError,
    RemoteConfigError,
    RemoteError,
    RemoteTimeoutError,
    ServerDrainingError,
    ServerFullError,
    UnsupportedByServerError,
)
from netsecgame.remote.reports import Reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from netsecgame.remote.reports import ReceivedError

_BY_REASON: dict[Reason, Callable[[str], RemoteError]] = {
    Reason.BAD_ACTION: InvalidActionError,
    Reason.BAD_TENSOR: ProtocolViolationError,
    Reason.BAD_ARGS: RemoteConfigError,
    Reason.NOT_ALLOWED: NotAllowedError,
    Reason.ENTRYPOINT: EntrypointError,
    Reason.FULL: ServerFullError,
    Reason.BAD_STATE: ProtocolViolationError,
    Reason.UNIMPLEMENTED: UnsupportedByServerError,
    Reason.NOT_FOUND: ProtocolViolationError,
}

#: By the numbers of google.rpc.Code, for servers that give no reason.
_BY_CODE: dict[int, Callable[[str], RemoteError]] = {
    3: ProtocolViolationError,
    5: ProtocolViolationError,
    7: NotAllowedError,
    8: ServerFullError,
    9: ProtocolViolationError,
    12: UnsupportedByServerError,
    14: ServerDrainingError,
    16: NotAllowedError,
}
_DEADLINE_EXCEEDED = 4


def make_error(received: ReceivedError, address: str, phase: str) -> RemoteError:
    """The exception for an error that a server has answered.

    Args:
        received: What it said.
        address: Of the server, as ``host:port``.
        phase: During what; counts if the server does not tell.
    """
    text = f"{address}: {received.message or f'error {received.code} without a text'}"
    phase = received.phase or phase
    if received.reason is Reason.ENV_DIED:
        return EnvironmentDiedError(received.exit_code, text)
    if received.reason is Reason.ENV_TIMEOUT or received.code == _DEADLINE_EXCEEDED:
        return RemoteTimeoutError(phase, text)
    if received.reason is not None and received.reason in _BY_REASON:
        return _BY_REASON[received.reason](text)
    if received.reason is None and received.code in _BY_CODE:
        return _BY_CODE[received.code](text)
    return EnvironmentRaisedError(
        received.type_name or "Exception", received.message, received.traceback, phase
    )
