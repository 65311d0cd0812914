from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from netsecgame.game_components import GameStatus
from netsecgame.protocol.long_reply import PIECE_BYTES, LongReply
from netsecgame.protocol.messages import encode_reply

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PEER = ("127.0.0.1", 4000)


def make_reply(parts: Iterable[bytes]) -> LongReply:
    reply = encode_reply(PEER, GameStatus.OK, state_json=b"{}", message={"message": "done"})
    return LongReply(reply, "last", parts)


def test_long_reply_is_the_reply_with_one_more_entry_in_its_message() -> None:
    value = b'{"a":["EOF","b"],"O":"F"}'

    whole = bytes(make_reply([b'{"a":["EOF"', b',"b"', b'],"O":"F"}']))

    message = {"message": "done", "last": msgspec.Raw(value)}
    assert whole == encode_reply(PEER, GameStatus.OK, state_json=b"{}", message=message)
    assert json.loads(whole)["message"]["last"] == json.loads(value)


def test_long_reply_joins_short_parts_and_cuts_no_long_ones() -> None:
    short, long = b'"%s",' % (b"x" * 1_000), b'"%s",' % (b"y" * PIECE_BYTES)
    parts = [b"[", *[short] * 500, *[long] * 3, b"0]"]

    pieces = list(make_reply(parts))

    assert b"".join(pieces) == bytes(make_reply(parts))
    for piece in pieces[:-1]:
        assert PIECE_BYTES <= len(piece) < PIECE_BYTES + len(long)
    assert len(pieces) == 3 + 3 + 1


def test_long_reply_has_no_marker_in_any_piece() -> None:
    named = b'"%sGEOFF",' % (b"x" * PIECE_BYTES)
    other = b'"EOF",'

    pieces = list(make_reply([b"[", named, named, other, named, other, b"0]"]))

    assert all(b"EOF" not in piece for piece in pieces)
    said = json.loads(b"".join(pieces))["message"]["last"]
    assert [text[-5:] for text in said[:-1]] == ["GEOFF", "GEOFF", "EOF", "GEOFF", "EOF"]


def test_long_reply_asks_for_parts_when_a_piece_is_asked_for() -> None:
    asked = []

    def parts() -> Iterator[bytes]:
        for number in range(5):
            asked.append(number)
            yield b'%s"%s"' % (b"," if number else b"[", b"x" * PIECE_BYTES)
        yield b"]"

    pieces = iter(make_reply(parts()))
    assert asked == []
    next(pieces)
    assert asked == [0]
    next(pieces)
    assert asked == [0, 1]
    assert json.loads(bytes(make_reply(parts())))["message"]["last"] == ["x" * PIECE_BYTES] * 5
