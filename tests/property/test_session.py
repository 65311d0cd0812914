"""A server session gives every message its reply, in order, whatever the chunks."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from netsecgame.errors import BadRequestError
from netsecgame.game_components import GameStatus
from netsecgame.protocol import (
    ClientSession,
    Limits,
    ServerSession,
    SessionState,
    bad_request,
    decode_request,
    encode_reply,
)

PEER = ("127.0.0.1", 40123)
LIMITS = Limits(max_message_bytes=60, max_depth=3, max_backlog_bytes=60)

pieces = st.sampled_from(
    [
        b'{"action_type":"QuitGame"}',
        b'{"action_type":"QuitGame","parameters":{}}',
        b'{"action_type":"Quit"}',
        b"{}",
        b"[1,2]",
        b'"text"',
        b" true ",
        b"garbage",
        b"\n",
        b"{",
        b"[[[[",
        b'{"a":"' + b"x" * 60 + b'"}',
    ]
)


def answer(frame: bytes) -> bytes:
    """What a server says to a message; it carries the message, so that the order shows."""
    try:
        decode_request(frame)
    except BadRequestError as error:
        return bad_request(PEER, str(error))
    message = {"seen": frame.decode()}
    return encode_reply(PEER, GameStatus.OK, state_json=None, message=message)


def transcript_of(chunks: list[bytes], *, answers_at_once: bool) -> tuple[bytes, SessionState]:
    """All that a session sends, when messages are answered at once or with the next chunk."""
    session = ServerSession(PEER, LIMITS)
    sent = b""
    frame = None
    for chunk in [*chunks, None]:
        if chunk is None:
            session.receive_eof()
        else:
            session.receive_data(chunk)
        while True:
            if frame is not None:
                session.send_reply(answer(frame))
            frame = session.next_request()
            if frame is None or not (answers_at_once or chunk is None):
                break
        sent += b"".join(session.data_to_send())
    return sent, session.state


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(pieces, max_size=8), st.lists(st.integers(0, 300), max_size=10))
def test_server_session_any_chunking_and_pace_gives_the_same_transcript(
    parts: list[bytes], at: list[int]
) -> None:
    data = b"".join(parts)
    ends = sorted({0, len(data), *(cut for cut in at if cut < len(data))})
    whole, state = transcript_of([data], answers_at_once=True)

    assert state is SessionState.CLOSED
    for chunks in (
        [data],
        [data[start:end] for start, end in pairwise(ends)],
        [bytes([byte]) for byte in data],
    ):
        for answers_at_once in (True, False):
            transcript = transcript_of(chunks, answers_at_once=answers_at_once)
            assert transcript == (whole, SessionState.CLOSED)

    client = ClientSession()
    client.receive_data(whole)
    client.receive_eof()
    while (reply := client.next_reply()) is not None:
        assert reply.to_agent == PEER
