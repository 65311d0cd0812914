"""Following a bare JSON scalar (a number, true, false, null) byte by byte."""

from __future__ import annotations

from typing import Final

#: No further bytes can make a scalar of the run.
NO_SCALAR: Final = "no scalar"

#: What ends a run of bytes without being part of it: white space, or the start of another value.
RUN_ENDS = frozenset(b' \t\n\r{["')

_DIGITS, _NONZERO = b"0123456789", b"123456789"
# The grammar of numbers. A state is named by the shortest text that leads to it.
_NUMBER: dict[str, dict[bytes, str]] = {
    "": {b"-": "-", b"0": "0", _NONZERO: "1"},
    "-": {b"0": "0", _NONZERO: "1"},
    "0": {b".": "1.", b"eE": "1e"},
    "1": {_DIGITS: "1", b".": "1.", b"eE": "1e"},
    "1.": {_DIGITS: "1.1"},
    "1.1": {_DIGITS: "1.1", b"eE": "1e"},
    "1e": {b"+-": "1e-", _DIGITS: "1e1"},
    "1e-": {_DIGITS: "1e1"},
    "1e1": {_DIGITS: "1e1"},
}
_WORDS = frozenset({"true", "false", "null"})
_STEPS: dict[tuple[str, int], str] = {
    (state, byte): after
    for state, steps in _NUMBER.items()
    for followers, after in steps.items()
    for byte in followers
} | {
    (word[:length], ord(word[length])): word[: length + 1]
    for word in _WORDS
    for length in range(len(word))
}

#: States in which the run is a complete scalar (a number may still grow).
WHOLE_SCALARS = frozenset({"0", "1", "1.1", "1e1", *_WORDS})


def follow_run(data: bytes | bytearray, start: int, state: str) -> tuple[str, int]:
    """Follow a run of bytes from `start` on.

    Args:
        data: The bytes.
        start: Where to go on.
        state: The state before that byte; "" at the start of the run.

    Returns:
        The state and the position reached: the end of `data`, a byte that ends the run, or the
        place behind a byte that completes a word or leads to `NO_SCALAR`.
    """
    for position in range(start, len(data)):
        byte = data[position]
        if byte in RUN_ENDS:
            return state, position
        state = _STEPS.get((state, byte), NO_SCALAR)
        if state is NO_SCALAR or state in _WORDS:
            return state, position + 1
    return state, len(data)
