"""Replies too long to be made and written in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.game_components import escape_end_marker

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Parts are joined until they are that long: some 200 us to make and to write. A larger one would
#: make others wait longer, a smaller one costs more turns of the event loop.
PIECE_BYTES = 128 * 1024


class LongReply:
    """A reply whose message ends with a part that is made while the reply is sent.

    Iterate once to get the reply in pieces, without the `EOF` marker and without those letters in
    it; or take `bytes` of it, which makes the whole.
    """

    def __init__(self, reply_json: bytes, key: str, parts: Iterable[bytes]) -> None:
        """Put a last entry into the message of a reply.

        Args:
            reply_json: As `encode_reply` gives it, with a message that is not empty.
            key: The name of the entry.
            parts: Its JSON. No part ends inside a string, so none has only a piece of a marker.
        """
        self._before = b'%s,"%s":' % (reply_json[: -len(_ENDS)], key.encode())
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        group = [self._before]
        size = len(self._before)
        part = safe = b""
        for next_part in self._parts:
            if next_part is not part:  # the search takes longer than sending the part
                part, safe = next_part, escape_end_marker(next_part)
            group.append(safe)
            size += len(safe)
            if size >= PIECE_BYTES:
                yield b"".join(group)
                group = []
                size = 0
        group.append(_ENDS)
        yield b"".join(group)

    def __bytes__(self) -> bytes:
        return b"".join(self)


#: How a reply ends that has a message: the message's bracket and its own.
_ENDS = b"}}"
