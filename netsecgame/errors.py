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
├── GameError                         a call that the rules do not allow
│   ├── NotRegisteredError
│   ├── AlreadyRegisteredError
│   ├── RoleNotAvailableError
│   ├── EpisodeOverError
│   ├── UnknownActionError (IndexError)
│   └── ActionTextError (ValueError)
└── RemoteError                       an environment on another machine
    ├── RemoteConfigError (ValueError)    what was asked for cannot be served
    ├── PortInUseError (OSError)
    ├── ConnectError                      no connection; says why
    │   └── TlsError
    ├── RemoteTimeoutError (TimeoutError)
    ├── EnvironmentRaisedError            the environment's own code raised
    ├── EnvironmentDiedError              its process is gone
    ├── InvalidActionError (ValueError)
    ├── NotAllowedError
    ├── EntrypointError                   no such file or function, or its import failed
    ├── ServerFullError
    ├── ServerDrainingError
    ├── UnsupportedByServerError          the other side knows no such thing
    └── ProtocolViolationError            the other side broke the wire protocol

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


class RemoteError(NetSecGameError):
    """Something about an environment on another machine."""


class RemoteConfigError(RemoteError, ValueError):
    """What was asked for cannot be served: options, arguments of an environment, certificates."""


class PortInUseError(RemoteError, OSError):
    """Another program listens there.

    Attributes:
        address: Where, as ``host:port``.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(f"{address} is in use by another program; port 0 takes a free one")


class ConnectError(RemoteError):
    """There is no connection.

    Attributes:
        reason: One word for programs: ``refused``, ``unknown_host``, ``timeout``, ``lost`` or one
            of TLS.
        address: Of the server, as ``host:port``.
    """

    def __init__(self, reason: str, text: str = "", address: str = "") -> None:
        self.reason = reason
        self.address = address
        place = f"{address}: " if address else ""
        super().__init__(f"{place}{reason}{': ' if text else ''}{text}")


class TlsError(ConnectError):
    """The two sides do not agree on TLS, or one does not trust the other's certificate.

    Its reasons are ``untrusted_ca``, ``name_mismatch``, ``expired``,
    ``client_certificate_required``, ``client_certificate_rejected``, ``server_speaks_tls``,
    ``server_speaks_plaintext`` and, for everything else, ``handshake_failed``.
    """


class RemoteTimeoutError(RemoteError, TimeoutError):
    """The other side did not answer in time.

    Attributes:
        phase: During what: ``connect``, ``create``, ``reset``, ``step``, ``render`` or ``close``.
    """

    def __init__(self, phase: str, text: str) -> None:
        self.phase = phase
        super().__init__(text)


class EnvironmentRaisedError(RemoteError):
    """The environment's own code raised.

    Attributes:
        type_name: Of the exception.
        message: Its text.
        traceback: Where, if the server tells that.
        phase: During what: ``constructor``, ``reset``, ``step``, ``render`` or ``close``.
    """

    def __init__(
        self, type_name: str, message: str, traceback: str | None = None, phase: str = ""
    ) -> None:
        self.type_name = type_name
        self.message = message
        self.traceback = traceback
        self.phase = phase
        where = f" in its {phase}" if phase else ""
        details = f"\n{traceback}" if traceback else ""
        super().__init__(f"the environment raised{where}: {type_name}: {message}{details}")


class EnvironmentDiedError(RemoteError):
    """The process of the environment is gone.

    Attributes:
        exit_code: As `subprocess` has it, negative for a signal; None if nobody knows.
    """

    def __init__(self, exit_code: int | None, text: str = "") -> None:
        self.exit_code = exit_code
        super().__init__(text or f"the process of the environment is gone (exit code {exit_code})")


class InvalidActionError(RemoteError, ValueError):
    """An action outside its space."""


class NotAllowedError(RemoteError):
    """The server does not allow that to this client."""


class EntrypointError(RemoteError):
    """The file or function of an entrypoint is not there, or its import failed."""


class ServerFullError(RemoteError):
    """The server has as many environments as it may have."""


class ServerDrainingError(RemoteError):
    """The server is shutting down."""


class UnsupportedByServerError(RemoteError):
    """The other side knows no such thing: another kind of server, or a space it cannot show."""


class ProtocolViolationError(RemoteError):
    """The other side broke the wire protocol."""
