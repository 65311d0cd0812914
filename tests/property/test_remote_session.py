"""Any bytes, any requests in any order: a session answers each once, and goes on."""

from __future__ import annotations

import json
from typing import Any

import gymnasium
import hypothesis.strategies as st
import numpy as np
from gymnasium import spaces
from hypothesis import given

from netsecgame.remote import messages
from netsecgame.remote.messages import DType, Kind, State, kind_of, parse_response
from netsecgame.remote.session import Session
from netsecgame.remote.tensors import pack


class Moody(gymnasium.Env[Any, Any]):
    """Ends when told to, and raises when told to."""

    observation_space = spaces.Box(0, 1, (2,), np.float32)
    action_space = spaces.Discrete(4)
    render_mode = "rgb_array"

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        if options and options.get("raise"):
            raise ValueError("told to")
        return np.zeros(2, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if action == 3:
            raise ValueError("told to")
        return np.ones(2, np.float32), 1.0, action == 1, action == 2, {"action": action}

    def render(self) -> Any:
        return np.zeros((1, 1, 3), np.uint8)


def text(value: Any) -> Any:
    return pack(json.dumps(value), DType.STRING)


def join(kind: str) -> bytes:
    return messages.join_world("nsg1:0", {"nsg_client": text({"v": 1, "kind": kind})})


names = st.sampled_from(["nsg1:0", "nsg1:1", ""])
kinds = st.sampled_from(["single", "vector", "parallel", "team"])
tensors = st.one_of(
    st.integers(0, 4).map(lambda number: pack(number, DType.INT64)),
    st.floats(width=32).map(lambda number: pack(number, DType.FLOAT)),
    st.text().map(lambda string: pack(string, DType.STRING)),
    st.lists(st.integers(-2, 3), max_size=3).map(
        lambda shape: messages.Tensor(shape=shape, bools={"array": [True]})
    ),
    st.just(messages.Tensor()),
)
settings = st.dictionaries(
    st.sampled_from(["args", "nsg_vector", "nsg_client", "seed", "options", "mask"]), tensors
)
#: Requests that are often fine, so that sequences get somewhere.
requests = st.one_of(
    st.just(messages.create_world({})),
    st.just(messages.join_world("nsg1:0", {})),
    kinds.map(join),
    st.just(messages.reset({})),
    st.booleans().map(lambda fails: messages.reset({"options": text({"raise": fails})})),
    st.integers(0, 4).map(lambda action: messages.step({1: pack(action, DType.INT64)}, [1, 2])),
    st.just(messages.leave_world()),
    st.builds(messages.create_world, settings),
    st.builds(messages.join_world, names, settings),
    st.builds(messages.reset, settings),
    st.builds(messages.reset_world, names, settings),
    st.builds(messages.destroy_world, names),
    st.builds(
        messages.step,
        st.dictionaries(st.integers(0, 2), tensors, max_size=2),
        st.lists(st.integers(0, 6)),
    ),
    st.sampled_from(["describe", "frame", "frame.png", "attr/x", ""]).map(messages.read_property),
    st.binary(max_size=20),
)


def check_answer(request: bytes, answer: bytes) -> Any:
    """See that it is an answer to that request; gives it."""
    response = parse_response(answer)
    kind = kind_of(answer)
    if kind is Kind.ERROR:
        assert response.error.code in {2, 3, 5, 7, 9, 12}
        assert response.error.message.partition(": ")[2]
        assert "failure of the server" not in response.error.message
    else:
        assert kind is kind_of(request)
    return response


@given(st.lists(requests, max_size=30))
def test_session_any_requests_are_answered_once_each_and_it_goes_on(asked: list[bytes]) -> None:
    session = Session(lambda _: Moody())
    for request in asked:
        check_answer(request, session.handle(request))
    mended = [messages.leave_world(), messages.destroy_world("nsg1:0"), messages.create_world({})]
    for request in [*mended, messages.leave_world()]:
        session.handle(request)
    for request in [messages.join_world("nsg1:0", {}), messages.reset({}), messages.step({}, [1])]:
        response = check_answer(request, session.handle(request))
        assert response.WhichOneof("payload") != "error"
    session.close()


@given(st.lists(requests, max_size=30))
def test_session_episodes_end_and_begin_but_never_end_twice(asked: list[bytes]) -> None:
    session = Session(lambda _: Moody())
    session.handle(messages.create_world({}))
    session.handle(messages.join_world("nsg1:0", {}))
    before = State.INTERRUPTED
    for request in asked:
        response = parse_response(session.handle(request))
        if response.WhichOneof("payload") == "step":
            after = State(response.step.state)
            assert State.RUNNING in (before, after)
            before = after
    session.close()


@given(st.data())
def test_session_request_with_a_flipped_byte_is_answered(data: st.DataObject) -> None:
    session = Session(lambda _: Moody())
    session.handle(messages.create_world({}))
    session.handle(join("single"))
    request = bytearray(data.draw(requests.filter(len)))
    place = data.draw(st.integers(0, len(request) - 1))
    request[place] = data.draw(st.integers(0, 255))
    answer = session.handle(bytes(request))
    assert parse_response(answer) is not None
    session.close()
