from __future__ import annotations

import enum
import json
import math
import subprocess
import sys
from collections import OrderedDict
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsecgame.utils import tagged_json
from netsecgame.utils.tagged_json import dumps, loads

_leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(), max_size=6)
    | st.binary(max_size=6)
)
_keys = st.text("$abr", max_size=3) | st.integers(0, 9) | st.tuples(st.integers(0, 9), st.none())
_values = st.recursive(
    _leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(_keys, inner, max_size=3)
    ),
    max_leaves=20,
)


def _same(one: Any, other: Any) -> bool:
    """Equal in types, too, all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        pairs = zip(one.items(), other.items(), strict=True)
        return len(one) == len(other) and all(_same(left, right) for left, right in pairs)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


@given(_values)
def test_loads_of_a_dumped_value_is_the_value(value: Any) -> None:
    text = dumps(value)
    assert text.isascii()
    assert _same(loads(text), value)


@given(_values)
def test_dumps_is_json_without_extensions(value: Any) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads(dumps(value), parse_constant=refuse)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, 2.5, None, True, "x"]}, '{"a":[1,2.5,null,true,"x"]}'),
        ((1, (2,)), '{"$t":[1,{"$t":[2]}]}'),
        (b"\x00\xff", '{"$b":"AP8="}'),
        (math.inf, '{"$f":"inf"}'),
        ({1: "x"}, '{"$d":[[1,"x"]]}'),
        ({"$t": []}, '{"$d":[["$t",[]]]}'),
        ({}, "{}"),
    ],
)
def test_dumps_of_each_tag_is_the_text(value: Any, text: str) -> None:
    assert dumps(value) == text


def test_nan_comes_back_as_nan() -> None:
    assert math.isnan(loads(dumps(math.nan)))
    assert loads(dumps([-math.inf])) == [-math.inf]


def test_text_that_is_no_unicode_comes_back() -> None:
    assert loads(dumps("\udc80")) == "\udc80"


class _Colour(enum.IntEnum):
    RED = 1


class _Name(str):
    __slots__ = ()


class _Pair(NamedTuple):
    left: int
    right: int


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (_Colour.RED, 1),
        (_Name("x"), "x"),
        (_Pair(1, 2), (1, 2)),
        (OrderedDict(a=1), {"a": 1}),
        (bytearray(b"x"), b"x"),
        ({_Name("x"): 1}, {"x": 1}),
    ],
)
def test_subclasses_become_what_they_are_at_heart(value: Any, expected: Any) -> None:
    assert _same(loads(dumps(value)), expected)


class _Unknown:
    def __repr__(self) -> str:
        return "<unknown>"


class _Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


def test_anything_else_becomes_its_repr() -> None:
    assert dumps([_Unknown()]) == '[{"$r":"<unknown>"}]'
    assert loads('{"$r":"<unknown>"}') == "<unknown>"
    assert "Broken object at" in loads(dumps(_Broken()))


def test_a_long_repr_is_cut() -> None:
    assert len(loads(dumps({str(number) for number in range(9999)}))) == 1000


def test_anything_else_is_logged_once_for_its_type(caplog: pytest.LogCaptureFixture) -> None:
    class Fresh:
        pass

    dumps([Fresh(), Fresh()])
    dumps(Fresh())
    (record,) = caplog.records
    assert "Fresh" in record.getMessage()


def test_an_integer_python_cannot_print_becomes_hex() -> None:
    assert loads(dumps(1 << 20_000)).startswith("0x1000")
    assert loads(dumps(1 << 13_000)) == 1 << 13_000


def test_a_value_inside_itself_ends_in_a_repr() -> None:
    endless: list[Any] = []
    endless.append(endless)
    inner = loads(dumps(endless))
    while isinstance(inner, list):
        (inner,) = inner
    assert inner == "[[...]]"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "NaN",
        "Infinity",
        "[" * 100_000,
        '{"$x":1}',
        '{"$":1}',
        '{"$nd":["<f4",[],"AAAAAA=="]}',  # known only with numpy
        '{"$b":1}',
        '{"$b":"%"}',
        '{"$b":"A"}',
        '{"$t":1}',
        '{"$f":"1"}',
        '{"$f":{}}',
        '{"$d":{}}',
        '{"$d":[1]}',
        '{"$d":[[1]]}',
        '{"$d":[[[],1]]}',
        '{"$r":1}',
    ],
)
def test_loads_of_what_is_no_tagged_json_raises(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        loads(text)


def test_loads_of_an_object_with_a_tag_among_other_keys_takes_them_as_they_are() -> None:
    assert loads('{"$t":[1],"b":2}') == {"$t": [1], "b": 2}


def test_hooks_carry_values_of_others() -> None:
    def tag_complex(value: Any, tag: Any) -> Any:
        return (
            {"$c": tag((value.real, value.imag))} if isinstance(value, complex) else NotImplemented
        )

    text = dumps({"z": [1 + 2j], 3: ()}, tag_complex)
    assert loads(text, {"$c": lambda content, read: complex(*read(content))}) == {
        "z": [1 + 2j],
        3: (),
    }


def test_tag_and_untag_are_dumps_and_loads_without_the_text() -> None:
    assert tagged_json.untag(tagged_json.tag({"a": (b"x",)})) == {"a": (b"x",)}


def test_module_is_light() -> None:
    code = (
        "import sys, netsecgame.utils.tagged_json; "
        "assert not {'numpy', 'gymnasium', 'google.protobuf'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
