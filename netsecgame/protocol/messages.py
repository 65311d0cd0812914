"""What messages and replies mean: from JSON to values of the game, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import msgspec

from netsecgame.errors import BadReplyError, BadRequestError
from netsecgame.game_components import (
    ACTION_PARAMETERS,
    IP,
    Action,
    ActionType,
    AgentInfo,
    Data,
    GameStatus,
    Network,
    Service,
    escape_end_marker,
)
from netsecgame.protocol.fields import (
    ABSENT,
    describe,
    read_agent_info,
    read_data,
    read_flag,
    read_host,
    read_network,
    read_object,
    read_seed,
    read_service,
    read_text,
    unknown,
)
from netsecgame.protocol.limits import Limits


def _to_plain(value: object) -> dict[Any, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} has no JSON form on the wire")


_decode_json = msgspec.json.Decoder().decode
_encode_json = msgspec.json.Encoder(enc_hook=_to_plain).encode

#: What servers take that nobody has configured otherwise.
_MAX_MESSAGE_BYTES = Limits().max_message_bytes

# --- requests -------------------------------------------------------------------------------------

_READERS: Mapping[type, Callable[[Any, str], Any]] = {
    IP: read_host,
    Network: read_network,
    Service: read_service,
    Data: read_data,
    AgentInfo: read_agent_info,
}
_ALIASES: Mapping[str, str] = {"blocked_host": "blocked_ip"}

#: Agents ask for the same again and again, so what was decoded last is kept: at most so many
#: requests of at most so many bytes, some 10 MiB in all, whatever peers send.
_MAX_KEPT_REQUESTS = 4_096
_MAX_KEPT_LENGTH = 512


@dataclass(frozen=True, slots=True)
class _Parameter:
    """One parameter of an action; `ABSENT` as its default makes it a required one."""

    name: str
    read: Callable[[Any, str], Any]
    default: object = ABSENT
    alias: str | None = None

    def take(self, given: Mapping[str, Any]) -> Any:
        """The value that the peer gave, under whichever name, or the default."""
        if self.alias is not None and self.alias in given:
            return self._take_alias(given, self.alias)
        if self.default is not ABSENT and self.name not in given:
            return self.default
        return self.read(given.get(self.name, ABSENT), f"parameters.{self.name}")

    def _take_alias(self, given: Mapping[str, Any], alias: str) -> Any:
        value = self.read(given[alias], f"parameters.{alias}")
        if self.name in given and self.read(given[self.name], f"parameters.{self.name}") != value:
            raise BadRequestError(
                f"is another name for {self.name}, but the two differ", f"parameters.{alias}"
            )
        return value


@dataclass(frozen=True, slots=True)
class _Form:
    """What the message of one action type looks like."""

    action_type: ActionType
    parameters: tuple[_Parameter, ...]
    known: tuple[str, ...]  # every name a parameter may be given under

    @classmethod
    def of(cls, action_type: ActionType, parameters: tuple[_Parameter, ...]) -> _Form:
        names = [parameter.name for parameter in parameters]
        aliases = [parameter.alias for parameter in parameters if parameter.alias is not None]
        return cls(action_type, parameters, (*names, *aliases))


_FORMS = [
    _Form.of(ActionType.JoinGame, (_Parameter("agent_info", read_agent_info),)),
    _Form.of(ActionType.QuitGame, ()),
    _Form.of(
        ActionType.ResetGame,
        (
            _Parameter("request_trajectory", read_flag, default=False),
            _Parameter("randomize_topology", read_flag, default=False),
            _Parameter("seed", read_seed, default=None),
        ),
    ),
    *(
        _Form.of(
            action_type,
            tuple(
                _Parameter(name, _READERS[kind], alias=_ALIASES.get(name))
                for name, kind in parameters.items()
            ),
        )
        for action_type, parameters in ACTION_PARAMETERS.items()
    ),
]
_FORM_BY_NAME: Mapping[str, _Form] = {
    name: form for form in _FORMS for name in (str(form.action_type), form.action_type.to_string())
}


def decode_request(frame: bytes | str) -> Action:
    """The action that a message asks for.

    Parameters come out complete, in the order of `ACTION_PARAMETERS` and as values of the game:
    what was absent and may be has its default, and `blocked_ip` is called `blocked_host`.

    Raises:
        BadRequestError: If the message is anything but a valid request; names the field. Its text
            is printable and short, whatever the peer sent.
    """
    return _decode_often(frame) if len(frame) <= _MAX_KEPT_LENGTH else _decode_request(frame)


def _decode_request(frame: bytes | str) -> Action:
    message = read_object(_read_json(frame), "", ("action_type", "parameters"))
    name = message.get("action_type", ABSENT)
    form = _FORM_BY_NAME.get(name) if isinstance(name, str) else None
    if form is None:
        text = read_text(name, "action_type")
        bare = text.removeprefix("ActionType.")
        names = [form.action_type.to_string() for form in _FORMS]
        raise BadRequestError(unknown("action type", bare, names), "action_type")
    what = f"parameter of {form.action_type}"
    given = read_object(message.get("parameters", {}), "parameters", form.known, what)
    return Action(
        form.action_type,
        {parameter.name: parameter.take(given) for parameter in form.parameters},
    )


_decode_often = lru_cache(_MAX_KEPT_REQUESTS)(_decode_request)


def _read_json(frame: bytes | str) -> Any:
    try:
        return _decode_json(frame)
    except msgspec.DecodeError as error:
        reason = f"not valid JSON: {str(error).removeprefix('JSON is malformed: ')}"
    except UnicodeError:
        reason = "not valid UTF-8"
    except RecursionError:
        reason = "nested too deep"
    raise BadRequestError(reason)


def encode_request(action: Action) -> bytes:
    """The message that asks for the action.

    What a datum says is left out where the message would be longer than servers take: nothing goes
    by it, and a long log says a lot.
    """
    message = _encode_json(action.as_dict)
    datum = action.parameters.get("data")
    if len(message) > _MAX_MESSAGE_BYTES and isinstance(datum, Data):
        short = replace(datum, size=0, content="")
        message = _encode_json(Action(action.type, {**action.parameters, "data": short}).as_dict)
    return message


# --- replies --------------------------------------------------------------------------------------


class _WireObservation(msgspec.Struct):
    state: msgspec.Raw
    reward: float
    end: bool
    info: Mapping[str, Any]


class _WireReply(msgspec.Struct):
    to_agent: tuple[str, int]
    status: str
    observation: _WireObservation | None
    message: Mapping[str, Any] | msgspec.UnsetType = msgspec.UNSET


_REPLY_KEYS = frozenset(_WireReply.__struct_fields__)


def encode_reply(
    to_agent: tuple[str, int],
    status: GameStatus,
    *,
    state_json: bytes | None,
    reward: float = 0,
    end: bool = False,
    info: Mapping[str, Any] | None = None,
    message: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """One reply as JSON, without the `EOF` marker and without those letters in it.

    Args:
        to_agent: Host and port of the peer.
        status: How the message was taken.
        state_json: What the agent knows, as the JSON of its `GameState`; goes in unparsed. None
            makes the observation null.
        reward: Of the step; an integer stays one.
        end: Whether the agent's episode has ended.
        info: Of the observation; None is empty.
        message: Facts beside the observation; None leaves the key out.
        extra: Further keys of the reply, behind all others.
    """
    observation = None
    if state_json is not None:
        observation = _WireObservation(msgspec.Raw(state_json), reward, end, info or {})
    reply = _encode_json(
        _WireReply(
            to_agent, str(status), observation, msgspec.UNSET if message is None else message
        )
    )
    if extra:
        taken = sorted(extra.keys() & _REPLY_KEYS)
        if taken:
            raise ValueError(f"extra must not replace {', '.join(taken)}")
        reply = reply[:-1] + b"," + _encode_json(extra)[1:]
    return escape_end_marker(reply)


def encode_step_reply(
    to_agent: tuple[str, int], state_json: Sequence[bytes], reward: float
) -> list[bytes]:
    """The same as `encode_reply` gives for a step after which the episode goes on, in pieces.

    That is: status OK, no end, no info and no message. This is the reply that is sent most; it
    takes a tenth of the time.

    Args:
        to_agent: Host and port of the peer.
        state_json: What the agent knows, as the JSON of its `GameState`, in pieces none of which
            has the letters of the `EOF` marker, also not in part at its end.
        reward: Of the step; an integer stays one.

    Returns:
        What is to be joined. The state is not copied: who can send pieces needs no copy of it.
    """
    return [_head_of_step_reply(to_agent), *state_json, _tail_of_step_reply(reward)]


@lru_cache(1_024)
def _head_of_step_reply(to_agent: tuple[str, int]) -> bytes:
    return encode_reply(to_agent, GameStatus.OK, state_json=b"|").rpartition(b"|")[0]


@lru_cache(64, typed=True)  # an integer stays one
def _tail_of_step_reply(reward: float) -> bytes:
    reply = encode_reply(("", 0), GameStatus.OK, state_json=b"|", reward=reward)
    return reply.partition(b"|")[2]


def bad_request(to_agent: tuple[str, int], reason: str) -> bytes:
    """The reply to a message that cannot be understood or is not allowed now."""
    return _refusal(to_agent, GameStatus.BAD_REQUEST, f"Bad request received: {reason}")


def forbidden(to_agent: tuple[str, int], reason: str) -> bytes:
    """The reply to a connection that is not let in."""
    return _refusal(to_agent, GameStatus.FORBIDDEN, reason)


def _refusal(to_agent: tuple[str, int], status: GameStatus, text: str) -> bytes:
    return encode_reply(to_agent, status, state_json=None, message={"message": text})


class Reply(msgspec.Struct, frozen=True):
    """What a server answered.

    Attributes:
        to_agent: Host and port the server knows the client by; None if it does not say.
        status: How the message was taken.
        observation: ``{"state", "reward", "end", "info"}``, or None when there is none.
        message: Facts beside the observation, or None; a bare text is under the key `message`.
        extra: All further keys of the reply.
    """

    to_agent: tuple[str, int] | None
    status: GameStatus
    observation: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    extra: dict[str, Any] = msgspec.field(default_factory=dict)


def decode_reply(frame: bytes) -> Reply:
    """A server's reply, from its JSON without the `EOF` marker.

    Other servers are read generously: `to_agent`, `observation` and `message` may be absent or
    null, `message` may be a text, and the NaN, Infinity and lone surrogates that Python writes are
    taken.

    Raises:
        BadReplyError: If it is no reply; its text is short, whatever the server sent.
    """
    reply = _read_reply_json(frame)
    if not isinstance(reply, dict):
        raise BadReplyError(f"expected an object, got {describe(reply)}")
    message = reply.pop("message", None)
    return Reply(
        _read_peer(reply.pop("to_agent", None)),
        _read_status(reply.pop("status", ABSENT)),
        _read_optional_object(reply.pop("observation", None), "observation"),
        {"message": message}
        if isinstance(message, str)
        else _read_optional_object(message, "message"),
        reply,
    )


def _read_reply_json(frame: bytes) -> Any:
    try:
        return _decode_json(frame)
    except (ValueError, RecursionError):
        pass
    try:
        return json.loads(frame)
    except (ValueError, RecursionError):
        raise BadReplyError("not valid JSON") from None


def _read_peer(value: Any) -> tuple[str, int] | None:
    match value:
        case [str(host), int(port)]:
            return host, port
        case None:
            return None
    raise BadReplyError(f"to_agent: expected [host, port], got {describe(value)}")


def _read_status(value: Any) -> GameStatus:
    status = _STATUS_BY_TEXT.get(value) if isinstance(value, str) else None
    if status is None:
        known = ", ".join(_STATUS_BY_TEXT)
        raise BadReplyError(f"status: expected one of {known}, got {describe(value)}")
    return status


_STATUS_BY_TEXT: Mapping[str, GameStatus] = {str(status): status for status in GameStatus}


def _read_optional_object(value: Any, path: str) -> dict[str, Any] | None:
    if value is not None and not isinstance(value, dict):
        raise BadReplyError(f"{path}: expected an object or null, got {describe(value)}")
    return value
