"""Recorded conversations of a known client with its own server, message by message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from gymnasium import spaces

from netsecgame.remote import messages
from netsecgame.remote.codec import (
    Field,
    field_spec,
    plain_codec,
    plain_spec_codec,
    read_spec,
    read_tensor,
    space_of_plain,
)
from netsecgame.remote.messages import DType, Kind, kind_of, parse_request, parse_response
from netsecgame.remote.tensors import dtype_of, pack, unpack

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST = float(np.finfo(np.float32).max)
# Gymnasium's environment of today has infinite speeds.
_CART = np.array([4.8, _LARGEST, 24 * 2 * np.pi / 360, _LARGEST]).astype(np.float32)

#: Action and observation space of each environment.
SPACES: dict[str, tuple[spaces.Space[Any], spaces.Space[Any]]] = {
    "cartpole": (spaces.Discrete(2), spaces.Box(-_CART, _CART)),
    "u8": (spaces.MultiDiscrete([3, 5]), spaces.Box(0, 255, (2, 3), np.uint8)),
    "frames": (spaces.Discrete(2), spaces.Box(-1, 1, (1,))),
}


@pytest.fixture(params=list(SPACES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def conversation(name: str, shared_dir: Path) -> list[tuple[str, bytes]]:
    """Who said it, and the bytes."""
    path = shared_dir / "golden_remote" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"there is no {path}")
    document = json.loads(path.read_text())
    return [(who, bytes.fromhex(data)) for _, who, data in document["messages"]]


def _parse(who: str, data: bytes) -> Any:
    return parse_request(data) if who == "client" else parse_response(data)


def _body(who: str, data: bytes) -> Any:
    kind = kind_of(data)
    assert kind is not None
    return getattr(_parse(who, data), kind.name.lower())


def test_recorded_message_is_parsed_and_written_as_it_was(
    conversation: list[tuple[str, bytes]],
) -> None:
    kinds = set()
    for who, data in conversation:
        message = _parse(who, data)
        kind = kind_of(data)
        assert kind is not None
        assert message.WhichOneof("payload") == kind.name.lower()
        # The tensors of a step may come in any order.
        written = messages.serialize(message)
        assert sorted(written) == sorted(data)
        assert _parse(who, written) == message
        kinds.add((who, kind))
    sent = {Kind.CREATE_WORLD, Kind.JOIN_WORLD, Kind.STEP, Kind.RESET, Kind.LEAVE_WORLD}
    assert kinds == {(who, kind) for who in ("client", "server") for kind in sent}


def test_recorded_request_is_made_byte_by_byte(conversation: list[tuple[str, bytes]]) -> None:
    for who, data in conversation:
        if who == "server":
            continue
        body = _body(who, data)
        match kind_of(data):
            case Kind.CREATE_WORLD:
                made = messages.create_world({"args": pack("{}", DType.STRING)})
            case Kind.JOIN_WORLD:
                made = messages.join_world("world", {})
            case Kind.RESET:
                made = messages.reset({})
            case Kind.LEAVE_WORLD:
                made = messages.leave_world()
            case _:
                actions = {
                    uid: pack(unpack(tensor), DType.INT64) for uid, tensor in body.actions.items()
                }
                made = messages.step(actions, body.requested_observations)
        assert made == data


def test_recorded_tensor_is_packed_as_it_was(conversation: list[tuple[str, bytes]]) -> None:
    count = 0
    for who, data in conversation:
        if kind_of(data) is not Kind.STEP:
            continue
        body = _body(who, data)
        for tensor in (body.actions if who == "client" else body.observations).values():
            assert pack(unpack(tensor), dtype_of(tensor)) == tensor
            count += 1
    assert count > 10


def test_recorded_specs_are_those_of_the_spaces(
    name: str, conversation: list[tuple[str, bytes]]
) -> None:
    action_space, observation_space = SPACES[name]
    (action,) = plain_codec(action_space, "action", is_action=True, strict=True).fields
    (observation,) = plain_codec(
        observation_space, "observation", is_action=False, strict=True
    ).fields
    infinity = np.array(np.inf, np.float32)
    reward = Field("reward", DType.FLOAT, (), np.negative(infinity), infinity)
    rendering = Field(
        "rendering", DType.UINT8, (4, 5, 3), np.array(0, np.uint8), np.array(255, np.uint8)
    )
    observations = {1: observation, 2: reward, **({3: rendering} if name == "frames" else {})}
    expected = messages.make_specs(
        {1: field_spec(action)}, {uid: field_spec(field) for uid, field in observations.items()}
    )
    found = [
        _body(who, data).specs
        for who, data in conversation
        if who == "server" and kind_of(data) in (Kind.JOIN_WORLD, Kind.RESET)
    ]
    assert len(found) > 3
    assert all(specs == expected for specs in found)


def test_recorded_specs_stand_for_the_spaces(
    name: str, conversation: list[tuple[str, bytes]]
) -> None:
    specs = next(
        _body(who, data).specs
        for who, data in conversation
        if who == "server" and kind_of(data) is Kind.JOIN_WORLD
    )
    action_space, observation_space = SPACES[name]
    assert space_of_plain(read_spec(specs.actions[1])) == action_space
    assert space_of_plain(read_spec(specs.observations[1])) == observation_space


def test_recorded_steps_are_read_as_values_of_the_spaces(
    name: str, conversation: list[tuple[str, bytes]]
) -> None:
    action_space, observation_space = SPACES[name]
    action_codec = plain_codec(action_space, "action", is_action=True, strict=False)
    observation_codec = plain_spec_codec(
        plain_codec(observation_space, "observation", is_action=False, strict=False).fields[0]
    )
    actions: list[Any] = []
    observations: list[Any] = []
    for who, data in conversation:
        if kind_of(data) is not Kind.STEP:
            continue
        body = _body(who, data)
        codec = action_codec if who == "client" else observation_codec
        tensors = body.actions if who == "client" else body.observations
        if 1 in tensors:
            value = codec.decode([read_tensor(codec.fields[0], tensors[1])], check=True)
            (actions if who == "client" else observations).append(value)
    assert len(observations) > len(actions) > 3
    if name == "u8":
        np.testing.assert_array_equal(observations[0], np.arange(6, dtype=np.uint8).reshape(2, 3))
        np.testing.assert_array_equal(observations[1], observations[0] + 1)
