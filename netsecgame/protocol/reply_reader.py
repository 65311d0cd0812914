"""The replies of one connection as values of the game; what repeats is read only once."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from netsecgame.game_components import GameStatus, Observation
from netsecgame.protocol.messages import decode_reply
from netsecgame.protocol.wire_state import READ_PART, WireState


class ReadReply(NamedTuple):
    """What a server answered.

    Attributes:
        status: How the message was taken.
        observation: The observation; in wire form, unchecked, where anything about the reply is
            unusual. None when there is none.
        message: Facts beside the observation, as in `Reply`.
    """

    status: GameStatus
    observation: Observation | dict[str, Any] | None
    message: dict[str, Any] | None


class _WireObservation(msgspec.Struct):
    state: msgspec.Raw
    reward: Any
    end: Any
    info: dict[str, Any] | None = None


class _WireReply(msgspec.Struct):
    status: str
    to_agent: tuple[str, int] | None = None
    observation: _WireObservation | None = None
    message: dict[str, Any] | str | None = None


_decode_reply = msgspec.json.Decoder(_WireReply).decode
_split_state = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_STATUS_BY_TEXT = {str(status): status for status in GameStatus}
_NULL = msgspec.Raw(b"null")


class ReplyReader:
    """Reads the replies that come one after the other.

    Most actions change one part of a state or none. So a reply is compared with the one before, and
    only the parts that differ are read. They are read at once: a server that sends nonsense is
    found out here, not when somebody looks at the state.
    """

    def __init__(self) -> None:
        self._state_json = msgspec.Raw(b"")  # of the reply before, and what was read of it
        self._part_json = dict.fromkeys(READ_PART, _NULL)
        self._parts = {name: read(_NULL) for name, read in READ_PART.items()}

    def read(self, frame: bytes) -> ReadReply:
        """A server's reply, from its JSON without the `EOF` marker.

        A reply that is not quite as it should be is left to `decode_reply`, which takes more, and
        says what is wrong with the rest.

        Raises:
            BadReplyError: If it is no reply; its text is short, whatever the server sent.
        """
        try:
            wire = _decode_reply(frame)
            status = _STATUS_BY_TEXT[wire.status]
            observation = None if wire.observation is None else self._observe(wire.observation)
        except (ValueError, KeyError, RecursionError):
            reply = decode_reply(frame)
            return ReadReply(reply.status, reply.observation, reply.message)
        message = {"message": wire.message} if isinstance(wire.message, str) else wire.message
        return ReadReply(status, observation, message)

    def _observe(self, wire: _WireObservation) -> Observation:
        if wire.state != self._state_json:
            self._read_changes(wire.state)
        return Observation(WireState.of(self._parts), wire.reward, wire.end, wire.info or {})

    def _read_changes(self, state_json: msgspec.Raw) -> None:
        given = _split_state(state_json)
        changed = {
            name: given.get(name, _NULL)
            for name, before in self._part_json.items()
            if given.get(name, _NULL) != before
        }
        parts = {name: READ_PART[name](part_json) for name, part_json in changed.items()}
        # Only now that nothing has raised; and as a new dict, for older states have the other one.
        self._parts = {**self._parts, **parts}
        self._part_json.update({name: part_json.copy() for name, part_json in changed.items()})
        self._state_json = state_json.copy()
