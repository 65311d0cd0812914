"""What is read without parsing is what a parsed message says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from netsecgame.remote import array_json, messages
from netsecgame.remote.answer_layout import AnswerLayout
from netsecgame.remote.codec import Field, extended_codec
from netsecgame.remote.messages import DType, State
from netsecgame.remote.step_answers import step_answer, tensor_writer

REWARD = Field("reward", DType.DOUBLE, (), None, None)
FLAGS = Field("flags", DType.UINT8, (), None, None)
INFO = Field("info_json", DType.STRING, (), None, None)

BOXES: dict[str, spaces.Space[Any]] = {
    "scalar": spaces.Box(-9, 9, (), np.float32),
    "float32": spaces.Box(-9, 9, (4,), np.float32),
    "float64": spaces.Box(-9, 9, (2, 3), np.float64),
    "uint8": spaces.Box(0, 255, (20, 10, 3), np.uint8),
}


def _layout(space: spaces.Space[Any]) -> AnswerLayout | None:
    fields = extended_codec(space, "observation").fields
    rest = [(2, REWARD), (4, FLAGS), (5, INFO)]
    return AnswerLayout.find(space, [*zip((1, 1000), fields, strict=False), *rest])


def _answer(
    observation: Any,
    dtype: DType,
    reward: float = 0.1,
    flags: int = 0,
    info: str = "",
    state: State = State.RUNNING,
) -> bytes:
    field = Field("observation", dtype, np.shape(observation), None, None)
    values: list[tuple[int, Field, Any]] = [
        (1, field, observation),
        (2, REWARD, reward),
        (4, FLAGS, np.uint8(flags)),
        (5, INFO, info),
    ]
    return step_answer(state, [tensor_writer(uid, each)(value) for uid, each, value in values])


@pytest.mark.parametrize("name", BOXES)
@pytest.mark.parametrize("reward", [0.1, -0.0, float("inf"), 2.0**-1074])
def test_layout_reads_a_step_that_goes_on(name: str, reward: float) -> None:
    space = BOXES[name]
    layout = _layout(space)
    assert layout is not None
    space.seed(3)
    dtype = extended_codec(space, "observation").fields[0].dtype
    for observation in (space.sample(), np.zeros_like(space.sample())):
        answer = _answer(observation, dtype, reward)
        read = layout.read(answer)
        assert read is not None
        parsed = messages.parse_response(answer).step
        assert (parsed.state, parsed.observations[2].doubles.array[0]) == (State.RUNNING, read[1])
        seen, *rest = read
        assert seen.tobytes() == observation.tobytes()
        assert (seen.dtype, seen.shape) == (observation.dtype, observation.shape)
        assert seen.flags.writeable
        assert rest == [reward, False, False, {}]
        assert np.signbit(read[1]) == np.signbit(reward)


def test_layout_leaves_every_other_answer_to_who_parses() -> None:
    space = BOXES["float32"]
    layout = _layout(space)
    assert layout is not None
    fine = _answer(np.ones(4, np.float32), DType.FLOAT)
    assert layout.read(fine) is not None
    others = [
        _answer(np.ones(4, np.float32), DType.FLOAT, flags=1),
        _answer(np.ones(4, np.float32), DType.FLOAT, flags=2, state=State.INTERRUPTED),
        _answer(np.ones(4, np.float32), DType.FLOAT, state=State.TERMINATED),
        _answer(np.ones(4, np.float32), DType.FLOAT, info=array_json.dumps({"a": 1})),
        _answer(np.ones(5, np.float32), DType.FLOAT),
        _answer(np.ones(2, np.float64), DType.DOUBLE),
        messages.empty_answer(messages.Kind.LEAVE_WORLD),
        fine[:-1],
        fine + b"\x00",
        b"",
    ]
    for answer in others:
        assert layout.read(answer) is None


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(3),
        spaces.Box(-9, 9, (0,), np.float32),
        spaces.Box(-9, 9, (2,), np.int16),
        spaces.MultiBinary(3),
        spaces.Dict({"a": BOXES["float32"], "b": BOXES["uint8"]}),
        spaces.Text(3),
    ],
)
def test_layout_is_for_arrays_only(space: spaces.Space[Any]) -> None:
    assert _layout(space) is None
