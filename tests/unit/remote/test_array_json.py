from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as np_st

from netsecgame.remote.array_json import dumps, loads, tag, untag


@given(
    np_st.arrays(
        np_st.scalar_dtypes(), np_st.array_shapes(min_dims=0, min_side=0, max_dims=3, max_side=4)
    )
)
def test_loads_of_a_dumped_array_is_the_array(array: Any) -> None:
    result = loads(dumps({"a": array}))["a"]
    assert (type(result), result.dtype, result.shape) == (np.ndarray, array.dtype, array.shape)
    assert result.tobytes() == array.tobytes()
    assert result.flags.writeable


@given(np_st.arrays(np_st.scalar_dtypes(), 1))
def test_loads_of_a_dumped_scalar_is_the_scalar(array: Any) -> None:
    scalar = array[0]
    result = loads(dumps(scalar))
    assert type(result) is type(scalar)
    assert result == scalar or (result != result and scalar != scalar)  # noqa: PLR0124 - NaN, NaT


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.arange(2, dtype=np.uint8), '{"$nd":["|u1",[2],"AAE="]}'),
        (np.float32(0.5), '{"$np":["<f4",0.5]}'),
        (np.float64("nan"), '{"$np":["<f8",{"$f":"nan"}]}'),
        (np.array([None, (1,)], object), '{"$nd":["O",[2],[null,{"$t":[1]}]]}'),
        ({"$nd": 1}, '{"$d":[["$nd",1]]}'),
    ],
)
def test_dumps_of_each_tag_is_the_text(value: Any, text: str) -> None:
    assert dumps(value) == text


def test_arrays_of_objects_keep_the_arrays_inside() -> None:
    observations = np.empty(3, object)
    observations[0] = np.zeros(2, np.float32)
    observations[1] = {"a": np.ones(2)}
    result = loads(dumps({"final_obs": observations}))["final_obs"]
    assert (result.shape, result.dtype) == ((3,), object)
    np.testing.assert_array_equal(result[0], observations[0], strict=True)
    np.testing.assert_array_equal(result[1]["a"], np.ones(2), strict=True)
    assert result[2] is None


def test_arrays_of_objects_of_one_length_stay_objects() -> None:
    rows = np.empty(2, object)
    rows[0], rows[1] = np.arange(2), np.arange(2)
    assert loads(dumps(rows)).shape == (2,)


def test_arrays_that_are_not_in_order_keep_their_elements() -> None:
    array = np.arange(12).reshape(3, 4)[::2, ::-1].T
    np.testing.assert_array_equal(loads(dumps(array)), array, strict=True)


def test_structured_arrays_become_their_repr() -> None:
    array = np.array([(1, 2.0)], dtype=[("a", int), ("b", float)])
    assert loads(dumps(array)) == repr(array)


def test_untag_leaves_alone_what_has_been_read_already() -> None:
    array = np.arange(2)
    assert untag(array) is array
    assert untag({"x": tag(3)}) == {"x": 3}


@pytest.mark.parametrize(
    "content",
    [
        {"$nd": 1},
        {"$nd": ["<f4", [1]]},
        {"$nd": ["<f4", [2], "AAAAAA=="]},
        {"$nd": ["<f4", [2], ""]},
        {"$nd": ["<f4", [-1], ""]},
        {"$nd": ["<f4", [True], "AAAAAA=="]},
        {"$nd": ["<f4", 1, "AAAAAA=="]},
        {"$nd": ["<f4", [0] + [sys.maxsize] * 2, ""]},
        {"$nd": ["<f4", [1] * 33, "AAAAAA=="]},
        {"$nd": ["<f4", [1], 5]},
        {"$nd": ["O8", [1], "AAAAAAAAAAA="]},
        {"$nd": ["O", [10**6], [1]]},
        {"$nd": ["O", [1], "AAAAAAAAAAA="]},
        {"$nd": ["i4,f4", [1], "AAAAAAAAAAA="]},
        {"$nd": ["(2,)i4", [1], "AAAAAAAAAAA="]},
        {"$nd": ["no type", [1], ""]},
        {"$nd": [5, [1], ""]},
        {"$np": ["<f4"]},
        {"$np": ["<f4", "x"]},
        {"$np": ["<f4", None]},
        {"$np": ["<f4", {"$b": "AA=="}]},
        {"$np": ["|u1", 256]},
        {"$np": ["<U500000000", 1]},
        {"$np": ["O", 1]},
    ],
)
def test_loads_of_malformed_tags_raises(content: Any) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        loads(json.dumps(content))


def test_loads_of_a_text_scalar_takes_no_more_memory_than_the_text() -> None:
    assert loads('{"$np":["<U500000000","ab"]}').nbytes == 8
