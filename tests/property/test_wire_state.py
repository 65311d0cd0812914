"""States from the wire: whatever is looked at, and in which order, they equal the plain ones."""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import pickle
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

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
from netsecgame.protocol import Reply, decode_reply, encode_reply
from netsecgame.protocol.reply_reader import ReadReply, ReplyReader

PARTS = tuple(GameState.__dataclass_fields__)
thorough = settings(max_examples=100, deadline=None, derandomize=True)

# Few values, so that states that follow each other have much in common.
texts = st.sampled_from(["", "a", "ssh", "EOF", "ä\u2028", '"\\']) | st.text(
    st.characters(codec="utf-8"), max_size=8
)
ips = st.sampled_from([IP("10.0.0.1"), IP("10.0.0.2"), IP("213.47.23.195"), IP("0.0.0.0")])
hosts: Any = ips | st.sampled_from(["web", "host_1"])
networks = st.builds(Network, ips.map(str) | st.just("net_1"), st.integers(0, 32))
services = st.builds(Service, texts, texts, texts, st.booleans())
data_items = st.builds(
    Data, texts, texts, st.integers(0, 2**40), texts, texts | st.just("long" * 200)
)
states = st.builds(
    GameState,
    st.sets(hosts, max_size=4),
    st.sets(hosts, max_size=4),
    st.dictionaries(hosts, st.sets(services | texts, max_size=3), max_size=3),
    st.dictionaries(hosts, st.sets(data_items, max_size=3), max_size=3),
    st.sets(networks | texts, max_size=4),
    st.dictionaries(hosts, st.sets(hosts, max_size=3), max_size=3),
)
part_names = st.sampled_from(PARTS)


def reply_with(state_json: bytes) -> bytes:
    return encode_reply(("127.0.0.1", 1), GameStatus.OK, state_json=state_json)


def state_from(reader: ReplyReader, state: GameState) -> GameState:
    observation = reader.read(reply_with(state.as_json().encode())).observation
    assert isinstance(observation, Observation)
    return observation.state


@st.composite
def successions(draw: st.DrawFn) -> list[GameState]:
    """States of which each differs from the one before in some parts, or in none."""
    succession = [draw(states)]
    for other in draw(st.lists(states, max_size=4)):
        changed = draw(st.sets(part_names))
        changes = {name: getattr(other, name) for name in changed}
        succession.append(dataclasses.replace(succession[-1], **changes))
    return succession


def assert_is(state: GameState, plain: GameState) -> None:
    assert state == plain
    assert plain == state
    assert hash(state) == hash(plain)
    assert state.as_json() == plain.as_json()  # has the content of data, which equality ignores
    assert str(state) == repr(state) == str(plain)


@thorough
@given(successions(), st.data())
def test_wire_state_looked_at_in_any_order_is_the_plain_one(
    succession: list[GameState], data: st.DataObject
) -> None:
    reader = ReplyReader()
    received = [state_from(reader, state) for state in succession]
    looks = [(i, name) for i in range(len(succession)) for name in PARTS]
    for i, name in data.draw(st.permutations(looks)):
        part = getattr(received[i], name)
        assert part == getattr(succession[i], name)
        assert part is getattr(received[i], name)
    for state, plain in zip(received, succession, strict=True):
        assert_is(state, plain)


@thorough
@given(states, part_names, states)
def test_wire_state_copied_pickled_and_replaced_is_the_plain_one(
    plain: GameState, name: str, other: GameState
) -> None:
    for make in (
        copy.copy,
        copy.deepcopy,
        dataclasses.replace,
        lambda state: pickle.loads(pickle.dumps(state)),
        lambda state: GameState(**{name: getattr(state, name) for name in PARTS}),
    ):
        assert_is(make(state_from(ReplyReader(), plain)), plain)
    change: dict[str, Any] = {name: getattr(other, name)}
    replaced = dataclasses.replace(state_from(ReplyReader(), plain), **change)
    assert_is(replaced, dataclasses.replace(plain, **change))


@thorough
@given(successions(), st.data())
def test_wire_state_changed_by_its_agent_changes_no_other(
    succession: list[GameState], data: st.DataObject
) -> None:
    reader = ReplyReader()
    received = [state_from(reader, state) for state in succession]
    victim = data.draw(st.integers(0, len(received) - 1))
    for name in PARTS:
        part = getattr(received[victim], name)
        for items in [part] if isinstance(part, set) else [*part.values()]:
            items.clear()
            items.add("changed")
        if isinstance(part, dict):
            part["changed"] = {"changed"}
            assert part["changed"] == {"changed"}
        assert getattr(received[victim], name) is part
    for i, plain in enumerate(succession):
        if i != victim:
            assert_is(received[i], plain)
    assert_is(state_from(reader, succession[victim]), succession[victim])


# --- what is no state -----------------------------------------------------------------------------

odd_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | texts
    | st.sampled_from(["1.2.3.4", {"ip": "1.2.3.4"}, {"name": "ssh"}, {"owner": "a", "id": "b"}]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts | st.sampled_from(["ip", "mask", "size", "10.0.0.1"]), inner)
    ),
    max_leaves=5,
)


def places_in(value: object) -> list[tuple[Any, Any]]:
    """Every place in nested objects and arrays: what it is in, and its key or index there."""
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    children: Any = value
    return [(value, key) for key in keys] + [p for key in keys for p in places_in(children[key])]


def told(reply: Reply | ReadReply) -> Any:
    """What `make_step` makes of it: an observation in a form to compare, or the error's text."""
    try:
        answer = ReadReply(reply.status, reply.observation, reply.message)
        observation = read_step(answer, logging.getLogger("test"))
    except BadReplyError as error:
        return str(error)
    if observation is None:
        return None
    return observation.state.as_json(), repr(observation[1:])


@settings(thorough, max_examples=300)
@given(states, st.data(), odd_values)
def test_reader_reply_changed_in_one_place_means_what_it_meant_to_the_plain_way(
    plain: GameState, data: st.DataObject, value: object
) -> None:
    reader = ReplyReader()
    before = data.draw(st.none() | states)
    if before is not None:
        state_from(reader, before)
    reply = json.loads(reply_with(plain.as_json().encode()))
    container, key = data.draw(st.sampled_from(places_in(reply)))
    if isinstance(container, dict) and data.draw(st.booleans()):
        del container[key]
    else:
        container[key] = value
    frame = json.dumps(reply).encode()

    try:
        expected = told(decode_reply(frame))
    except BadReplyError as error:
        expected = str(error)
    try:
        got = told(reader.read(frame))
    except BadReplyError as error:
        got = str(error)
    assert got == expected
    assert_is(state_from(reader, plain), plain)
