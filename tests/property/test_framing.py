"""Framing gives the same whatever the chunks; nothing but the documented errors comes out of it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from netsecgame.errors import FramingError, MessageTooLargeError
from netsecgame.protocol import Garbage, Limits, MessageFramer, ReplyFramer, escape_end_marker

Outcome: TypeAlias = list[bytes | Garbage | type[FramingError]]

SMALL = Limits(max_message_bytes=30, max_depth=3, max_backlog_bytes=30)

# Pieces that framing looks at; without a digit or a minus, no bare number can come of them.
SIGNS = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b'\\"',
    b" ",
    b"\n",
    b",",
    b":",
    b"x",
    b"\xff",
    b"\x00",
]
WORDS = [b"true", b"false", b"null", b"tru", b"{}", b"[]", b'""', b'{"a":"b"}', b'{"a":["\\""]}']
NUMBERS = [b"0", b"12", b"-", b"1.", b".5", b"e", b"1e5", b"-3.25E-7", b"+", b"01", b"1" * 40]

numberless_bytes = st.lists(st.sampled_from(SIGNS + WORDS), max_size=40).map(b"".join)
any_bytes = st.one_of(
    st.lists(st.sampled_from(SIGNS + WORDS + NUMBERS), max_size=40).map(b"".join),
    st.binary(max_size=200),
)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)
json_containers = json_values.filter(lambda value: isinstance(value, list | dict | str))
cuts = st.lists(st.integers(0, 400), max_size=12)

thorough = settings(max_examples=200, deadline=None, derandomize=True)


def chunks_of(data: bytes, at: list[int]) -> list[bytes]:
    ends = sorted({0, len(data), *(cut for cut in at if cut < len(data))})
    return [data[start:end] for start, end in pairwise(ends)]


def bytewise(data: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in data]


def outcome_of(chunks: list[bytes], limits: Limits | None = None) -> Outcome:
    """Everything a framer says, in order."""
    framer = MessageFramer(limits)
    outcome: Outcome = []
    for chunk in chunks:
        framer.feed(chunk)
        try:
            while (frame := framer.next_frame()) is not None:
                outcome.append(frame)
        except FramingError as error:
            outcome.append(type(error))
        assert framer.next_frame() is None
    return outcome


@thorough
@given(numberless_bytes, cuts)
def test_message_framer_any_chunking_gives_the_same_frames_and_garbage(
    data: bytes, at: list[int]
) -> None:
    whole = outcome_of([data])

    assert outcome_of(chunks_of(data, at)) == whole
    assert outcome_of(bytewise(data)) == whole


@thorough
@given(numberless_bytes, cuts)
def test_message_framer_any_chunking_gives_the_same_broken_limit(
    data: bytes, at: list[int]
) -> None:
    whole = outcome_of([data], SMALL)

    assert outcome_of(chunks_of(data, at), SMALL) == whole
    assert outcome_of(bytewise(data), SMALL) == whole
    assert all(len(frame) <= 30 for frame in whole if isinstance(frame, bytes))


@thorough
@given(any_bytes, cuts)
def test_message_framer_any_bytes_are_answered_equally_often_in_any_chunking(
    data: bytes, at: list[int]
) -> None:
    data += (
        b" "  # ends a number; an unfinished one is answered only where a chunk made it look whole
    )
    times = len(outcome_of([data]))

    assert len(outcome_of(chunks_of(data, at))) == times
    assert len(outcome_of(bytewise(data))) == times


@thorough
@given(
    st.lists(st.tuples(json_containers, st.sampled_from([None, 2]), st.booleans()), max_size=5),
    st.lists(st.sampled_from([b"", b" ", b"\r\n", b"\t \n"]), min_size=5, max_size=5),
    cuts,
)
def test_message_framer_every_complete_value_gets_exactly_one_frame(
    values: list[tuple[object, int | None, bool]], spaces: list[bytes], at: list[int]
) -> None:
    messages = [
        json.dumps(value, indent=indent, ensure_ascii=ensure_ascii).encode("utf-8", "replace")
        for value, indent, ensure_ascii in values
    ]
    data = b"".join(space + message for space, message in zip(spaces, messages, strict=False))

    assert outcome_of(chunks_of(data, at)) == messages
    assert outcome_of(bytewise(data)) == messages


@thorough
@given(st.lists(json_values, max_size=5), cuts)
def test_message_framer_bare_scalars_too_get_exactly_one_frame_each(
    values: list[object], at: list[int]
) -> None:
    messages = [json.dumps(value).encode() for value in values]
    data = b" ".join(messages)

    assert outcome_of([data]) == messages
    in_chunks = outcome_of(chunks_of(data, at))
    assert len(in_chunks) == len(messages)
    for frame, message in zip(in_chunks, messages, strict=True):
        assert isinstance(frame, bytes)
        assert message.startswith(frame)


@thorough
@given(any_bytes)
def test_message_framer_never_keeps_more_than_one_message(data: bytes) -> None:
    framer = MessageFramer(SMALL)
    for chunk in bytewise(data):
        framer.feed(chunk)
        try:
            while framer.next_frame() is not None:
                pass
        except FramingError:
            pass
        assert framer.buffered_bytes <= SMALL.max_message_bytes


@thorough
@given(st.lists(json_values, max_size=5), cuts)
def test_reply_framer_any_chunking_gives_the_same_replies(
    values: list[object], at: list[int]
) -> None:
    replies = [escape_end_marker(json.dumps(value).encode()) for value in values]
    data = b"".join(reply + b"EOF" for reply in replies)
    for chunks in (chunks_of(data, at), bytewise(data)):
        framer = ReplyFramer()
        frames = []
        for chunk in chunks:
            framer.feed(chunk)
            while (frame := framer.next_frame()) is not None:
                frames.append(frame)
        assert frames == replies
        assert not framer.has_partial


@thorough
@given(st.lists(st.sampled_from([b"E", b"O", b"F", b"EOF", b"x" * 5]), max_size=20), cuts)
def test_reply_framer_any_chunking_gives_the_same_broken_limit(
    parts: list[bytes], at: list[int]
) -> None:
    data = b"".join(parts)
    outcomes = []
    for chunks in ([data], chunks_of(data, at), bytewise(data)):
        framer = ReplyFramer(Limits(max_reply_bytes=12))
        outcome: list[bytes | type[FramingError]] = []
        for chunk in chunks:
            framer.feed(chunk)
            try:
                while (frame := framer.next_frame()) is not None:
                    outcome.append(frame)
            except MessageTooLargeError as error:
                outcome.append(type(error))
        outcomes.append(outcome)

    assert outcomes[0] == outcomes[1] == outcomes[2]


@thorough
@given(st.text(st.sampled_from('EOF"\\/îu00')), st.booleans())
def test_escape_end_marker_any_text_loses_the_marker_and_keeps_its_meaning(
    text: str, ensure_ascii: bool
) -> None:
    escaped = escape_end_marker(json.dumps(text, ensure_ascii=ensure_ascii).encode())

    assert b"EOF" not in escaped
    assert json.loads(escaped) == text
