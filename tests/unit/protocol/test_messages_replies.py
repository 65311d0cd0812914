from __future__ import annotations

import json
import math
from types import MappingProxyType
from typing import Any

import pytest

from netsecgame.errors import BadReplyError, ProtocolError
from netsecgame.game_components import IP, GameState, GameStatus
from netsecgame.protocol import Reply, bad_request, decode_reply, encode_reply, forbidden

PEER = ("127.0.0.1", 40123)
STATE_JSON = GameState(known_hosts={IP("192.168.1.5")}).as_json().encode()


# --- encode_reply ---------------------------------------------------------------------------------


def test_encode_reply_with_a_state_is_the_wire_form_in_its_order() -> None:
    reply = encode_reply(
        PEER,
        GameStatus.OK,
        state_json=STATE_JSON,
        reward=-1,
        end=True,
        info={"end_reason": "AgentStatus.Fail"},
        message={"message": "hello"},
        extra={"action_mask": [0, 1]},
    )

    assert reply == (
        b'{"to_agent":["127.0.0.1",40123],"status":"GameStatus.OK","observation":{"state":'
        + STATE_JSON
        + b',"reward":-1,"end":true,"info":{"end_reason":"AgentStatus.Fail"}},'
        b'"message":{"message":"hello"},"action_mask":[0,1]}'
    )


def test_encode_reply_without_a_state_has_a_null_observation_and_no_message() -> None:
    assert encode_reply(PEER, GameStatus.OK, state_json=None) == (
        b'{"to_agent":["127.0.0.1",40123],"status":"GameStatus.OK","observation":null}'
    )


@pytest.mark.parametrize("status", GameStatus)
def test_encode_reply_status_is_its_wire_form(status: GameStatus) -> None:
    assert json.loads(encode_reply(PEER, status, state_json=None))["status"] == str(status)


@pytest.mark.parametrize(
    ("reward", "text"), [(0, b"0"), (0.0, b"0.0"), (-1, b"-1"), (99, b"99"), (-1.5, b"-1.5")]
)
def test_encode_reply_reward_stays_an_integer_or_a_float(reward: float, text: bytes) -> None:
    reply = encode_reply(PEER, GameStatus.OK, state_json=b"{}", reward=reward)

    assert b'"reward":' + text + b"," in reply


def test_encode_reply_any_mapping_is_an_object() -> None:
    reply = encode_reply(
        PEER,
        GameStatus.OK,
        state_json=b"{}",
        info=MappingProxyType({"a": MappingProxyType({"b": 1})}),
        message=MappingProxyType({"c": 2}),
        extra=MappingProxyType({"d": 3}),
    )

    assert json.loads(reply)["observation"]["info"] == {"a": {"b": 1}}
    assert json.loads(reply)["message"] == {"c": 2}
    assert json.loads(reply)["d"] == 3


def test_encode_reply_value_without_a_json_form_raises() -> None:
    with pytest.raises(NotImplementedError, match="object has no JSON form"):
        encode_reply(PEER, GameStatus.OK, state_json=None, message={"a": object()})


@pytest.mark.parametrize("key", ["to_agent", "status", "observation", "message"])
def test_encode_reply_extra_key_that_is_taken_raises(key: str) -> None:
    with pytest.raises(ValueError, match=key):
        encode_reply(PEER, GameStatus.OK, state_json=None, extra={key: 1})


@pytest.mark.parametrize("place", ["state_json", "info", "message", "extra"])
def test_encode_reply_end_marker_in_a_text_is_escaped(place: str) -> None:
    facts: dict[str, Any] = {"state_json": b"{}"}
    facts[place] = {"GEOFF": "EOFEOF"} if place != "state_json" else b'{"GEOFF":"EOFEOF"}'
    reply = encode_reply(PEER, GameStatus.OK, **facts)

    assert b"EOF" not in reply
    decoded = decode_reply(reply)
    texts = {
        "state_json": (decoded.observation or {})["state"],
        "info": (decoded.observation or {})["info"],
        "message": decoded.message,
        "extra": decoded.extra,
    }
    assert texts[place] == {"GEOFF": "EOFEOF"}


def test_bad_request_says_why() -> None:
    assert json.loads(bad_request(PEER, "field: wrong")) == {
        "to_agent": ["127.0.0.1", 40123],
        "status": "GameStatus.BAD_REQUEST",
        "observation": None,
        "message": {"message": "Bad request received: field: wrong"},
    }


def test_forbidden_says_why() -> None:
    assert json.loads(forbidden(PEER, "too many connections")) == {
        "to_agent": ["127.0.0.1", 40123],
        "status": "GameStatus.FORBIDDEN",
        "observation": None,
        "message": {"message": "too many connections"},
    }


# --- decode_reply ---------------------------------------------------------------------------------


def test_decode_reply_of_encode_reply_gives_everything_back() -> None:
    reply = encode_reply(
        PEER,
        GameStatus.RESET_DONE,
        state_json=STATE_JSON,
        reward=2.5,
        end=True,
        info={"a": 1},
        message={"b": 2},
        extra={"c": 3, "d": [4]},
    )

    assert decode_reply(reply) == Reply(
        to_agent=PEER,
        status=GameStatus.RESET_DONE,
        observation={
            "state": json.loads(STATE_JSON),
            "reward": 2.5,
            "end": True,
            "info": {"a": 1},
        },
        message={"b": 2},
        extra={"c": 3, "d": [4]},
    )


@pytest.mark.parametrize(
    "frame",
    [
        b'{"status": "GameStatus.OK"}',
        b'{"status": "GameStatus.OK", "to_agent": null, "observation": null, "message": null}',
    ],
)
def test_decode_reply_parts_absent_or_null_are_none(frame: bytes) -> None:
    assert decode_reply(frame) == Reply(to_agent=None, status=GameStatus.OK)


def test_decode_reply_message_that_is_a_text_is_under_its_key() -> None:
    reply = decode_reply(b'{"status": "GameStatus.FORBIDDEN", "message": "no"}')

    assert reply.message == {"message": "no"}


def test_decode_reply_numbers_and_texts_as_python_writes_them_are_taken() -> None:
    reply = decode_reply(
        b'{"status": "GameStatus.OK",'
        b' "observation": {"reward": NaN, "top": Infinity, "t": "\\ud800"}}'
    )

    assert reply.observation is not None
    assert math.isnan(reply.observation["reward"])
    assert reply.observation["top"] == math.inf
    assert reply.observation["t"] == "\ud800"


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b"", "not valid JSON"),
        (b'{"status": "GameStatus.OK"', "not valid JSON"),
        (b"\xff\xfe\xff", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b"9" * 60_000, "not valid JSON"),
        (b"[]", "expected an object, got an array"),
        (b"{}", "status: .*GameStatus.OK.*got nothing"),
        (b'{"status": 200}', "status: .*got the number 200"),
        (b'{"status": "OK"}', "status: .*got the string 'OK'"),
        (b'{"status": ["GameStatus.OK"]}', "status: .*got an array"),
        (b'{"status": "' + b"x" * 60_000 + b'"}', "status: .*…"),
        (b'{"status": "GameStatus.OK", "observation": 1}', "observation: .*got the number 1"),
        (b'{"status": "GameStatus.OK", "observation": "x"}', "observation: .*got the string"),
        (b'{"status": "GameStatus.OK", "message": []}', "message: .*got an array"),
        (b'{"status": "GameStatus.OK", "to_agent": "x"}', "to_agent: .*got the string 'x'"),
        (b'{"status": "GameStatus.OK", "to_agent": ["x"]}', "to_agent: .*got an array"),
    ],
)
def test_decode_reply_that_is_none_raises(frame: bytes, expected: str) -> None:
    with pytest.raises(BadReplyError, match=expected) as caught:
        decode_reply(frame)

    assert isinstance(caught.value, ProtocolError)
    assert len(str(caught.value)) < 500
