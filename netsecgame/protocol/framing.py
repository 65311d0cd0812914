"""Cutting a stream of bytes into messages, whatever the chunks it arrives in.

Clients end their messages with nothing, so a server has to find where a JSON value ends; servers
end their replies with the three bytes `EOF`. Both framers look at each byte a bounded number of
times, also when the bytes come one by one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache

import msgspec

from netsecgame.errors import MessageTooDeepError, MessageTooLargeError
from netsecgame.game_components import ProtocolConfig
from netsecgame.protocol.limits import Limits
from netsecgame.protocol.scalars import NO_SCALAR, RUN_ENDS, WHOLE_SCALARS, follow_run

_END_MARKER = ProtocolConfig.END_OF_MESSAGE

_WHITE_SPACE = re.compile(rb"[ \t\n\r]*")
_STRING_BODY = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_TOKEN = re.compile(rb'([{\[])|([}\]])|"[^"\\]*(?:\\.[^"\\]*)*(")?', re.DOTALL)
_OPENER, _CLOSER, _WHOLE_STRING = 1, 2, 3  # the groups of _TOKEN; none: a string still open
_END_OF_REPLY = re.compile(_END_MARKER)  # finds it twice as fast as bytes.find does

_EXCERPT_BYTES = 20

#: Chunks that are remembered at once, and the longest of them: some 2 MiB at most.
_MAX_KEPT_CHUNKS = 4_096
_MAX_KEPT_LENGTH = 512

_skip_value = msgspec.json.Decoder(msgspec.Raw).decode


def _count_brackets(chunk: bytes) -> int:
    """How many brackets are opened in a chunk that is one valid JSON object; 0 if it is not."""
    if not chunk.startswith(b"{") or not chunk.endswith(b"}"):
        return 0
    try:
        _skip_value(chunk)
    except (msgspec.MsgspecError, RecursionError):
        return 0
    return chunk.count(b"{") + chunk.count(b"[")


#: Agents send the same again and again.
_count_often = lru_cache(_MAX_KEPT_CHUNKS)(_count_brackets)


@dataclass(frozen=True, slots=True)
class Garbage:
    """A stretch of bytes that is no JSON value; it lasts until the next ``{``.

    Attributes:
        excerpt: How it begins: up to the byte that fits no JSON value, at most 20 bytes.
    """

    excerpt: bytes


class _Place(Enum):
    """Where the next byte to be looked at stands."""

    BETWEEN = auto()  # between two values
    VALUE = auto()  # inside a value with an end of its own: an object, array or string
    RUN = auto()  # inside a run of other bytes: a bare scalar, as far as is known
    GARBAGE = auto()  # behind a run that is no value
    DEAD = auto()  # behind a broken limit


class MessageFramer:
    """Cuts what a client sends into complete JSON values.

    White space between values is skipped. Where a value ends:

    - an object or array where its brackets balance; any closing bracket closes one level, for
      whether the value is valid JSON is the reader's question;
    - a string at its closing quote;
    - a word (true, false, null) at its last letter;
    - a number has no end of its own: it is a frame as soon as all of it that has been received is a
      complete number.

    What follows a word or a number without a space between belongs to the same run of bytes. A run
    that cannot become a scalar is garbage, and so is everything after it up to the next ``{``. One
    run gives one frame or one `Garbage`, never both.

    The framer keeps no more than was fed and not yet cut; who calls `next_frame` until it gives
    None bounds that to one message.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self._max_bytes = limits.max_message_bytes
        self._max_depth = limits.max_depth
        self._buffer = bytearray()  # begins with the value in hand
        self._chunk = b""  # what follows the buffer; if that is empty, often just one message
        self._place = _Place.BETWEEN
        self._scanned = 0  # bytes of the buffer that have been looked at
        self._depth = 0
        self._in_string = False
        self._run_state = ""
        self._run_is_answered = False

    @property
    def has_partial(self) -> bool:
        """Whether a message has begun whose end the last `next_frame` did not see."""
        if self._place is _Place.RUN:
            return not self._run_is_answered
        return self._place is _Place.VALUE

    @property
    def buffered_bytes(self) -> int:
        """How many bytes were fed and are neither cut into frames nor discarded."""
        return len(self._buffer) + len(self._chunk)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if self._place is _Place.DEAD:
            return
        if self._buffer or self._chunk:
            self._buffer += self._chunk
            self._buffer += data
            self._chunk = b""
        else:
            self._chunk = bytes(data)

    def next_frame(self) -> bytes | Garbage | None:
        """The next JSON value or stretch of garbage, or None when more bytes are needed.

        Raises:
            MessageTooLargeError: If the value is longer than the limit; also while incomplete.
            MessageTooDeepError: If the value nests deeper than the limit. After either the framer
                discards everything and gives None.
        """
        chunk = self._chunk
        if chunk:
            self._chunk = b""
            if self._is_one_object(chunk):
                self._place = _Place.BETWEEN
                return chunk
            self._buffer += chunk
        while self._buffer:
            if self._place is _Place.GARBAGE and not self._skip_garbage():
                return None
            if self._place is _Place.BETWEEN and not self._begin_value():
                return None
            if self._place is _Place.VALUE:
                return self._read_value()
            found = self._read_run()
            if found is not None or self._place is _Place.RUN:
                return found
        return None

    def _is_one_object(self, chunk: bytes) -> bool:
        """Whether a chunk is exactly one valid JSON object: the usual case, and cheap to see."""
        length = len(chunk)
        if length > self._max_bytes:
            return False
        count = _count_often if length <= _MAX_KEPT_LENGTH else _count_brackets
        # Their number bounds the depth from above.
        return 0 < count(chunk) <= self._max_depth

    def _skip_garbage(self) -> bool:
        """Discard up to the next ``{``; False when there is none yet."""
        start = self._buffer.find(b"{")
        if start < 0:
            self._buffer.clear()
            return False
        del self._buffer[:start]
        self._place = _Place.BETWEEN
        return True

    def _begin_value(self) -> bool:
        """Go to the first byte of the next value; False when there is none yet."""
        space = _WHITE_SPACE.match(self._buffer)
        if space is not None:
            del self._buffer[: space.end()]
        if not self._buffer:
            return False
        if self._buffer.startswith((b"{", b"[", b'"')):
            self._place = _Place.VALUE
            self._in_string = self._buffer.startswith(b'"')
            self._depth = 0 if self._in_string else 1
            self._scanned = 1
        else:
            self._place = _Place.RUN
            self._run_state = ""
            self._run_is_answered = False
            self._scanned = 0
        return True

    def _read_value(self) -> bytes | None:
        limit = min(len(self._buffer), self._max_bytes)
        end = self._find_end_of_value(limit)
        if end is not None:
            return self._cut(end)
        if self._depth > self._max_depth:
            self._die()
            raise MessageTooDeepError(self._max_depth)
        if limit == self._max_bytes:
            self._die()
            raise MessageTooLargeError(self._max_bytes)
        return None

    def _find_end_of_value(self, limit: int) -> int | None:
        """Scan on to `limit`; stops at the value's end, and where it is too deep."""
        if self._in_string and not self._leave_string(limit):
            return None
        if self._depth == 0:
            return self._scanned
        # The iterator pins the buffer: it must be gone before the buffer's size is changed.
        for token in _TOKEN.finditer(self._buffer, self._scanned, limit):
            kind = token.lastindex
            if kind == _OPENER:
                self._depth += 1
                if self._depth > self._max_depth:
                    return None
            elif kind == _CLOSER:
                self._depth -= 1
                if self._depth == 0:
                    return token.end()
            elif kind != _WHOLE_STRING:
                self._in_string = True
                self._scanned = token.end()
                return None
        self._scanned = limit
        return None

    def _leave_string(self, limit: int) -> bool:
        """Scan on to behind the string's closing quote; False when it lies beyond `limit`."""
        body = _STRING_BODY.match(self._buffer, self._scanned, limit)
        if body is not None:
            self._scanned = body.end()  # before a last backslash that still lacks its partner
        if self._scanned == limit or self._buffer[self._scanned] != ord('"'):
            return False
        self._in_string = False
        self._scanned += 1
        return True

    def _read_run(self) -> bytes | Garbage | None:
        """Follow the run as far as it goes; None when there is nothing (more) to say of it."""
        state, end = follow_run(self._buffer, self._scanned, self._run_state)
        has_ended = end < len(self._buffer) and self._buffer[end] in RUN_ENDS
        found: bytes | Garbage | None = None
        if state is NO_SCALAR or (has_ended and state not in WHOLE_SCALARS):
            found = Garbage(bytes(self._buffer[: min(end, _EXCERPT_BYTES)]))
            self._place = _Place.GARBAGE
        elif end > self._max_bytes and not self._run_is_answered:
            self._die()
            raise MessageTooLargeError(self._max_bytes)
        elif state in WHOLE_SCALARS:
            found = bytes(self._buffer[:end])
            self._place = _Place.BETWEEN if has_ended else _Place.RUN
        elif not self._run_is_answered:
            self._run_state, self._scanned = state, end
            return None
        del self._buffer[:end]
        self._run_state, self._scanned = state, 0
        if self._run_is_answered:
            return None
        self._run_is_answered = True
        return found

    def _cut(self, end: int) -> bytes:
        frame = bytes(self._buffer[:end])
        del self._buffer[:end]
        self._place = _Place.BETWEEN
        return frame

    def _die(self) -> None:
        self._buffer = bytearray()
        self._chunk = b""
        self._place = _Place.DEAD


class ReplyFramer:
    """Cuts what a server sends into replies, without their `EOF` markers."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._max_bytes = (limits or Limits()).max_reply_bytes
        self._buffer = bytearray()  # begins with the reply in hand
        self._scanned = 0  # no marker begins before this position
        self._is_dead = False

    @property
    def has_partial(self) -> bool:
        """Whether a reply has begun whose marker has not been fed."""
        return bool(self._buffer) and not self._buffer.endswith(_END_MARKER)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        if not self._is_dead:
            self._buffer += data

    def next_frame(self) -> bytes | None:
        """The next reply, or None when more bytes are needed.

        Raises:
            MessageTooLargeError: If the reply is longer than the limit; also while incomplete.
                After that the framer discards everything and gives None.
        """
        marker = _END_OF_REPLY.search(self._buffer, self._scanned)
        end = -1 if marker is None else marker.start()
        if (end if end >= 0 else len(self._buffer) - len(_END_MARKER) + 1) > self._max_bytes:
            self._buffer = bytearray()
            self._is_dead = True
            raise MessageTooLargeError(self._max_bytes)
        if end < 0:
            self._scanned = max(0, len(self._buffer) - len(_END_MARKER) + 1)
            return None
        frame = bytes(self._buffer[:end])
        del self._buffer[: end + len(_END_MARKER)]
        self._scanned = 0
        return frame
