"""How much one peer may ask of the other."""

from __future__ import annotations

from dataclasses import dataclass, fields

from netsecgame.errors import ConfigurationError

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what a connection reads and keeps.

    Attributes:
        max_message_bytes: Longest message a server accepts from a client.
        max_depth: How many JSON objects and arrays of a message may be nested in each other.
        max_backlog_bytes: Bytes received but not yet answered, beyond which a server stops reading;
            at least `max_message_bytes`, or the rest of a long message could never come in.
        max_reply_bytes: Longest reply a client accepts from a server.

    Raises:
        ConfigurationError: If one is no positive integer, or the backlog has no room for a message.
    """

    max_message_bytes: int = 65_536
    max_depth: int = 32
    max_backlog_bytes: int = 131_072
    max_reply_bytes: int = 64 * _MIB

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ConfigurationError(
                    f"expected an integer of at least 1, got {value!r}", path=field.name
                )
        if self.max_backlog_bytes < self.max_message_bytes:
            raise ConfigurationError(
                f"expected at least max_message_bytes ({self.max_message_bytes}),"
                f" got {self.max_backlog_bytes}",
                path="max_backlog_bytes",
            )
