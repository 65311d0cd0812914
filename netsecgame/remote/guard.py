"""Code of an environment runs under a guard, so that what it raises is known to be its own."""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

from netsecgame.errors import EnvironmentRaisedError

if TYPE_CHECKING:
    from types import TracebackType

_LOG = logging.getLogger(__name__)


class EnvironmentCode:
    """A context in which whatever is raised becomes an `EnvironmentRaisedError`, and is logged.

    `SystemExit` counts too: an environment must not end its server. It is used for every step, so
    it is a class, which is quicker than a generator.

    Args:
        phase: What the environment does meanwhile; see `EnvironmentRaisedError`.
        passed: Exceptions that are left as they are.
    """

    __slots__ = ("_passed", "_phase")

    def __init__(self, phase: str, passed: tuple[type[BaseException], ...] = ()) -> None:
        self._phase = phase
        self._passed: tuple[type[BaseException], ...] = (KeyboardInterrupt, *passed)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, self._passed):
            return
        raised = EnvironmentRaisedError(
            type(error).__name__,
            _text(error),
            "".join(traceback.format_exception(error)),
            self._phase,
        )
        _LOG.warning("%s", raised)
        raise raised from error


def _text(error: BaseException) -> str:
    """The text of an exception of which nothing is known, not even that it has one."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - code of an environment, too
        return "(an exception without a text)"
