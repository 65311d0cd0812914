from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array
from hypothesis import given
from hypothesis import strategies as st

from netsecgame.errors import (
    InvalidActionError,
    ProtocolViolationError,
    UnsupportedByServerError,
)
from netsecgame.remote.codec import (
    Field,
    SpaceCodec,
    extended_codec,
    field_spec,
    plain_codec,
    plain_spec_codec,
    read_spec,
    read_tensor,
    space_of_plain,
    spaces_of_plain,
    write_tensor,
)
from netsecgame.remote.messages import DType, Tensor, TensorSpec
from netsecgame.remote.tensors import pack

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what the peer's generated code says of itself
    from dm_env_rpc.v1 import dm_env_rpc_pb2 as peer
    from dm_env_rpc.v1 import tensor_spec_utils as peer_specs

_BOX = spaces.Box(-1, 1, (2,))

#: Spaces of every row of the table, and kin.
ARRAY_SPACES: dict[str, spaces.Space[Any]] = {
    "discrete": spaces.Discrete(3),
    "discrete-start": spaces.Discrete(3, start=-4),
    "box": spaces.Box(-1, 1, (3,)),
    "box-scalar": spaces.Box(-1, 1, ()),
    "box-unbounded": spaces.Box(-np.inf, np.inf, (2, 3)),
    "box-uint8": spaces.Box(0, 255, (2, 2), np.uint8),
    "box-float16": spaces.Box(0, 0.1, (2,), np.float16),
    "box-float64": spaces.Box(-0.1, 0.1, (2,), np.float64),
    "box-int8": spaces.Box(-128, 127, (3,), np.int8),
    "box-int16": spaces.Box(-5, 5, (3,), np.int16),
    "box-int32": spaces.Box(-(2**31), 2**31 - 1, (2,), np.int32),
    "box-int64": spaces.Box(-(2**40), 2**40, (2,), np.int64),
    "box-uint16": spaces.Box(0, 9, (3,), np.uint16),
    "box-uint32": spaces.Box(0, 9, (3,), np.uint32),
    "box-uint64": spaces.Box(0, 9, (3,), np.uint64),
    "box-bool": spaces.Box(0, 1, (3,), np.bool_),
    "multi-discrete": spaces.MultiDiscrete([3, 5]),
    "multi-discrete-start": spaces.MultiDiscrete([3, 5], start=[-2, 10]),
    "multi-discrete-one": spaces.MultiDiscrete([4], start=[1]),
    "multi-discrete-2d": spaces.MultiDiscrete(
        np.array([[2, 3], [4, 5]]), start=np.array([[1, 0], [0, -2]])
    ),
    "multi-discrete-int8": spaces.MultiDiscrete([3, 5], np.int8),
    "multi-binary": spaces.MultiBinary(3),
    "multi-binary-2d": spaces.MultiBinary([2, 2]),
}
if "dtype" in inspect.signature(spaces.Discrete).parameters:
    ARRAY_SPACES["discrete-int32"] = spaces.Discrete(3, start=7, dtype=np.int32)
TREE_SPACES: dict[str, spaces.Space[Any]] = {
    "dict": spaces.Dict({"mask": spaces.MultiBinary(4), "position": _BOX}),
    "dict-unsorted": spaces.Dict([("b", _BOX), ("a", spaces.Discrete(2))]),
    "dict-keys": spaces.Dict([(1, _BOX), ("1~", _BOX), ("a/b", _BOX)]),  # type: ignore[list-item]
    "dict-empty": spaces.Dict({}),
    "tuple": spaces.Tuple([spaces.Discrete(2) for _ in range(12)]),
    "nested": spaces.Dict(
        {"x": spaces.Tuple([_BOX, spaces.Dict({"y": spaces.Discrete(3, start=1)})])}
    ),
}
TEXT_SPACES: dict[str, spaces.Space[Any]] = {
    "text": spaces.Text(5, min_length=0),
    "dict-of-text": spaces.Dict({"t": spaces.Text(3), "n": spaces.Discrete(2)}),
}
LOOSE_SPACES: dict[str, spaces.Space[Any]] = {
    "sequence": spaces.Sequence(spaces.Discrete(3)),
    "sequence-stack": spaces.Sequence(_BOX, stack=True),
    "sequence-of-tuple-stack": spaces.Sequence(spaces.Tuple([_BOX, spaces.Text(2)]), stack=True),
    "graph": spaces.Graph(_BOX, spaces.Discrete(3)),
    "graph-without-edges": spaces.Graph(spaces.Discrete(2), None),
    "one-of": spaces.OneOf([spaces.Discrete(2), _BOX]),
    "sequence-of-graphs": spaces.Sequence(
        spaces.Dict({"g": spaces.Graph(_BOX, _BOX), "o": spaces.OneOf([_BOX, _BOX])})
    ),
    "sequence-of-dict-stack": spaces.Sequence(
        spaces.Dict({"n": spaces.Discrete(3), "s": spaces.Sequence(_BOX, stack=True)}), stack=True
    ),
    "sequence-of-one-of-stack": spaces.Sequence(
        spaces.Dict({"g": spaces.Graph(_BOX, None), "o": spaces.OneOf([_BOX])}), stack=True
    ),
    "dict-of-graph": spaces.Dict({"g": spaces.Graph(_BOX, None), "n": spaces.Discrete(2)}),
}
SPACES = ARRAY_SPACES | TREE_SPACES | TEXT_SPACES | LOOSE_SPACES


def _carry(codec: SpaceCodec, value: Any, **options: bool) -> Any:
    """What comes out at the other end of the wire."""
    sent = [
        write_tensor(field, part).SerializeToString()
        for field, part in zip(codec.fields, codec.encode(value), strict=True)
    ]
    tensors = [Tensor.FromString(data) for data in sent]
    received = list(map(read_tensor, codec.fields, tensors))
    result = codec.decode(received, **options)
    assert repr(codec.read(tensors, **options)) == repr(result)
    return result


def _assert_same(one: Any, other: Any) -> None:
    """Equal in types, shapes and values, all the way down."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            _assert_same(one[key], other[key])
    elif isinstance(one, tuple):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            _assert_same(left, right)
    elif isinstance(one, np.ndarray):
        assert one.flags.writeable
        np.testing.assert_array_equal(one, other, strict=True)
    else:
        assert one == other
        assert getattr(one, "dtype", None) == getattr(other, "dtype", None)


# What our own clients see


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_extended_value_of_each_space_arrives_unchanged(space: spaces.Space[Any]) -> None:
    codec = extended_codec(space, "observation")
    assert codec.space is space
    space.seed(3)
    for _ in range(5):
        value = space.sample()
        result = _carry(codec, value, check=True)
        _assert_same(result, value)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_extended_values_of_many_environments_arrive_unchanged(space: spaces.Space[Any]) -> None:
    codec = extended_codec(space, "observation", batch=3)
    assert codec.space == batch_space(space, 3)
    codec.space.seed(3)
    for _ in range(3):
        value = codec.space.sample()
        _assert_same(_carry(codec, value, check=True), value)


@pytest.mark.parametrize("name", ["box", "dict", "nested", "text", "multi-binary-2d", "graph"])
def test_extended_observations_as_gymnasium_batches_them_arrive_unchanged(name: str) -> None:
    space = SPACES[name]
    codec = extended_codec(space, "observation", batch=4)
    values = [space.sample() for _ in range(4)]
    empty: Any = create_empty_array(space, 4)
    batched = concatenate(space, values, empty)
    _assert_same(_carry(codec, batched), batched)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_extended_fields_have_distinct_names_in_order(space: spaces.Space[Any]) -> None:
    names = [field.name for field in extended_codec(space, "observation").fields]
    assert names == sorted(set(names))
    assert names == [field.name for field in extended_codec(space, "observation", batch=2).fields]


def test_extended_names_are_paths() -> None:
    names = [field.name for field in extended_codec(SPACES["nested"], "observation").fields]
    assert names == ["observation/x/0", "observation/x/1/y"]
    (field,) = extended_codec(SPACES["box"], "action").fields
    assert field.name == "action"


def test_extended_names_of_keys_that_look_alike_differ() -> None:
    space = spaces.Dict(
        [
            ("a/b", _BOX),
            ("a~1b", _BOX),
            ("a", spaces.Dict({"b": _BOX})),
            ((1,), _BOX),  # type: ignore[list-item]
            ("(1,)", _BOX),
            (1, _BOX),  # type: ignore[list-item]
            ("1", _BOX),
        ]
    )
    assert len({field.name for field in extended_codec(space, "o").fields}) == 7
    value = space.sample()
    _assert_same(_carry(extended_codec(space, "o"), value), value)


@pytest.mark.parametrize(
    ("name", "dtype", "shape"),
    [
        ("discrete", DType.INT64, ()),
        ("box", DType.FLOAT, (3,)),
        ("box-float64", DType.DOUBLE, (2,)),
        ("box-float16", DType.FLOAT, (2,)),
        ("box-int16", DType.INT32, (3,)),
        ("box-bool", DType.BOOL, (3,)),
        ("multi-binary", DType.INT8, (3,)),
        ("multi-discrete-2d", DType.INT64, (2, 2)),
        ("text", DType.STRING, ()),
        ("graph", DType.STRING, ()),
    ],
)
def test_extended_field_of_each_space_has_its_type(
    name: str, dtype: DType, shape: tuple[int, ...]
) -> None:
    (field,) = extended_codec(SPACES[name], "x").fields
    assert (field.dtype, field.shape) == (dtype, shape)
    (field,) = extended_codec(SPACES[name], "x", batch=5).fields
    assert (field.dtype, field.shape) == (dtype, (5, *shape))


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("batch", [None, 3])
def test_extended_numeric_spec_has_both_bounds(space: spaces.Space[Any], batch: int | None) -> None:
    for field in extended_codec(space, "x", batch=batch).fields:
        spec = field_spec(field)
        is_numeric = field.dtype not in (DType.BOOL, DType.STRING)
        assert spec.HasField("min") == spec.HasField("max") == is_numeric


def test_extended_bounds_that_are_all_equal_are_one_number() -> None:
    (field,) = extended_codec(spaces.Box(0, 255, (210, 160, 3), np.uint8), "x").fields
    assert len(field_spec(field).SerializeToString()) < 40
    (field,) = extended_codec(SPACES["multi-discrete-start"], "x", batch=2).fields
    assert field.low is not None
    assert field.high is not None
    assert (field.low.tolist(), field.high.tolist()) == ([[-2, 10]] * 2, [[0, 14]] * 2)


def test_extended_observation_of_a_type_like_the_spaces_is_cast() -> None:
    codec = extended_codec(SPACES["box"], "observation")
    result = _carry(codec, [0.5, 1, -1])
    _assert_same(result, np.array([0.5, 1, -1], np.float32))
    _assert_same(_carry(extended_codec(SPACES["discrete"], "x"), 2), np.int64(2))
    _assert_same(
        _carry(extended_codec(SPACES["box-uint8"], "x"), np.ones((2, 2))), np.ones((2, 2), np.uint8)
    )


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("box", np.zeros(4), r"observation: shape \[4\]; expected \[3\]"),
        ("box", None, "observation: None; expected numbers"),
        ("box", "abc", "observation: 'abc'; expected numbers"),
        ("box", [[1], [1, 2]], "expected numbers"),
        ("box-uint8", np.full((2, 2), 256), "that uint8 can hold"),
        ("box-int32", [0.5, 1], "that int32 can hold"),
        ("box-int32", [np.nan, 1], "that int32 can hold"),
        ("discrete", 1.5, "that int64 can hold"),
        ("discrete", [1], "shape"),
        ("dict", {"mask": np.zeros(4)}, "observation: .*; expected a value of Dict"),
        ("dict", {"mask": np.zeros(4), "x": 1}, "expected a value of Dict"),
        ("dict", {"mask": np.zeros(5), "position": np.zeros(2)}, "observation/mask: shape"),
        ("dict", 3, "expected a value of Dict"),
        ("tuple", (1, 2), "expected a value of Tuple"),
        ("text", 3, "observation: 3; expected a text"),
    ],
)
def test_extended_value_that_tensors_cannot_hold_raises(name: str, value: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        extended_codec(SPACES[name], "observation").encode(value)


def test_extended_values_of_another_number_of_environments_raise() -> None:
    for name in ("box", "text", "graph"):
        codec = extended_codec(SPACES[name], "action", batch=3)
        other = extended_codec(SPACES[name], "action", batch=2)
        with pytest.raises(ValueError, match=r"action: .* expected"):
            codec.encode(other.space.sample())
        with pytest.raises(ProtocolViolationError, match=r"action.*expected"):
            codec.decode(other.encode(other.space.sample()))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("discrete", np.int64(3)),
        ("box", np.array([0, 0, 2], np.float32)),
        ("box", np.array([0, 0, np.nan], np.float32)),
        ("dict", {"mask": np.full(4, 2, np.int8), "position": np.zeros(2, np.float32)}),
        ("text", "!"),
        ("sequence", (np.int64(9),)),
    ],
)
def test_extended_action_outside_its_space_is_refused_only_if_checked(
    name: str, value: Any
) -> None:
    codec = extended_codec(SPACES[name], "action")
    _assert_same(_carry(codec, value), value)
    with pytest.raises(InvalidActionError, match="is not in"):
        _carry(codec, value, check=True)


def test_decode_of_numbers_the_space_cannot_hold_raises_unchecked() -> None:
    codec = extended_codec(SPACES["box-int16"], "action")
    with pytest.raises(InvalidActionError, match=r"action: .*that int16 can hold"):
        codec.decode([np.array([0, 0, 40_000], np.int32)])


@pytest.mark.parametrize(
    "values",
    [
        [],
        [np.zeros(3, np.float32)] * 2,
        [np.zeros(3, np.float64)],
        [np.zeros((3, 1), np.float32)],
        ["text"],
        [None],
    ],
)
def test_decode_of_other_tensors_raises(values: list[Any]) -> None:
    with pytest.raises(ProtocolViolationError, match=r"expected (1: action|FLOAT \[3\])"):
        extended_codec(SPACES["box"], "action").decode(values)


def test_read_of_other_tensors_raises() -> None:
    codec = extended_codec(SPACES["box"], "action")
    with pytest.raises(ProtocolViolationError, match="0 tensors; expected 1: action"):
        codec.read([])
    with pytest.raises(ProtocolViolationError, match=r"action: shape \[2\]"):
        codec.read([pack(np.zeros(2, np.float32), DType.FLOAT)])


@pytest.mark.parametrize(
    "text",
    ["", "{", "3", "[3]", '{"$t":[1]}', '{"$t":[1,2,3,4]}', '{"$t":[7,1]}', '{"$x":1}', "null"],
)
@pytest.mark.parametrize("name", ["one-of", "graph", "sequence-of-graphs"])
def test_decode_of_json_of_no_value_raises(name: str, text: str) -> None:
    with pytest.raises((ProtocolViolationError, InvalidActionError), match=r"action|not in"):
        extended_codec(SPACES[name], "action").decode([text], check=True)


class _OwnSpace(spaces.Space[int]):
    pass


@pytest.mark.parametrize("make", [extended_codec, plain_codec])
def test_space_of_another_kind_is_refused(make: Any) -> None:
    options = {"is_action": False, "strict": False} if make is plain_codec else {}
    with pytest.raises(UnsupportedByServerError, match=r"observation: .*wrap the environment"):
        make(_OwnSpace(), "observation", **options)


# What a plain client sees


def _plain(space: spaces.Space[Any], *, is_action: bool = True, strict: bool = False) -> SpaceCodec:
    return plain_codec(space, "action", is_action=is_action, strict=strict)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("discrete", spaces.Discrete(3)),
        ("discrete-start", spaces.Discrete(3)),
        ("box", ARRAY_SPACES["box"]),
        ("box-scalar", ARRAY_SPACES["box-scalar"]),
        ("box-uint8", ARRAY_SPACES["box-uint8"]),
        ("box-float16", spaces.Box(0, np.float32(np.float16(0.1)), (2,))),
        ("box-float64", spaces.Box(-0.1, 0.1, (2,))),
        ("box-int16", spaces.Box(-5, 5, (3,))),
        ("box-int32", spaces.Box(-(2.0**31), 2.0**31, (2,))),
        ("box-bool", spaces.Box(0, 1, (3,))),
        ("multi-discrete", spaces.MultiDiscrete([3, 5])),
        ("multi-discrete-start", spaces.MultiDiscrete([3, 5])),
        ("multi-discrete-one", spaces.Discrete(4)),
        ("multi-discrete-2d", spaces.MultiDiscrete([2, 3, 4, 5])),
        ("multi-discrete-int8", spaces.MultiDiscrete([3, 5])),
        ("multi-binary", spaces.Box(0, 1, (3,), np.uint8)),
        ("multi-binary-2d", spaces.Box(0, 1, (2, 2), np.uint8)),
    ],
)
def test_plain_space_is_shown_as_the_table_says(name: str, shown: spaces.Space[Any]) -> None:
    for is_action in (True, False):
        codec = _plain(SPACES[name], is_action=is_action)
        (field,) = codec.fields
        space = space_of_plain(
            read_spec(TensorSpec.FromString(field_spec(field).SerializeToString()))
        )
        assert space == shown
        assert space.dtype == shown.dtype


@pytest.mark.parametrize("space", ARRAY_SPACES.values(), ids=ARRAY_SPACES)
def test_plain_observation_is_inside_what_is_shown(space: spaces.Space[Any]) -> None:
    codec = _plain(space, is_action=False)
    (field,) = codec.fields
    seen = plain_spec_codec(read_spec(field_spec(field)))
    space.seed(4)
    for _ in range(20):
        (value,) = codec.encode(space.sample())
        tensor = write_tensor(field, value)
        result = seen.decode([read_tensor(seen.fields[0], tensor)])
        assert seen.space.contains(result)


@pytest.mark.parametrize("space", ARRAY_SPACES.values(), ids=ARRAY_SPACES)
def test_plain_action_arrives_in_the_spaces_type_and_inside_it(space: spaces.Space[Any]) -> None:
    codec = _plain(space)
    sender = plain_spec_codec(read_spec(field_spec(codec.fields[0])))
    sender.space.seed(4)
    for _ in range(20):
        (value,) = sender.encode(sender.space.sample())
        action = codec.decode([read_tensor(codec.fields[0], write_tensor(sender.fields[0], value))])
        assert space.contains(action)
        assert action.dtype == space.dtype
        assert action.shape == space.shape
        assert isinstance(action, np.ndarray) != isinstance(space, spaces.Discrete)
        assert isinstance(action, np.integer) or action.flags.writeable


@pytest.mark.parametrize(
    "name", [name for name in ARRAY_SPACES if name not in ("box-float64", "box-int64")]
)
def test_plain_value_there_and_back_is_unchanged(name: str) -> None:
    space = ARRAY_SPACES[name]
    if name == "box-int32":  # whole numbers that a FLOAT keeps
        space = spaces.Box(-(2**24), 2**24, (4,), np.int32)
    codec = _plain(space)
    space.seed(1)
    for _ in range(10):
        value = space.sample()
        _assert_same(_carry(codec, value, check=True), value)


def test_plain_numbers_are_counted_from_zero() -> None:
    (shown,) = _plain(SPACES["discrete-start"]).encode(np.int64(-4))
    assert (shown.dtype, shown.shape, shown[()]) == (np.int64, (), 0)
    assert _plain(SPACES["discrete-start"]).decode([np.array(2)]) == -2
    (shown,) = _plain(SPACES["multi-discrete-start"]).encode(np.array([0, 10]))
    assert shown.tolist() == [2, 0]
    action = _plain(SPACES["multi-discrete-2d"]).decode([np.array([0, 1, 2, 0])])
    assert action.tolist() == [[1, 1], [2, -2]]
    assert _plain(SPACES["multi-discrete-one"]).decode([np.array(3)]).tolist() == [4]


@pytest.mark.parametrize(
    ("name", "sent", "expected"),
    [
        ("box-int16", [0.4, -1.6, 5.4], [0, -2, 5]),
        ("box-int8", [126.6, -127.6, 0.5], [127, -128, 0]),
        ("box-bool", [0.4, 0.6, 1], [False, True, True]),
        ("box-int32", [2.0**31, -(2.0**31)], [2**31 - 1, -(2**31)]),
        ("box-float64", [np.float32(0.1), np.float32(-0.1)], [0.1, -0.1]),
    ],
)
def test_plain_action_is_rounded_and_cast_back(
    name: str, sent: list[float], expected: list[Any]
) -> None:
    action = _plain(SPACES[name]).decode([np.array(sent, np.float32)])
    _assert_same(action, np.array(expected, SPACES[name].dtype))


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("box-int16", np.array([np.nan, 0, 0], np.float32)),
        ("box-int16", np.array([np.inf, 0, 0], np.float32)),
        ("box-int16", np.array([40_000, 0, 0], np.float32)),
        ("box-bool", np.array([2, 0, 0], np.float32)),
        ("multi-binary", np.array([128, 0, 0], np.uint8)),
        ("multi-discrete-int8", np.array([128, 0], np.int64)),
        ("discrete-start", np.array(-(2**63))),
    ],
)
def test_plain_action_that_the_space_cannot_hold_is_refused_unchecked(name: str, sent: Any) -> None:
    with pytest.raises(InvalidActionError, match="action: "):
        _plain(SPACES[name]).decode([sent])


@pytest.mark.parametrize(
    ("name", "sent", "expected"),
    [
        ("discrete-start", np.array(3), -1),
        ("discrete", np.array(-1), -1),
        ("multi-discrete-int8", np.array([100, 0], np.int64), [100, 0]),
        ("multi-binary", np.array([2, 0, 0], np.uint8), [2, 0, 0]),
        ("box", np.array([0, 0, 2], np.float32), [0, 0, 2]),
        ("box-int16", np.array([9, 0, 0], np.float32), [9, 0, 0]),
    ],
)
def test_plain_action_outside_its_space_is_refused_only_if_checked(
    name: str, sent: Any, expected: Any
) -> None:
    action = _plain(SPACES[name]).decode([sent])
    assert action.tolist() == expected
    assert action.dtype == SPACES[name].dtype
    with pytest.raises(InvalidActionError, match="is not in"):
        _plain(SPACES[name]).decode([sent], check=True)


@pytest.mark.parametrize("name", ["dict", "tuple", "nested", "dict-of-text"])
def test_plain_observation_of_parts_is_flattened(name: str) -> None:
    space = SPACES[name]
    codec = _plain(space, is_action=False)
    (field,) = codec.fields
    assert field.dtype is DType.FLOAT
    value = space.sample()
    (shown,) = codec.encode(value)
    flat = spaces.flatten(space, value)
    np.testing.assert_array_equal(shown, np.asarray(flat, np.float32), strict=True)
    assert space_of_plain(field).contains(shown)
    back = codec.decode([shown])
    assert space.contains(back)
    np.testing.assert_array_equal(spaces.flatten(space, back), flat)


def test_plain_observation_that_is_no_value_of_its_parts_raises() -> None:
    codec = _plain(SPACES["dict"], is_action=False)
    for value in ({"mask": np.zeros(4)}, None, {"mask": np.zeros(9), "position": np.zeros(2)}):
        with pytest.raises(ValueError, match="expected a value of Dict"):
            codec.encode(value)


def test_plain_observation_too_large_for_a_float_is_infinite() -> None:
    codec = _plain(spaces.Box(-np.inf, np.inf, (1,), np.float64), is_action=False)
    (shown,) = codec.encode(np.array([1e300]))
    assert shown.tolist() == [np.inf]


@pytest.mark.parametrize(
    ("name", "is_action"),
    [
        *((name, True) for name in ("dict", "tuple")),
        *((name, False) for name in ("dict-of-graph",)),
        *(
            (name, is_action)
            for name in ("text", "sequence", "graph", "one-of")
            for is_action in (True, False)
        ),
    ],
)
def test_plain_space_that_cannot_be_shown_is_refused_with_advice(
    name: str, is_action: bool
) -> None:
    wrapper = "TransformAction" if is_action else "TransformObservation"
    kind = type(SPACES[name]).__name__
    with pytest.raises(UnsupportedByServerError, match=rf"{kind}\(.*wrappers\.{wrapper}"):
        _plain(SPACES[name], is_action=is_action)


def test_plain_strict_shows_only_what_is_unchanged() -> None:
    with pytest.raises(UnsupportedByServerError, match="cannot be shown unchanged"):
        _plain(spaces.MultiDiscrete([4]), strict=True)
    shown = {"discrete", "box", "box-scalar", "box-unbounded", "box-uint8", "multi-discrete"}
    for name, space in SPACES.items():
        if name in shown:
            assert _plain(space, strict=True).fields[0].name == "action"
        else:
            with pytest.raises(UnsupportedByServerError, match="cannot be shown unchanged"):
                _plain(space, is_action=False, strict=True)


# Fields, and what other servers tell of


@pytest.mark.parametrize("space", ARRAY_SPACES.values(), ids=ARRAY_SPACES)
def test_spec_through_bytes_is_the_field(space: spaces.Space[Any]) -> None:
    for codec in (_plain(space), extended_codec(space, "action", batch=2)):
        (field,) = codec.fields
        result = read_spec(TensorSpec.FromString(field_spec(field).SerializeToString()))
        assert result[:3] == field[:3]
        for ours, theirs in ((result.low, field.low), (result.high, field.high)):
            assert (ours is None) == (theirs is None)
            if ours is not None:
                np.testing.assert_array_equal(ours, theirs, strict=True)


@pytest.mark.parametrize("space", ARRAY_SPACES.values(), ids=ARRAY_SPACES)
def test_plain_spec_is_read_alike_by_the_peer(space: spaces.Space[Any]) -> None:
    (field,) = _plain(space).fields
    theirs = peer_specs.bounds(peer.TensorSpec.FromString(field_spec(field).SerializeToString()))
    np.testing.assert_array_equal(theirs.min, field.low)
    np.testing.assert_array_equal(theirs.max, field.high)


@pytest.mark.parametrize(
    "spec",
    [
        TensorSpec(name="x"),
        TensorSpec(name="x", dtype=12),
        TensorSpec(name="x", dtype=1, shape=[-2]),
        TensorSpec(name="x", dtype=1, min={"doubles": {"array": [0]}}),
        TensorSpec(name="x", dtype=9, min={"uint8s": {"array": b"0"}}),
        TensorSpec(name="x", dtype=1, shape=[3], min={"floats": {"array": [0, 0]}}),
        TensorSpec(name="x", dtype=1, shape=[-1], max={"floats": {"array": [0, 0]}}),
        TensorSpec(name="x", dtype=1, shape=[3], min={"floats": {}}),
    ],
)
def test_read_spec_of_parts_that_disagree_raises(spec: Any) -> None:
    with pytest.raises(ProtocolViolationError, match="spec 'x'"):
        read_spec(spec)


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (Tensor(), "without elements"),
        (pack(np.zeros(3), DType.DOUBLE), "elements of DOUBLE"),
        (pack(np.zeros(4, np.float32), DType.FLOAT), r"shape \[4\]"),
        (pack(np.float32(0), DType.FLOAT), r"shape \[\]"),
        (Tensor(shape=[2**31 - 1] * 3, floats={"array": [0]}), "at most"),
        (Tensor(shape=[3], floats={"array": [0, 0]}), "expected 3 elements"),
    ],
)
def test_read_tensor_of_something_else_names_the_field(tensor: Any, text: str) -> None:
    field = Field("action", DType.FLOAT, (3,))
    with pytest.raises(ProtocolViolationError, match=rf"action \(uid 1\): .*{text}.*FLOAT \[3\]"):
        read_tensor(field, tensor, uid=1)


def test_read_tensor_takes_copies_and_sizes_worked_out() -> None:
    field = Field("action", DType.FLOAT, (3,))
    assert read_tensor(field, Tensor(shape=[3], floats={"array": [7]})).tolist() == [7, 7, 7]
    assert read_tensor(field, Tensor(shape=[-1], floats={"array": [1, 2, 3]})).tolist() == [1, 2, 3]
    frame = Field("frame", DType.UINT8, (-1, -1, 3))
    assert read_tensor(frame, pack(np.zeros((4, 5, 3), np.uint8), DType.UINT8)).shape == (4, 5, 3)


@pytest.mark.parametrize(
    ("field", "space"),
    [
        (Field("x", DType.FLOAT, (2,)), spaces.Box(-np.inf, np.inf, (2,))),
        (Field("x", DType.DOUBLE, ()), spaces.Box(-np.inf, np.inf, (), np.float64)),
        (
            Field("x", DType.FLOAT, (2,), np.array(0, np.float32), np.array([1, 2], np.float32)),
            spaces.Box(np.array([0, 0], np.float32), np.array([1, 2], np.float32)),
        ),
        (Field("x", DType.INT64, ()), spaces.Box(-(2**63), 2**63 - 1, (), np.int64)),
        (
            Field("x", DType.INT64, (), np.array(5), np.array(7)),
            spaces.Discrete(3, start=5),
        ),
        (
            Field("x", DType.INT32, (2,), np.array(1, np.int32), np.array([1, 4], np.int32)),
            spaces.MultiDiscrete([1, 4], start=[1, 1]),
        ),
        (
            Field("x", DType.INT64, (), np.array(-(2**63)), np.array(2**63 - 1)),
            spaces.Box(-(2**63), 2**63 - 1, (), np.int64),
        ),
        (Field("x", DType.UINT8, (2, 2)), spaces.Box(0, 255, (2, 2), np.uint8)),
        (Field("x", DType.BOOL, (2,)), spaces.MultiBinary((2,))),
        (Field("x", DType.BOOL, ()), spaces.Discrete(2)),
    ],
)
def test_space_of_a_field_of_another_server_is_sent_and_read(
    field: Field, space: spaces.Space[Any]
) -> None:
    assert space_of_plain(field) == space
    codec = plain_spec_codec(field)
    codec.space.seed(1)
    for _ in range(5):
        value = codec.space.sample()
        expected = np.asarray(value) if isinstance(space, spaces.Box) else value
        _assert_same(_carry(codec, value), expected)


@pytest.mark.parametrize(
    "field",
    [
        Field("x", DType.STRING, ()),
        Field("x", DType.PROTO, (2,)),
        Field("x", DType.FLOAT, (-1, 2)),
    ],
)
def test_space_of_a_field_without_one_is_refused(field: Field) -> None:
    with pytest.raises(UnsupportedByServerError, match="x: no space stands for"):
        space_of_plain(field)


def test_space_of_bounds_the_wrong_way_round_is_refused() -> None:
    for dtype in (DType.INT64, DType.UINT8):
        field = Field("x", dtype, (2,), np.array(1, np.uint8), np.array(0, np.uint8))
        with pytest.raises(ProtocolViolationError, match="x: bounds"):
            space_of_plain(field)


def test_space_of_several_fields_is_a_dict() -> None:
    fields = [Field("b", DType.FLOAT, (2,)), Field("a", DType.BOOL, (1,))]
    assert spaces_of_plain(fields[:1]) == space_of_plain(fields[0])
    assert spaces_of_plain(fields) == spaces.Dict({f.name: space_of_plain(f) for f in fields})


@given(st.binary(max_size=100))
def test_read_tensor_of_any_bytes_is_a_value_or_an_error(data: bytes) -> None:
    try:
        tensor = Tensor.FromString(data)
    except Exception:  # noqa: BLE001 - no tensor at all
        return
    codec = _plain(SPACES["box-uint8"])
    try:
        action = codec.decode([read_tensor(codec.fields[0], tensor)], check=True)
    except (ProtocolViolationError, InvalidActionError):
        return
    assert SPACES["box-uint8"].contains(action)
