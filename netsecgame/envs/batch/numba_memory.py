"""Tuples with names, laid out in memory for machine code.

Numba passes a tuple of arrays by value: a hundred words and more in every call, and every function
is compiled with all of them. Of a `Block` it passes only where it lies, and loads what is used.
That saves a third of the time to compile, and two thirds of what a call from Python costs, since
nothing is taken apart there.
"""

# mypy: disable-error-code="no-untyped-call, untyped-decorator, override, misc"
# Numba says little about its types.

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import typeof, types
from numba.core import cgutils
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    NativeValue,
    infer_getattr,
    lower_getattr_generic,
    models,
    register_model,
    unbox,
)
from numba.np.arrayobj import populate_array

from netsecgame.core import logs, rng

if TYPE_CHECKING:
    from typing import NamedTuple


def _stamp_sources() -> str:
    """What changes with the code of this folder and the numbers that it takes from elsewhere."""
    files = [*sorted(Path(__file__).parent.glob("*.py")), Path(logs.__file__), Path(rng.__file__)]
    return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


_SOURCES = _stamp_sources()


class Block:
    """A tuple with names in memory.

    Its members are ints, floats, bools, arrays in C order, and such tuples again. A number takes a
    word, an array one for the address of its data and one for each length, a tuple those of its
    members.
    """

    def __init__(self, value: NamedTuple) -> None:
        self._value = value  # keeps the arrays
        self._words = np.array(_words_of(value), np.int64)
        self.address = self._words.ctypes.data
        self._numba_type_ = _type_of(value)


class BlockType(types.Type):
    """What numba knows of a block: names and types of its members."""

    def __init__(self, name: str, members: dict[str, types.Type]) -> None:
        self.members = members
        self._sources = _SOURCES  # a type that was kept brings along those that it was made from
        super().__init__(f"block({name})")

    @property
    def key(self) -> object:
        """What makes the type another one.

        The sources are a part of it, because numba keeps machine code for the next process by the
        types of the arguments, but throws it away only when the file of the function itself has
        changed, not those of what it calls.
        """
        return self.name, self._sources, tuple(self.members.items())

    def first_word(self, name: str) -> int:
        """Where a member begins."""
        names = list(self.members)
        before = names[: names.index(name)]
        return sum(_width(self.members[other]) for other in before)


def _words_of(value: Any) -> list[int]:
    if isinstance(value, tuple):
        return [word for member in value for word in _words_of(member)]
    if isinstance(value, np.ndarray):
        return [value.ctypes.data, *value.shape]
    if isinstance(value, float):
        return [int(np.float64(value).view(np.int64))]
    return [int(value)]


def _type_of(value: Any) -> types.Type:
    kind: types.Type = typeof(value)
    if isinstance(kind, types.NamedTuple):
        members = dict(zip(kind.fields, map(_type_of, value), strict=True))
        return BlockType(type(value).__name__, members)
    if isinstance(kind, types.Array) and kind.layout != "C":
        raise TypeError(f"expected an array in C order, got {kind}")
    return kind


def _width(kind: types.Type) -> int:
    if isinstance(kind, BlockType):
        return sum(_width(member) for member in kind.members.values())
    return 1 + kind.ndim if isinstance(kind, types.Array) else 1


@register_model(BlockType)
class _BlockModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: BlockType) -> None:
        super().__init__(manager, kind, manager[types.int64].get_value_type().as_pointer())


@unbox(BlockType)
def _unbox(kind: BlockType, block: Any, c: Any) -> Any:
    number = c.pyapi.object_getattr_string(block, "address")
    address = c.pyapi.long_as_voidptr(number)
    c.pyapi.decref(number)
    address = c.builder.bitcast(address, c.context.get_value_type(kind))
    return NativeValue(address, is_error=c.pyapi.c_api_error())


@infer_getattr
class _BlockMembers(AttributeTemplate):
    key = BlockType

    def generic_resolve(self, kind: BlockType, name: str) -> types.Type | None:
        return kind.members.get(name)


@lower_getattr_generic(BlockType)
def _load_member(context: Any, builder: Any, kind: BlockType, block: Any, name: str) -> Any:
    member = kind.members[name]
    first = kind.first_word(name)

    def find(word: int) -> Any:
        return builder.gep(block, [context.get_constant(types.intp, first + word)], inbounds=True)

    def load(address: Any) -> Any:
        value = builder.load(address)
        # Nothing compiled writes into a block: what was loaded once need not be loaded again.
        value.set_metadata("invariant.load", builder.module.add_metadata([]))
        return value

    if isinstance(member, BlockType):
        return find(0)
    if isinstance(member, types.Array):
        item = context.get_data_type(member.dtype)
        data = load(builder.bitcast(find(0), item.as_pointer().as_pointer()))
        shape = [load(find(1 + axis)) for axis in range(member.ndim)]
        step = context.get_constant(types.intp, context.get_abi_sizeof(item))
        strides = [step]
        for length in reversed(shape[1:]):
            strides.insert(0, builder.mul(strides[0], length))
        array = context.make_array(member)(context, builder)
        populate_array(array, data, shape=shape, strides=strides, itemsize=step, meminfo=None)
        return array._getvalue()
    if member is types.float64:
        return load(builder.bitcast(find(0), context.get_data_type(member).as_pointer()))
    word = load(find(0))
    return cgutils.as_bool_bit(builder, word) if member is types.boolean else word
