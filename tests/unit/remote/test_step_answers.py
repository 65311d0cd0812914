from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from netsecgame.remote import messages
from netsecgame.remote.codec import Field, write_tensor
from netsecgame.remote.messages import DType, State
from netsecgame.remote.step_answers import step_answer, tensor_writer

INF = float("inf")

VALUES: list[tuple[DType, tuple[int, ...], Any]] = [
    (DType.FLOAT, (4,), np.array([1.5, -2, INF, 0], np.float32)),
    (DType.FLOAT, (4,), np.arange(4.0)),
    (DType.FLOAT, (4,), [1, 2, 3, 4]),
    (DType.FLOAT, (2, 3), np.arange(6, dtype=np.float32).reshape(2, 3)),
    (DType.FLOAT, (2, 3), np.arange(6, dtype=np.float32).reshape(3, 2).T),
    (DType.FLOAT, (200,), np.arange(200, dtype=np.float32)),
    (DType.FLOAT, (4,), np.ones((2, 2), np.float32)),
    (DType.FLOAT, (), 0.1),
    (DType.FLOAT, (), 1),
    (DType.FLOAT, (), np.array(2.5, np.float32)),
    (DType.FLOAT, (0,), np.zeros(0, np.float32)),
    (DType.FLOAT, (-1,), np.arange(3, dtype=np.float32)),
    (DType.DOUBLE, (), 0.1),
    (DType.DOUBLE, (), -INF),
    (DType.DOUBLE, (), np.float64(3.25)),
    (DType.DOUBLE, (3,), np.array([0.1, 0.2, 0.3])),
    (DType.BOOL, (3,), np.array([True, False, True])),
    (DType.BOOL, (), True),
    (DType.UINT8, (), np.array(3, np.uint8)),
    (DType.UINT8, (), 0),
    (DType.UINT8, (150, 150, 3), np.full((150, 150, 3), 7, np.uint8)),
    (DType.INT8, (2,), np.array([-1, 1], np.int8)),
    (DType.INT64, (), np.int64(-5)),
    (DType.INT64, (3,), np.array([1, 300, -70000])),
    (DType.UINT64, (1,), np.array([2**64 - 1], np.uint64)),
    (DType.STRING, (), ""),
    (DType.STRING, (), "ü" * 100),
    (DType.STRING, (), "{}" * 70_000),
    (DType.STRING, (2,), np.array(["a", "bc"], object)),
]


@pytest.mark.parametrize("uid", [1, 1000])
@pytest.mark.parametrize(("dtype", "shape", "value"), VALUES)
def test_step_answer_is_that_of_message_objects(
    dtype: DType, shape: tuple[int, ...], value: Any, uid: int
) -> None:
    field = Field("x", dtype, shape)
    made = messages.stepped(State.TERMINATED, {uid: write_tensor(field, value)})
    assert step_answer(State.TERMINATED, [tensor_writer(uid, field)(value)]) == made


def test_step_answer_of_many_tensors_is_that_of_message_objects() -> None:
    fields = {uid: Field("x", dtype, shape) for uid, (dtype, shape, _) in enumerate(VALUES, 1)}
    values = {uid: value for uid, (_, _, value) in enumerate(VALUES, 1)}
    tensors = {uid: write_tensor(fields[uid], value) for uid, value in values.items()}
    entries = [tensor_writer(uid, fields[uid])(value) for uid, value in values.items()]
    made = messages.parse_response(messages.stepped(State.RUNNING, tensors))
    assert messages.parse_response(step_answer(State.RUNNING, entries)) == made


def test_step_answer_of_nothing_is_that_of_message_objects() -> None:
    assert step_answer(State.INTERRUPTED, []) == messages.stepped(State.INTERRUPTED, {})


@pytest.mark.parametrize(("value", "told"), [(1e300, INF), (-1e300, -INF)])
def test_tensor_writer_double_too_large_for_a_float_becomes_infinite(
    value: float, told: float
) -> None:
    entry = tensor_writer(2, Field("reward", DType.FLOAT, ()))(value)
    step = messages.parse_response(step_answer(State.RUNNING, [entry])).step
    assert list(step.observations[2].floats.array) == [told]


@pytest.mark.parametrize(
    ("dtype", "value"), [(DType.FLOAT, "text"), (DType.DOUBLE, None), (DType.STRING, 7)]
)
def test_tensor_writer_value_of_another_kind_is_refused(dtype: DType, value: Any) -> None:
    with pytest.raises(TypeError):
        tensor_writer(1, Field("x", dtype, ()))(value)
