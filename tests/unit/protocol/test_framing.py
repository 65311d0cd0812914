from __future__ import annotations

import json

import pytest

from netsecgame.errors import MessageTooDeepError, MessageTooLargeError
from netsecgame.protocol import Garbage, Limits, MessageFramer, ReplyFramer, escape_end_marker


def frames_of(framer: MessageFramer, *chunks: bytes) -> list[bytes | Garbage]:
    frames = []
    for chunk in chunks:
        framer.feed(chunk)
        while (frame := framer.next_frame()) is not None:
            frames.append(frame)
    return frames


def bytewise(data: bytes) -> list[bytes]:
    return [bytes([byte]) for byte in data]


# --- values with an end of their own --------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        b"{}",
        b"[]",
        b'""',
        b'{"a": {"b": [1, {"c": null}]}}',
        b'{"brackets in a string": "}]{["}',
        b'{"a quote": "\\"}", "a backslash": "\\\\"}',
        b'"a \\"quoted\\" string \\\\"',
        b'{"a": "\xc3\xae"}',
        b'{"not": "UTF-8 \xff\xfe"}',
        b'{"line break\n": "in a string"}',
        b"{ any, junk: between | brackets }",
        b"{ closed by the other kind ]",
    ],
)
def test_message_framer_value_comes_out_whole_in_any_chunking(value: bytes) -> None:
    assert frames_of(MessageFramer(), value) == [value]
    assert frames_of(MessageFramer(), *bytewise(value)) == [value]
    for cut in range(1, len(value)):
        assert frames_of(MessageFramer(), value[:cut], value[cut:]) == [value]


def test_message_framer_many_values_in_one_chunk_come_out_in_order() -> None:
    framer = MessageFramer()

    assert frames_of(framer, b'{"a":1} \r\n\t{"b":2}[3]"four"{}') == [
        b'{"a":1}',
        b'{"b":2}',
        b"[3]",
        b'"four"',
        b"{}",
    ]
    assert framer.buffered_bytes == 0


def test_message_framer_chunk_with_an_end_and_a_beginning_gives_both() -> None:
    framer = MessageFramer()

    assert frames_of(framer, b'{"a":1}{"b"') == [b'{"a":1}']
    assert framer.has_partial
    assert frames_of(framer, b":2}") == [b'{"b":2}']


@pytest.mark.parametrize("space", [b"", b" ", b" \t\r\n \n"])
def test_message_framer_white_space_alone_is_nothing(space: bytes) -> None:
    framer = MessageFramer()

    assert frames_of(framer, space) == []
    assert framer.buffered_bytes == 0
    assert not framer.has_partial


@pytest.mark.parametrize("part", [b"{", b'{"a', b'{"a\\', b"[1, 2", b'"open', b"tru", b"-", b"1e"])
def test_message_framer_incomplete_value_waits(part: bytes) -> None:
    framer = MessageFramer()

    assert frames_of(framer, part) == []
    assert framer.has_partial
    assert framer.buffered_bytes == len(part)


def test_message_framer_complete_value_is_not_partial() -> None:
    framer = MessageFramer()
    frames_of(framer, b'{"a":1}')

    assert not framer.has_partial


# --- bare scalars ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scalar",
    [b"0", b"-0", b"12", b"-3.5", b"1e5", b"1E+5", b"0.25e-10", b"true", b"false", b"null"],
)
def test_message_framer_bare_scalar_is_one_frame(scalar: bytes) -> None:
    assert frames_of(MessageFramer(), scalar) == [scalar]
    assert frames_of(MessageFramer(), scalar + b" ") == [scalar]
    assert frames_of(MessageFramer(), scalar + b"{}") == [scalar, b"{}"]
    assert frames_of(MessageFramer(), scalar + b"[]") == [scalar, b"[]"]
    assert frames_of(MessageFramer(), scalar + b'""') == [scalar, b'""']


def test_message_framer_scalars_with_spaces_between_are_a_frame_each() -> None:
    assert frames_of(MessageFramer(), b"1 true\nnull") == [b"1", b"true", b"null"]


@pytest.mark.parametrize("word", [b"true", b"false", b"null"])
def test_message_framer_word_split_over_chunks_is_one_frame(word: bytes) -> None:
    assert frames_of(MessageFramer(), *bytewise(word)) == [word]


@pytest.mark.parametrize("number", [b"123", b"-1", b"0.5", b"1e5", b"1e-5"])
def test_message_framer_number_split_over_chunks_is_one_frame(number: bytes) -> None:
    frames = frames_of(MessageFramer(), *bytewise(number), b" ", b"{}")

    assert len(frames) == 2
    assert isinstance(frames[0], bytes)
    assert number.startswith(frames[0])
    assert frames[1] == b"{}"


# --- garbage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "excerpt"),
    [
        (b"hello", b"h"),
        (b"trux", b"trux"),
        (b"tr ue", b"tr"),
        (b"nul{", b"nul"),
        (b"01", b"01"),
        (b"--1", b"--"),
        (b"+1", b"+"),
        (b".5", b"."),
        (b"}", b"}"),
        (b",", b","),
        (b"NaN", b"N"),
        (b"\xef\xbb\xbf", b"\xef"),
        (b"\x00", b"\x00"),
        (b"1" * 100 + b"x", b"1" * 20),
    ],
)
def test_message_framer_other_run_is_garbage_once(run: bytes, excerpt: bytes) -> None:
    assert frames_of(MessageFramer(), run) == [Garbage(excerpt)]


def test_message_framer_garbage_lasts_until_the_next_object() -> None:
    frames = frames_of(MessageFramer(), b'GET / HTTP/1.1\r\n[1] "two" 3 true{"a":1}{"b":2}')

    assert frames == [Garbage(b"G"), b'{"a":1}', b'{"b":2}']


def test_message_framer_garbage_split_over_chunks_is_reported_once_and_at_once() -> None:
    framer = MessageFramer()

    assert frames_of(framer, b"h") == [Garbage(b"h")]
    assert frames_of(framer, *bytewise(b'ello, "world" 12 ')) == []
    assert framer.buffered_bytes == 0
    assert not framer.has_partial
    assert frames_of(framer, *bytewise(b"{}")) == [b"{}"]


@pytest.mark.parametrize("junk", [b"}", b"x", b",", b"false"])
def test_message_framer_junk_behind_a_word_is_part_of_it(junk: bytes) -> None:
    data = b"true" + junk + b" [1] {}"

    assert frames_of(MessageFramer(), data) == [b"true", b"{}"]
    assert frames_of(MessageFramer(), *bytewise(data)) == [b"true", b"{}"]


def test_message_framer_junk_behind_an_answered_number_is_part_of_it() -> None:
    framer = MessageFramer()

    assert frames_of(framer, b"12") == [b"12"]
    assert frames_of(framer, b"abc", b" true", b"{}") == [b"{}"]


# --- limits ---------------------------------------------------------------------------------------


def object_of(size: int) -> bytes:
    return b'{"a":"' + b"x" * (size - 8) + b'"}'


def test_message_framer_message_as_long_as_the_limit_passes() -> None:
    value = object_of(100)
    limits = Limits(max_message_bytes=100)

    assert frames_of(MessageFramer(limits), value) == [value]
    assert frames_of(MessageFramer(limits), *bytewise(value)) == [value]


@pytest.mark.parametrize("value", [object_of(101), b'"' + b"x" * 99 + b'"', b"[" + b"1," * 60])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_message_framer_longer_message_raises_once_and_discards(value: bytes, step: int) -> None:
    framer = MessageFramer(Limits(max_message_bytes=100))
    errors = []
    for start in range(0, len(value), step):
        framer.feed(value[start : start + step])
        try:
            assert framer.next_frame() is None
        except MessageTooLargeError as error:
            errors.append(error.limit_bytes)

    assert errors == [100]
    assert frames_of(framer, b'{"a":1}') == []
    assert framer.buffered_bytes == 0
    assert not framer.has_partial


def test_message_framer_frames_before_a_long_message_come_out_first() -> None:
    framer = MessageFramer(Limits(max_message_bytes=100))
    framer.feed(b'{"a":1}' + object_of(101))

    assert framer.next_frame() == b'{"a":1}'
    with pytest.raises(MessageTooLargeError, match="100 bytes"):
        framer.next_frame()


def test_message_framer_long_number_raises() -> None:
    framer = MessageFramer(Limits(max_message_bytes=100))
    framer.feed(b"1" * 101)

    with pytest.raises(MessageTooLargeError):
        framer.next_frame()


def test_message_framer_rest_of_an_answered_number_has_no_limit() -> None:
    framer = MessageFramer(Limits(max_message_bytes=100))

    assert frames_of(framer, b"1", b"1" * 200, b" {}") == [b"1", b"{}"]


def test_message_framer_white_space_and_garbage_do_not_count_as_message() -> None:
    framer = MessageFramer(Limits(max_message_bytes=10))

    assert frames_of(framer, b" " * 100, b"{}", b"x" * 100, b"{}") == [b"{}", Garbage(b"x"), b"{}"]


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_message_framer_message_as_deep_as_the_limit_passes(step: int) -> None:
    value = nested(32)
    chunks = [value[start : start + step] for start in range(0, len(value), step)]

    assert frames_of(MessageFramer(), *chunks) == [value]


@pytest.mark.parametrize("value", [nested(33), b"[" * 33, b"[[" + b"]" + b"[" * 32])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_message_framer_deeper_message_raises_once_and_discards(value: bytes, step: int) -> None:
    framer = MessageFramer()
    errors = []
    for start in range(0, len(value), step):
        framer.feed(value[start : start + step])
        try:
            assert framer.next_frame() is None
        except MessageTooDeepError as error:
            errors.append(error.limit_depth)

    assert errors == [32]
    assert frames_of(framer, b"{}") == []


def test_message_framer_many_brackets_side_by_side_are_not_deep() -> None:
    value = b"[" + b"[]," * 100 + b"[]]"

    assert frames_of(MessageFramer(), value) == [value]


def test_message_framer_brackets_in_strings_are_not_deep() -> None:
    value = b'{"a":"' + b"[{" * 100 + b'"}'

    assert frames_of(MessageFramer(), value) == [value]


# --- replies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 3, 5, 1000])
def test_reply_framer_any_chunking_gives_the_replies_without_markers(step: int) -> None:
    framer = ReplyFramer()
    data = b'{"a":1}EOF{"b":"E EO OF"}EOF{"c":3}EOF'
    frames = []
    for start in range(0, len(data), step):
        framer.feed(data[start : start + step])
        while (frame := framer.next_frame()) is not None:
            frames.append(frame)

    assert frames == [b'{"a":1}', b'{"b":"E EO OF"}', b'{"c":3}']


@pytest.mark.parametrize(
    ("data", "has_partial"), [(b"", False), (b"{}EOF", False), (b"{}", True), (b"{}EO", True)]
)
def test_reply_framer_reply_without_its_marker_is_partial(data: bytes, has_partial: bool) -> None:
    framer = ReplyFramer()
    framer.feed(data)

    assert framer.has_partial is has_partial


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize("tail", [b"EOF", b"x"])
def test_reply_framer_longer_reply_raises_once_and_discards(step: int, tail: bytes) -> None:
    framer = ReplyFramer(Limits(max_reply_bytes=10))
    data = b"x" * 10 + b"EOF" + b"x" * 11 + tail + b"xx"
    frames, errors = [], []
    for start in range(0, len(data), step):
        framer.feed(data[start : start + step])
        for _ in range(3):
            try:
                frames.append(framer.next_frame())
            except MessageTooLargeError as error:
                errors.append(error.limit_bytes)

    assert [frame for frame in frames if frame is not None] == [b"x" * 10]
    assert errors == [10]
    assert not framer.has_partial


def test_message_framer_chunk_changed_by_its_owner_after_feeding_is_read_as_it_was() -> None:
    framer = MessageFramer()
    chunk = bytearray(b'{"a": 1}')

    framer.feed(chunk)  # type: ignore[arg-type]
    chunk[2:3] = b"b"

    assert framer.buffered_bytes == 8
    assert framer.next_frame() == b'{"a": 1}'
    assert framer.buffered_bytes == 0


@pytest.mark.parametrize(
    "value", ["GEOFF", "EOF", "EOFEOF", "EEOFOF", "\\EOF", '"EOF"', "îOF", {"EOF": ["EOF"]}]
)
def test_escape_end_marker_any_value_keeps_its_meaning(value: object) -> None:
    for ensure_ascii in (True, False):
        escaped = escape_end_marker(json.dumps(value, ensure_ascii=ensure_ascii).encode())
        assert b"EOF" not in escaped
        assert json.loads(escaped) == value


def test_escape_end_marker_e_of_another_escape_keeps_its_meaning() -> None:
    escaped = escape_end_marker(rb'"\u00EEOF"')

    assert b"EOF" not in escaped
    assert json.loads(escaped) == "îOF"
