"""Recorded conversations of another project's client: our session answers as its server did."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from netsecgame.remote import messages
from netsecgame.remote.messages import Kind, kind_of, parse_request, parse_response
from netsecgame.remote.session import Session
from netsecgame.remote.tensors import dtype_of, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Bytes(gymnasium.Env[Any, Any]):
    """The recorded environment ``u8``."""

    observation_space = spaces.Box(0, 255, (2, 3), np.uint8)
    action_space = spaces.MultiDiscrete([3, 5])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self.count = 0
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.count += 1
        return self._observation(), float(action.sum()), self.count == 4, False, {}

    def _observation(self) -> Any:
        return (np.arange(6) + self.count).astype(np.uint8).reshape(2, 3)


class Frames(gymnasium.Env[Any, Any]):
    """The recorded environment ``frames``."""

    observation_space = spaces.Box(-1, 1, (1,), np.float32)
    action_space = spaces.Discrete(2)
    render_mode = "rgb_array"

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        self.count = 0
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.count += 1
        return self._observation(), 1.0, self.count == 3, False, {}

    def render(self) -> Any:
        return (np.arange(60) + self.count).astype(np.uint8).reshape(4, 5, 3)

    def _observation(self) -> Any:
        return np.array([0.1 * self.count], np.float32)


def make_cartpole(_: Any) -> Any:
    env = gymnasium.make("CartPole-v1")
    # Newer releases have no bounds where the recorded one had the largest number.
    inner: Any = env.unwrapped.observation_space
    low, high = (np.nan_to_num(bound) for bound in (inner.low, inner.high))
    env.unwrapped.observation_space = spaces.Box(low, high)
    return env


MAKERS = {"cartpole": make_cartpole, "u8": lambda _: Bytes(), "frames": lambda _: Frames()}
#: Its own course is another every time, so only what its tensors are is compared.
RANDOM = "cartpole"


class Exchange(NamedTuple):
    """What was asked, what was answered, and what we answer."""

    request: Any
    recorded: Any
    ours: Any


def replay(path: Path, name: str) -> Iterator[Exchange]:
    """Play the client's side of each recorded stream to a session of its own."""
    recorded = json.loads((path / "golden_remote" / f"{name}.json").read_text())["messages"]
    sessions: dict[int, Session] = {}
    waiting: dict[int, Any] = {}
    for stream, side, text in recorded:
        message = bytes.fromhex(text)
        session = sessions.setdefault(stream, Session(MAKERS[name]))
        if side == "client":
            request = parse_request(message)
            if request.HasField("join_world"):
                # The one thing a client takes over from the answers.
                assert request.join_world.world_name == "world"
                request.join_world.world_name = "nsg1:0"
            waiting[stream] = request, session.handle(messages.serialize(request))
        else:
            request, answer = waiting.pop(stream)
            assert kind_of(answer) is kind_of(message) is not Kind.ERROR
            yield Exchange(request, parse_response(message), parse_response(answer))
    for session in sessions.values():
        session.close()


@pytest.mark.parametrize("name", MAKERS)
def test_session_shows_the_recorded_specs(shared_dir: Path, name: str) -> None:
    seen = 0
    for exchange in replay(shared_dir, name):
        for kind in ("join_world", "reset"):
            if exchange.recorded.HasField(kind):
                ours, recorded = getattr(exchange.ours, kind), getattr(exchange.recorded, kind)
                assert without_bounds(ours.specs) == without_bounds(recorded.specs)
                assert bounds(ours.specs) == bounds(recorded.specs)
                seen += 1
    assert seen > 3


@pytest.mark.parametrize("name", MAKERS)
def test_session_answers_steps_with_the_recorded_tensors(shared_dir: Path, name: str) -> None:
    seen = 0
    for _, recorded, ours in replay(shared_dir, name):
        if not recorded.HasField("step"):
            continue
        seen += 1
        assert sorted(ours.step.observations) == sorted(recorded.step.observations)
        for uid, tensor in recorded.step.observations.items():
            answer = ours.step.observations[uid]
            assert dtype_of(answer) is dtype_of(tensor)
            assert list(answer.shape) == list(tensor.shape)
            if name != RANDOM:
                np.testing.assert_array_equal(unpack(answer), unpack(tensor))
        if name != RANDOM:
            assert ours.step.state == recorded.step.state
    assert seen > 5


def without_bounds(specs: Any) -> dict[tuple[str, int], tuple[Any, ...]]:
    """Name, dtype and shape of every tensor."""
    return {
        (side, uid): (spec.name, spec.dtype, list(spec.shape))
        for side in ("actions", "observations")
        for uid, spec in getattr(specs, side).items()
    }


def bounds(specs: Any) -> dict[tuple[str, int, str], tuple[str, list[float]]]:
    """The bounds of every tensor, each element its own."""
    found = {}
    for side in ("actions", "observations"):
        for uid, spec in getattr(specs, side).items():
            for bound in ("min", "max"):
                value = getattr(spec, bound)
                payload = value.WhichOneof("payload")
                elements = list(getattr(value, payload).array)
                count = int(np.prod(spec.shape)) if spec.shape else 1
                found[side, uid, bound] = payload, np.broadcast_to(elements, count).tolist()
    return found
