from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as np_st

from netsecgame.errors import ProtocolViolationError
from netsecgame.remote.messages import DType, Tensor
from netsecgame.remote.tensors import NUMPY_TYPES, PAYLOADS, pack, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what the peer's generated code says of itself
    from dm_env_rpc.v1 import dm_env_rpc_pb2 as peer
    from dm_env_rpc.v1 import tensor_utils as peer_tensors

NUMERIC = tuple(NUMPY_TYPES)


@st.composite
def _arrays(draw: st.DrawFn) -> tuple[DType, NDArray[Any]]:
    dtype = draw(st.sampled_from(NUMERIC))
    shape = draw(np_st.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=6))
    return dtype, draw(np_st.arrays(NUMPY_TYPES[dtype], shape))


def _through_bytes(tensor: Any) -> Any:
    return Tensor.FromString(tensor.SerializeToString())


@given(_arrays())
def test_unpack_of_a_packed_array_is_the_array(drawn: tuple[DType, NDArray[Any]]) -> None:
    dtype, array = drawn
    result = unpack(_through_bytes(pack(array, dtype)))
    assert isinstance(result, np.ndarray)
    assert result.dtype == array.dtype
    assert result.shape == array.shape
    assert result.tobytes() == array.tobytes()
    assert result.flags.writeable
    assert not np.shares_memory(result, array)


@given(_arrays())
def test_packed_array_is_read_alike_by_the_peer(drawn: tuple[DType, NDArray[Any]]) -> None:
    dtype, array = drawn
    theirs = peer.Tensor.FromString(pack(array, dtype).SerializeToString())
    assert theirs.WhichOneof("payload") == PAYLOADS[dtype]
    np.testing.assert_array_equal(peer_tensors.unpack_tensor(theirs), array)


@given(_arrays())
def test_array_packed_by_the_peer_is_read_alike(drawn: tuple[DType, NDArray[Any]]) -> None:
    dtype, array = drawn
    theirs = peer_tensors.pack_tensor(array, dtype=int(dtype))
    ours = unpack(Tensor.FromString(theirs.SerializeToString()))
    np.testing.assert_array_equal(ours, array)


@pytest.mark.parametrize("size", [1, 32, 33, 127, 128, 5000])
@pytest.mark.parametrize("dtype", NUMERIC)
def test_pack_of_every_type_and_length_comes_back(dtype: DType, size: int) -> None:
    numpy_type = NUMPY_TYPES[dtype]
    array = np.random.default_rng(size).integers(0, 2, size) * 1.0
    if numpy_type.kind in "iu":
        array[0], array[-1] = 0, np.iinfo(numpy_type).max // 2**10
    array = array.astype(numpy_type)
    tensor = _through_bytes(pack(array, dtype))
    result = unpack(tensor)
    assert isinstance(result, np.ndarray)
    assert result.flags.writeable
    np.testing.assert_array_equal(result, array, strict=True)
    # What is put in as bytes is what protobuf itself makes of the numbers.
    by_number = Tensor(shape=[size])
    payload = getattr(by_number, PAYLOADS[dtype])
    if dtype in (DType.INT8, DType.UINT8):
        payload.array = array.tobytes()
    else:
        payload.array.extend(array.tolist())
    assert tensor.SerializeToString() == by_number.SerializeToString()


def test_unpack_of_numbers_that_were_not_packed_reads_them() -> None:
    one_by_one = b"".join(b"\x0d" + np.float32(number).tobytes() for number in range(40))
    tensor = Tensor.FromString(
        b"\x0a" + bytes([0xC8, 0x01]) + one_by_one + b"\x7a\x01\x28"  # floats, shape [40]
    )
    np.testing.assert_array_equal(unpack(tensor), np.arange(40, dtype=np.float32), strict=True)


def test_unpack_of_numbers_with_an_unknown_field_behind_them_reads_the_numbers() -> None:
    tensor = pack(np.arange(40, dtype=np.float64), DType.DOUBLE)
    tensor.doubles.MergeFromString(b"\x92\x3f\x02hi")
    np.testing.assert_array_equal(unpack(tensor), np.arange(40.0), strict=True)


def test_pack_of_a_number_has_no_shape() -> None:
    tensor = pack(np.float32(0.5), DType.FLOAT)
    assert not tensor.shape
    np.testing.assert_array_equal(unpack(tensor), np.array(0.5, np.float32), strict=True)


def test_pack_of_an_array_without_elements_keeps_type_and_shape() -> None:
    for dtype in NUMERIC:
        empty = np.zeros((2, 0), NUMPY_TYPES[dtype])
        np.testing.assert_array_equal(
            unpack(_through_bytes(pack(empty, dtype))), empty, strict=True
        )


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (3, DType.FLOAT, np.float32(3)),
        (3, DType.UINT8, np.uint8(3)),
        (True, DType.BOOL, np.True_),
        ([1, 2], DType.INT32, np.array([1, 2], np.int32)),
        ([], DType.INT64, np.zeros(0, np.int64)),
        (np.array([1, 2], np.int32), DType.INT64, np.array([1, 2])),
        (np.float64(1e300), DType.FLOAT, np.float32(np.inf)),
        (1e300, DType.FLOAT, np.float32(np.inf)),
    ],
)
def test_pack_of_other_numbers_of_its_kind_casts_them(
    value: Any, dtype: DType, expected: Any
) -> None:
    np.testing.assert_array_equal(unpack(pack(value, dtype)), expected)
    assert np.asarray(unpack(pack(value, dtype))).dtype == np.asarray(expected).dtype


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1.5, DType.INT64),
        (np.array([1.5]), DType.INT64),
        (np.array([-1]), DType.UINT64),
        ("text", DType.FLOAT),
        (1, DType.BOOL),
        (1, DType.STRING),
        (["a", 1], DType.STRING),
        (b"", DType.PROTO),
    ],
)
def test_pack_of_another_kind_raises(value: Any, dtype: DType) -> None:
    with pytest.raises(TypeError):
        pack(value, dtype)


def test_pack_of_a_number_too_large_raises() -> None:
    with pytest.raises(OverflowError):
        pack(300, DType.UINT8)


def test_strings_are_one_str_or_an_array_of_objects() -> None:
    assert unpack(pack("äöü", DType.STRING)) == "äöü"
    assert unpack(pack("", DType.STRING)) == ""
    strings = np.array([["a", ""], ["b", "ccc"]], object)
    np.testing.assert_array_equal(
        unpack(_through_bytes(pack(strings, DType.STRING))), strings, strict=True
    )


@pytest.mark.parametrize(
    ("shape", "expected"),
    [([2, 3], (2, 3)), ([-1], (6,)), ([2, -1], (2, 3)), ([-1, 1, 6], (1, 1, 6))],
)
def test_unpack_works_out_one_size(shape: list[int], expected: tuple[int, ...]) -> None:
    tensor = Tensor(shape=shape)
    tensor.int32s.array.extend(range(6))
    np.testing.assert_array_equal(
        unpack(tensor), np.arange(6, dtype=np.int32).reshape(expected), strict=True
    )


@pytest.mark.parametrize(
    ("shape", "expected"), [([2, 3], (2, 3)), ([1], (1,)), ([-1], (1,)), ([3, -1], (3, 1))]
)
def test_unpack_of_one_element_fills_the_shape(shape: list[int], expected: tuple[int, ...]) -> None:
    tensor = Tensor(shape=shape)
    tensor.doubles.array.append(0.25)
    result = unpack(tensor)
    np.testing.assert_array_equal(result, np.full(expected, 0.25), strict=True)
    assert isinstance(result, np.ndarray)
    result[:] = 3  # each element is its own
    theirs = peer.Tensor.FromString(tensor.SerializeToString())
    assert peer_tensors.unpack_tensor(theirs).shape == expected


def test_unpack_of_one_string_fills_the_shape() -> None:
    tensor = Tensor(shape=[2])
    tensor.strings.array.append("x")
    assert list(unpack(tensor)) == ["x", "x"]


@pytest.mark.parametrize(
    ("count", "shape", "text"),
    [
        (2, [], "a scalar has exactly one"),
        (0, [], "a scalar has exactly one"),
        (6, [4], "expected 4 elements"),
        (0, [4], "expected 4 elements"),
        (1, [0], "expected 0 elements"),
        (6, [2, -1, -1], "at most one -1"),
        (6, [-2], "at most one -1"),
        (6, [4, -1], "no size in place of the -1"),
        (0, [0, -1], "no size in place of the -1"),
        (1, [1] * 33, "at most 32 dimensions"),
        (1, [2**31 - 1] * 8, "expected at most 1000 elements"),
        (1, [1001], "expected at most 1000 elements"),
        (1001, [-1], "expected at most 1000 elements"),
    ],
)
def test_unpack_of_elements_and_shape_that_disagree_raises(
    count: int, shape: list[int], text: str
) -> None:
    tensor = Tensor(shape=shape)
    tensor.floats.SetInParent()
    tensor.floats.array.extend([0.0] * count)
    with pytest.raises(ProtocolViolationError, match=text):
        unpack(tensor, max_elements=1000)


def test_unpack_of_nothing_or_of_messages_raises() -> None:
    with pytest.raises(ProtocolViolationError, match="without elements"):
        unpack(Tensor(shape=[1]))
    tensor = Tensor()
    tensor.protos.array.add()
    with pytest.raises(ProtocolViolationError, match="of messages"):
        unpack(tensor)


@given(st.binary(max_size=80))
def test_unpack_of_any_tensor_is_an_array_or_an_error(data: bytes) -> None:
    try:
        tensor = Tensor.FromString(data)
    except Exception:  # noqa: BLE001 - no tensor at all
        return
    try:
        result = unpack(tensor, max_elements=10_000)
    except ProtocolViolationError:
        return
    assert isinstance(result, str) or result.size <= 10_000
