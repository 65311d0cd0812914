"""The wire, without input and output: limits, framing, messages, and one connection's session."""

from netsecgame.game_components import escape_end_marker
from netsecgame.protocol.framing import Garbage, MessageFramer, ReplyFramer
from netsecgame.protocol.limits import Limits
from netsecgame.protocol.messages import (
    Reply,
    bad_request,
    decode_reply,
    decode_request,
    encode_reply,
    encode_request,
    encode_step_reply,
    forbidden,
)
from netsecgame.protocol.session import ClientSession, ServerSession, SessionState

__all__ = [
    "ClientSession",
    "Garbage",
    "Limits",
    "MessageFramer",
    "Reply",
    "ReplyFramer",
    "ServerSession",
    "SessionState",
    "bad_request",
    "decode_reply",
    "decode_request",
    "encode_reply",
    "encode_request",
    "encode_step_reply",
    "escape_end_marker",
    "forbidden",
]
