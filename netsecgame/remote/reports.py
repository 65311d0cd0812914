"""What went wrong, as a response and back."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import DecodeError

from netsecgame.remote.messages import EnvironmentResponse, serialize
from netsecgame.remote.wire_schema import message_class

if TYPE_CHECKING:
    from typing import Final

_ErrorInfo = message_class("google.rpc.ErrorInfo")

_DOMAIN: Final = "netsecgame.remote"
_ERROR_INFO_URL: Final = "type.googleapis.com/google.rpc.ErrorInfo"
_MAX_TEXT_BYTES: Final = 4096
_MAX_TYPE_NAME_BYTES: Final = 256
_MAX_TRACEBACK_BYTES: Final = 16384


class Reason(StrEnum):
    """Why a request was not carried out, in one word."""

    ENV_RAISED = "ENV_RAISED"
    ENV_DIED = "ENV_DIED"
    ENV_TIMEOUT = "ENV_TIMEOUT"
    BAD_ACTION = "BAD_ACTION"
    BAD_TENSOR = "BAD_TENSOR"
    BAD_ARGS = "BAD_ARGS"
    NOT_ALLOWED = "NOT_ALLOWED"
    ENTRYPOINT = "ENTRYPOINT"
    FULL = "FULL"
    BAD_STATE = "BAD_STATE"
    UNIMPLEMENTED = "UNIMPLEMENTED"
    NOT_FOUND = "NOT_FOUND"

    @property
    def code(self) -> int:
        """The number of google.rpc.Code that goes with it."""
        return _CODES[self]


_CODES: Final = {
    Reason.ENV_RAISED: 2,
    Reason.ENV_DIED: 13,
    Reason.ENV_TIMEOUT: 4,
    Reason.BAD_ACTION: 3,
    Reason.BAD_TENSOR: 3,
    Reason.BAD_ARGS: 3,
    Reason.NOT_ALLOWED: 7,
    Reason.ENTRYPOINT: 5,
    Reason.FULL: 8,
    Reason.BAD_STATE: 9,
    Reason.UNIMPLEMENTED: 12,
    Reason.NOT_FOUND: 5,
}


class Report(NamedTuple):
    """An error on its way to the client.

    Attributes:
        reason: Why, in one word.
        type_name: Of the exception.
        message: Its text.
        phase: During what: ``constructor``, ``reset``, ``step``, ``render``, ``close`` or "".
        traceback: Where; None to tell nobody.
        exit_code: Of a process that is gone; None if nobody knows, or none is.
    """

    reason: Reason
    type_name: str
    message: str
    phase: str = ""
    traceback: str | None = None
    exit_code: int | None = None


class ReceivedError(NamedTuple):
    """An error of any server.

    Attributes:
        code: The number of google.rpc.Code.
        reason: None if the server is of another kind or knows reasons that we do not.
        type_name: Of the exception; "" if the server does not tell.
        message: Its text.
        phase: As in a `Report`; "" if the server does not tell.
        traceback: None if the server does not tell.
        exit_code: Of a process that is gone; None if nobody knows.
    """

    code: int
    reason: Reason | None
    type_name: str
    message: str
    phase: str = ""
    traceback: str | None = None
    exit_code: int | None = None


def error_response(report: Report) -> bytes:
    """The response that tells a client of an error."""
    type_name = _cut(report.type_name, _MAX_TYPE_NAME_BYTES) or "Error"
    text = report.message.strip() or "(no text)"
    response = EnvironmentResponse()
    response.error.code = report.reason.code
    response.error.message = _cut(f"{type_name}: {text}", _MAX_TEXT_BYTES)
    info = _ErrorInfo(reason=report.reason.value, domain=_DOMAIN)
    info.metadata["type"] = type_name
    if report.phase:
        info.metadata["phase"] = report.phase
    if report.traceback is not None:
        # The end of it tells where.
        info.metadata["traceback"] = _cut(report.traceback, -_MAX_TRACEBACK_BYTES)
    if report.exit_code is not None:
        info.metadata["exit_code"] = str(report.exit_code)
    response.error.details.add(type_url=_ERROR_INFO_URL, value=serialize(info))
    return serialize(response)


def read_error(status: Any) -> ReceivedError:
    """What the `error` of a response says."""
    for detail in status.details:
        if detail.type_url != _ERROR_INFO_URL:
            continue
        try:
            info = _ErrorInfo.FromString(detail.value)
        except DecodeError:
            continue
        if info.domain == _DOMAIN:
            return _read(status, info)
    return ReceivedError(status.code, None, "", status.message)


def _read(status: Any, info: Any) -> ReceivedError:
    metadata = dict(info.metadata)
    type_name = metadata.get("type", "")
    exit_code = metadata.get("exit_code", "")
    return ReceivedError(
        status.code,
        Reason(info.reason) if info.reason in Reason.__members__ else None,
        type_name,
        status.message.removeprefix(f"{type_name}: "),
        metadata.get("phase", ""),
        metadata.get("traceback"),
        int(exit_code) if exit_code.removeprefix("-").isdecimal() else None,
    )


def _cut(text: str, limit_bytes: int) -> str:
    """The first bytes of a text that can be sent, or the last ones if the limit is negative."""
    data = text.encode(errors="backslashreplace")
    data = data[:limit_bytes] if limit_bytes >= 0 else data[limit_bytes:]
    return data.decode(errors="ignore")
