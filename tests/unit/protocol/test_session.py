from __future__ import annotations

import json

import pytest

from netsecgame import protocol
from netsecgame.errors import BadReplyError, FramingError, MessageTooLargeError
from netsecgame.game_components import Action, ActionType, GameStatus
from netsecgame.protocol import (
    ClientSession,
    Limits,
    ServerSession,
    SessionState,
    decode_request,
    encode_reply,
    forbidden,
)

PEER = ("127.0.0.1", 40123)
REPLY = encode_reply(PEER, GameStatus.OK, state_json=None)


@pytest.fixture
def session() -> ServerSession:
    return ServerSession(PEER)


def state_of(session: ServerSession) -> SessionState:
    """The state now; a type checker takes an attribute for what it was the last time."""
    return session.state


def texts(replies: list[bytes]) -> list[str]:
    """What each of the replies says in its message."""
    assert all(reply.endswith(b"EOF") for reply in replies)
    return [json.loads(reply[:-3])["message"]["message"] for reply in replies]


# --- OPEN -----------------------------------------------------------------------------------------


def test_server_session_at_first_is_open_and_quiet(session: ServerSession) -> None:
    assert state_of(session) is SessionState.OPEN
    assert session.next_request() is None
    assert session.data_to_send() == []
    assert not session.is_awaiting_reply
    assert not session.is_reading_paused
    assert not session.has_backlog
    assert not session.has_partial
    assert not session.eof_received


def test_server_session_message_is_handed_out_and_answered(session: ServerSession) -> None:
    session.receive_data(b'{"a":1}')

    assert session.next_request() == b'{"a":1}'
    assert session.is_awaiting_reply
    session.send_reply(REPLY)
    assert not session.is_awaiting_reply
    assert session.data_to_send() == [REPLY + b"EOF"]
    assert session.data_to_send() == []
    assert state_of(session) is SessionState.OPEN


def test_server_session_reply_in_pieces_is_sent_whole(session: ServerSession) -> None:
    session.receive_data(b"{}{}")
    for close in (False, True):
        session.next_request()
        session.send_reply([REPLY[:1], REPLY[1:]], close=close)

    assert b"".join(session.data_to_send()) == (REPLY + b"EOF") * 2
    assert state_of(session) is SessionState.CLOSED


def test_server_session_message_in_parts_is_handed_out_when_complete(
    session: ServerSession,
) -> None:
    session.receive_data(b'{"a"')
    assert session.next_request() is None
    assert session.has_partial
    assert session.has_backlog

    session.receive_data(b":1}")
    assert session.next_request() == b'{"a":1}'
    assert not session.has_partial
    assert not session.has_backlog


def test_server_session_pipelined_messages_wait_for_their_turn(session: ServerSession) -> None:
    session.receive_data(b'{"a":1}{"a":2}')

    assert session.next_request() == b'{"a":1}'
    assert session.next_request() is None
    assert session.has_backlog
    session.send_reply(REPLY)
    assert session.next_request() == b'{"a":2}'
    assert not session.has_backlog


def test_server_session_reply_without_a_message_raises(session: ServerSession) -> None:
    with pytest.raises(RuntimeError, match="waits for a reply"):
        session.send_reply(REPLY)

    session.receive_data(b"{}")
    session.next_request()
    session.send_reply(REPLY)
    with pytest.raises(RuntimeError, match="waits for a reply"):
        session.send_reply(REPLY)


def test_server_session_bare_scalar_is_a_message(session: ServerSession) -> None:
    session.receive_data(b"42")

    assert session.next_request() == b"42"


def test_server_session_backlog_beyond_the_limit_pauses_reading() -> None:
    session = ServerSession(PEER, Limits(max_message_bytes=10, max_backlog_bytes=20))
    session.receive_data(b"{}")
    session.next_request()
    session.receive_data(b'{"a":1}' * 3)
    assert session.is_reading_paused

    session.send_reply(REPLY)
    assert session.next_request() == b'{"a":1}'
    assert not session.is_reading_paused


def test_server_session_paused_writing_hands_out_nothing(session: ServerSession) -> None:
    session.pause_writing()
    session.receive_data(b"{}")
    assert session.next_request() is None
    assert session.has_backlog

    session.resume_writing()
    assert session.next_request() == b"{}"


def test_server_session_paused_writing_still_takes_the_reply(session: ServerSession) -> None:
    session.receive_data(b"{}")
    session.next_request()
    session.pause_writing()
    session.send_reply(REPLY)

    assert session.data_to_send() == [REPLY + b"EOF"]


# --- bytes that are no message --------------------------------------------------------------------


def test_server_session_garbage_is_answered_by_the_session_itself(session: ServerSession) -> None:
    session.receive_data(b'GET / HTTP/1.1\r\n\r\n{"a":1}')

    assert session.next_request() == b'{"a":1}'
    assert texts(session.data_to_send()) == [
        "Bad request received: expected a JSON object, got 'G'"
    ]
    assert state_of(session) is SessionState.OPEN


def test_server_session_garbage_is_answered_as_a_bad_request(session: ServerSession) -> None:
    session.receive_data(b"\xff\x00")
    assert session.next_request() is None

    (reply,) = session.data_to_send()
    assert json.loads(reply[:-3])["status"] == "GameStatus.BAD_REQUEST"
    assert json.loads(reply[:-3])["to_agent"] == list(PEER)


def test_server_session_garbage_behind_a_message_is_answered_after_it(
    session: ServerSession,
) -> None:
    session.receive_data(b'{"a":1} garbage {"a":2}')

    assert session.next_request() == b'{"a":1}'
    assert session.next_request() is None
    assert session.data_to_send() == []
    session.send_reply(REPLY)
    assert session.next_request() == b'{"a":2}'
    sent = session.data_to_send()
    assert sent[0] == REPLY + b"EOF"
    assert texts(sent[1:]) == ["Bad request received: expected a JSON object, got 'g'"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a":"' + b"x" * 100, "message is longer than 100 bytes"),
        (b'{"a":{"a":{"a":{"a":', "message is nested more than 3 levels deep"),
    ],
)
def test_server_session_broken_limit_is_answered_in_turn_and_ends_it(
    data: bytes, reason: str
) -> None:
    session = ServerSession(PEER, Limits(max_message_bytes=100, max_depth=3))
    session.receive_data(b"{}" + data)
    assert session.next_request() == b"{}"
    assert session.next_request() is None
    assert state_of(session) is SessionState.OPEN

    session.send_reply(REPLY)
    assert session.next_request() is None
    assert state_of(session) is SessionState.CLOSING
    sent = session.data_to_send()
    assert sent[0] == REPLY + b"EOF"
    assert texts(sent[1:]) == [f"Bad request received: {reason}"]
    assert state_of(session) is SessionState.CLOSED


# --- CLOSING and CLOSED ---------------------------------------------------------------------------


def test_server_session_last_reply_closes_once_it_is_taken(session: ServerSession) -> None:
    session.receive_data(b"{}{}")
    session.next_request()
    session.send_reply(REPLY, close=True)

    assert state_of(session) is SessionState.CLOSING
    assert session.next_request() is None
    assert not session.has_backlog
    assert session.data_to_send() == [REPLY + b"EOF"]
    assert state_of(session) is SessionState.CLOSED


@pytest.mark.parametrize("is_taken", [False, True])
def test_server_session_input_after_the_last_reply_is_discarded(
    session: ServerSession, is_taken: bool
) -> None:
    session.receive_data(b"{}")
    session.next_request()
    session.send_reply(REPLY, close=True)
    if is_taken:
        session.data_to_send()
    session.receive_data(b"{}garbage" + b"x" * 200_000)

    assert session.next_request() is None
    assert not session.has_backlog
    assert not session.is_reading_paused


def test_server_session_close_with_a_reply_sends_it_unasked(session: ServerSession) -> None:
    session.close(forbidden(PEER, "too many connections"))

    assert state_of(session) is SessionState.CLOSING
    assert texts(session.data_to_send()) == ["too many connections"]
    assert state_of(session) is SessionState.CLOSED


def test_server_session_close_drops_the_message_that_waits(session: ServerSession) -> None:
    session.receive_data(b"{}{}")
    session.next_request()
    session.close()

    assert state_of(session) is SessionState.CLOSED
    assert not session.is_awaiting_reply
    assert not session.has_backlog
    with pytest.raises(RuntimeError):
        session.send_reply(REPLY)


def test_server_session_close_twice_sends_one_last_reply(session: ServerSession) -> None:
    session.close(forbidden(PEER, "first"))
    session.close(forbidden(PEER, "second"))

    assert texts(session.data_to_send()) == ["first"]


# --- end of input ---------------------------------------------------------------------------------


def test_server_session_end_of_input_when_idle_closes(session: ServerSession) -> None:
    session.receive_eof()

    assert session.eof_received
    assert session.next_request() is None
    assert state_of(session) is SessionState.CLOSED


def test_server_session_end_of_input_lets_complete_messages_be_answered(
    session: ServerSession,
) -> None:
    session.receive_data(b'{"a":1}{"a":2}{"a"')
    session.receive_eof()

    assert session.next_request() == b'{"a":1}'
    session.send_reply(REPLY)
    assert session.next_request() == b'{"a":2}'
    assert session.next_request() is None
    assert state_of(session) is SessionState.OPEN
    session.send_reply(REPLY)
    assert session.next_request() is None
    assert state_of(session) is SessionState.CLOSING
    assert session.data_to_send() == [REPLY + b"EOF"] * 2
    assert state_of(session) is SessionState.CLOSED


# --- the client's half ----------------------------------------------------------------------------


def test_client_session_message_is_what_the_server_reads() -> None:
    client, server = ClientSession(), ServerSession(PEER)
    action = Action(ActionType.QuitGame)
    server.receive_data(client.send(action))
    frame = server.next_request()
    assert frame is not None
    assert decode_request(frame) == action

    server.send_reply(REPLY, close=True)
    client.receive_data(b"".join(server.data_to_send()))
    reply = client.next_reply()
    assert reply is not None
    assert (reply.to_agent, reply.status) == (PEER, GameStatus.OK)
    assert client.next_reply() is None
    client.receive_eof()


def test_client_session_bad_reply_raises_and_the_next_one_comes() -> None:
    client = ClientSession()
    client.receive_data(b"{}EOF" + REPLY + b"EOF")

    with pytest.raises(BadReplyError):
        client.next_reply()
    reply = client.next_reply()
    assert reply is not None
    assert reply.status is GameStatus.OK


def test_client_session_reply_beyond_the_limit_raises() -> None:
    client = ClientSession(Limits(max_reply_bytes=10))
    client.receive_data(b"x" * 20)

    with pytest.raises(MessageTooLargeError):
        client.next_reply()


@pytest.mark.parametrize("data", [REPLY, REPLY + b"EO", REPLY + b"EOF{"])
def test_client_session_end_of_input_within_a_reply_raises(data: bytes) -> None:
    client = ClientSession()
    client.receive_data(data)

    with pytest.raises(FramingError, match="middle of a reply"):
        client.receive_eof()


def test_client_session_end_of_input_between_replies_keeps_the_last_one() -> None:
    client = ClientSession()
    client.receive_data(REPLY + b"EOF")
    client.receive_eof()

    assert client.next_reply() is not None


# --- exports --------------------------------------------------------------------------------------


def test_protocol_exports_are_there_and_sorted() -> None:
    assert protocol.__all__ == sorted(protocol.__all__)
    assert all(hasattr(protocol, name) for name in protocol.__all__)
