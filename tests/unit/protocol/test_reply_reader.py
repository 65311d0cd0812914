from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from netsecgame.agents.answers import read_step
from netsecgame.errors import BadReplyError
from netsecgame.game_components import (
    IP,
    Data,
    GameState,
    GameStatus,
    Network,
    Observation,
    Service,
)
from netsecgame.protocol.reply_reader import ReplyReader

HOST, OTHER = IP("192.168.1.2"), IP("192.168.1.10")
SSH = Service("ssh", "passive", "8.1.0", False)
STATE = GameState(
    {HOST},
    {HOST, OTHER},
    {OTHER: {SSH, Service("http")}},
    {HOST: {Data("User1", "A", 3, "txt", "abc")}},
    {Network("192.168.1.0", 24)},
    {HOST: {OTHER}},
)


def frame_of(state: Any, **changes: Any) -> bytes:
    observation = {"state": state, "reward": -1, "end": False, "info": {}}
    reply = {"to_agent": ["127.0.0.1", 1], "status": "GameStatus.OK", "observation": observation}
    return json.dumps(reply | changes).encode()


def state_in(reader: ReplyReader, state: Any) -> GameState:
    observation = reader.read(frame_of(state)).observation
    assert isinstance(observation, Observation)
    return observation.state


def test_reader_gives_status_observation_and_message() -> None:
    ended = {"state": STATE.as_dict, "reward": 1.5, "end": True, "info": {"end_reason": "x"}}
    reply = ReplyReader().read(frame_of(None, observation=ended, message={"message": "hi"}))

    assert reply.status is GameStatus.OK
    assert reply.observation == Observation(STATE, 1.5, True, {"end_reason": "x"})
    assert reply.message == {"message": "hi"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, None),
        ({"message": None}, None),
        ({"message": "no"}, {"message": "no"}),
        ({"message": {}}, {}),
        ({"to_agent": None, "legal": {"mask": "x"}}, None),
    ],
)
def test_reader_without_an_observation_gives_none(
    changes: dict[str, Any], message: dict[str, Any] | None
) -> None:
    frame = frame_of(None, **{"observation": None, "status": "GameStatus.BAD_REQUEST", **changes})

    assert ReplyReader().read(frame) == (GameStatus.BAD_REQUEST, None, message)


def test_reader_part_that_is_gone_from_the_next_state_is_empty() -> None:
    reader = ReplyReader()
    assert state_in(reader, STATE.as_dict) == STATE
    assert state_in(reader, {"known_hosts": STATE.as_dict["known_hosts"]}) == GameState(
        known_hosts=STATE.known_hosts
    )
    assert state_in(reader, {}) == GameState()


def test_reader_states_that_follow_share_their_values_but_not_their_sets() -> None:
    reader = ReplyReader()
    first, second = state_in(reader, STATE.as_dict), state_in(reader, STATE.as_dict)
    (service,) = {s for s in first.known_services[OTHER] if s == SSH}
    assert any(service is s for s in second.known_services[OTHER])

    first.known_services[OTHER].clear()
    first.known_hosts.add(IP("10.0.0.1"))
    first.known_data.clear()

    assert first.known_services == {OTHER: set()}
    assert first.known_hosts == {HOST, OTHER, IP("10.0.0.1")}
    assert second == STATE
    assert state_in(reader, STATE.as_dict) == STATE


def test_reader_value_with_a_long_json_is_read() -> None:
    log = Data("system", "logfile", 10_000, "log", "x" * 10_000)
    (datum,) = state_in(ReplyReader(), GameState(known_data={HOST: {log}}).as_dict).known_data[HOST]

    assert (datum.size, datum.content) == (log.size, log.content)


def test_reader_state_of_names_keeps_them() -> None:
    names: Any = {"web", "net_1"}
    state = GameState(names, names, {"web": names}, {"web": names}, names, {"web": names})  # type: ignore[dict-item]

    assert state_in(ReplyReader(), state.as_dict) == state


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        [],
        "state",
        {"known_hosts": [{"ip": "nowhere"}]},
        {"known_hosts": 5},
        {"known_services": [SSH.name]},
        {"known_services": {"1.2.3.4": [{"name": 1}]}},
        {"known_data": {"1.2.3.4": {"owner": "x", "id": "y"}}},
        {"known_networks": [{"ip": "10.0.0.0", "mask": "24"}]},
        {"known_blocks": {"1.2.3.4": [5]}},
    ],
)
def test_reader_wrong_state_is_left_as_it_came_and_the_next_one_is_read(wrong: Any) -> None:
    reader = ReplyReader()
    for good in (STATE, GameState()):
        for _ in range(2):
            reply = reader.read(frame_of(wrong))
            assert reply.observation == {"state": wrong, "reward": -1, "end": False, "info": {}}
            with pytest.raises(BadReplyError, match=r"observation\.state"):
                read_step(reply, logging.getLogger("test"))
        assert state_in(reader, good.as_dict) == good


def test_reader_observation_that_only_python_writes_is_left_as_it_came() -> None:
    reply = ReplyReader().read(frame_of({}, extra=float("inf")))

    assert reply.observation == {"state": {}, "reward": -1, "end": False, "info": {}}


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b"", "not valid JSON"),
        (b"\xff\xfe\xff", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"status": ' + b"[" * 100_000, "not valid JSON"),
        (b'{"legal": ' + b"[" * 100_000, "not valid JSON"),
        (b"[]", "expected an object, got an array"),
        (b"{}", "status: .*GameStatus.OK.*got nothing"),
        (b'{"status": "OK"}', "status: .*got the string 'OK'"),
        (b'{"status": "GameStatus.OK", "observation": 1}', "observation: .*got the number 1"),
        (b'{"status": "GameStatus.OK", "message": []}', "message: .*got an array"),
        (b'{"status": "GameStatus.OK", "to_agent": ["x"]}', "to_agent: .*got an array"),
    ],
)
def test_reader_of_no_reply_raises(frame: bytes, expected: str) -> None:
    with pytest.raises(BadReplyError, match=expected):
        ReplyReader().read(frame)
