"""Every exception the package raises on purpose.

NetSecGameError
├── ConfigurationError (ValueError)   a file or an option a person wrote is wrong
│   ├── TaskError                     … the task file
│   ├── ScenarioError                 … the scenario
│   └── PolicyError                   … a saved policy
├── ProtocolError                     the peer broke the wire protocol
│   ├── FramingError                  the bytes cannot be cut into messages; the connection ends
│   │   ├── MessageTooLargeError
│   │   └── MessageTooDeepError
│   ├── BadRequestError               one message is wrong; the connection goes on
│   └── BadReplyError                 a server's reply cannot be understood
└── GameError                         a call that the rules do not allow
    ├── NotRegisteredError
    ├── AlreadyRegisteredError
    ├── RoleNotAvailableError
    ├── EpisodeOverError
    ├── UnknownActionError (IndexError)
    └── ActionTextError (ValueError)

What happens *in* the game (a failed exploit, a detection) is a value, never an exception.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def suggest_nearest(word: str, known: Iterable[str]) -> str:
    """The text `` (did you mean 'x'?)`` for the known word nearest to `word`, or nothing.

    Case does not count: `attacker` is near to `Attacker`.
    """
    import difflib  # noqa: PLC0415 - only errors need it, and they can wait 5 ms

    by_folded = {name.casefold(): name for name in known}
    nearest = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f" (did you mean {by_folded[nearest[0]]!r}?)" if nearest else ""


def missing_extra(error: ImportError, extra: str) -> ImportError:
    """What to raise in place of `error`, met while importing an optional library.

    Args:
        error: What the import raised.
        extra: The extra of this package that brings the library, e.g. ``server``.
    """
    return ImportError(
        f"{error.name} is not installed; get it with: pip install netsecgame[{extra}]",
        name=error.name,
    )


class NetSecGameError(Exception):
    """Base of all exceptions of this package."""


class ConfigurationError(NetSecGameError, ValueError):
    """Something a person configured is wrong.

    Attributes:
        reason: What was seen and what was expected.
        source: The file's name, or None when the configuration came from no file.
        line: 1-based line in that file, or None when it is not known.
        path: Where in the document, e.g. ``coordinator.agents.Attacker.goal``; "" is the whole.
    """

    def __init__(
        self, reason: str, *, source: str | None = None, line: int | None = None, path: str = ""
    ) -> None:
        self.reason = reason
        self.source = source
        self.line = line
        self.path = path
        super().__init__(str(self))

    def __str__(self) -> str:
        place = self.source or ""
        if self.line is not None:
            place = f"{place}:{self.line}" if place else f"line {self.line}"
        return ": ".join(part for part in (place, self.path, self.reason) if part)


class TaskError(ConfigurationError):
    """The task file is wrong."""


class ScenarioError(ConfigurationError):
    """The scenario is wrong."""


class PolicyError(ConfigurationError):
    """A saved policy cannot be read, or was made for something else."""


class ProtocolError(NetSecGameError):
    """The peer broke the wire protocol."""


class FramingError(ProtocolError):
    """The byte stream cannot be cut into messages any more."""


class MessageTooLargeError(FramingError):
    """A message is longer than the limit allows.

    Attributes:
        limit_bytes: The limit.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        super().__init__(f"message is longer than {limit_bytes} bytes")


class MessageTooDeepError(FramingError):
    """A message nests deeper than the limit allows.

    Attributes:
        limit_depth: The limit.
    """

    def __init__(self, limit_depth: int) -> None:
        self.limit_depth = limit_depth
        super().__init__(f"message is nested more than {limit_depth} levels deep")


class BadRequestError(ProtocolError):
    """One message is wrong.

    Attributes:
        field: The offending field as a dotted path, e.g. ``parameters.source_host.ip``; "" is the
            whole.
        reason: What was seen and what was expected.
    """

    def __init__(self, reason: str, field: str = "") -> None:
        self.reason = reason
        self.field = field
        super().__init__(f"{field}: {reason}" if field else reason)


class BadReplyError(ProtocolError):
    """A server's reply cannot be understood."""


class GameError(NetSecGameError):
    """A call that the rules of the game do not allow."""


class NotRegisteredError(GameError):
    """The agent has not joined the game."""


class AlreadyRegisteredError(GameError):
    """The agent has joined the game already."""


class RoleNotAvailableError(GameError):
    """The task has no such role.

    Attributes:
        role: The role asked for.
        available: The roles there are.
    """

    def __init__(self, role: str, available: Iterable[str]) -> None:
        self.role = role
        self.available = tuple(available)
        names = ", ".join(self.available)
        super().__init__(f"role {role!r} is not part of this task; available roles: {names}")


class EpisodeOverError(GameError):
    """The agent's episode has ended; only a reset goes on."""


class UnknownActionError(GameError, IndexError):
    """An action's number is outside its index.

    Attributes:
        number: The number.
        size: How many actions the index has.
    """

    def __init__(self, number: int, size: int) -> None:
        self.number = number
        self.size = size
        super().__init__(f"action {number}: expected a number from 0 to {size - 1}")


class ActionTextError(GameError, ValueError):
    """A text stands for no action, or for none that is legal.

    Attributes:
        text: The text.
        reason: What was seen and what was expected.
        nearest: The legal action that is most like it, as text; None if none is known.
    """

    def __init__(self, text: str, reason: str, nearest: str | None = None) -> None:
        self.text = text
        self.reason = reason
        self.nearest = nearest
        hint = "" if nearest is None else f"; the nearest legal action is {nearest}"
        super().__init__(f"action {text!r}: {reason}{hint}")
