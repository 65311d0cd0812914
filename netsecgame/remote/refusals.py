"""Exceptions met while a request is answered, as the reports that clients get."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from netsecgame import errors
from netsecgame.remote.reports import Reason, Report

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOG = logging.getLogger(__name__)

#: What an exception of the package means to a client. None is a base of another.
_REASONS: Final[Mapping[type[errors.RemoteError], Reason]] = {
    errors.EnvironmentRaisedError: Reason.ENV_RAISED,
    errors.EnvironmentDiedError: Reason.ENV_DIED,
    errors.RemoteTimeoutError: Reason.ENV_TIMEOUT,
    errors.InvalidActionError: Reason.BAD_ACTION,
    errors.ProtocolViolationError: Reason.BAD_TENSOR,
    errors.RemoteConfigError: Reason.BAD_ARGS,
    errors.NotAllowedError: Reason.NOT_ALLOWED,
    errors.EntrypointError: Reason.ENTRYPOINT,
    errors.ServerFullError: Reason.FULL,
    errors.UnsupportedByServerError: Reason.UNIMPLEMENTED,
}


class Refusal(errors.ProtocolViolationError):
    """A request that is answered with an error of a given reason.

    Attributes:
        reason: Why.
    """

    def __init__(self, reason: Reason, text: str) -> None:
        self.reason = reason
        super().__init__(text)


def report_of(error: Exception, *, traceback_to_client: bool = False) -> Report:
    """The report about an exception.

    One that nobody raised on purpose is logged with its traceback, and the client learns its name.

    Args:
        error: The exception.
        traceback_to_client: Whether the report tells where an environment raised.
    """
    if isinstance(error, Refusal):
        return Report(error.reason, errors.ProtocolViolationError.__name__, str(error))
    if isinstance(error, errors.EnvironmentRaisedError):
        shown = error.traceback if traceback_to_client else None
        return Report(Reason.ENV_RAISED, error.type_name, error.message, error.phase, shown)
    reason = next((_REASONS[kind] for kind in type(error).__mro__ if kind in _REASONS), None)
    if reason is None:
        _LOG.error("a request could not be answered", exc_info=error)
        return Report(Reason.ENV_RAISED, type(error).__name__, "a failure of the server itself")
    return Report(
        reason,
        type(error).__name__,
        str(error),
        phase=getattr(error, "phase", ""),
        exit_code=getattr(error, "exit_code", None),
    )
