from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.errors import ConfigurationError
from netsecgame.game.agent_server import AgentServer, Closing
from netsecgame.game_components import Action, ActionType, GameStatus
from netsecgame.protocol.messages import encode_reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.both_loops

DEADLINE_S = 10


def make_server(**options: Any) -> AgentServer:
    return AgentServer(asyncio.Queue(), {}, options.pop("max_connections", 10), **options)


@asynccontextmanager
async def listening(agents: AgentServer) -> AsyncIterator[tuple[str, int]]:
    """The server as `asyncio.start_server` runs it: called with a reader and a writer."""
    server = await asyncio.start_server(agents, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[:2]


async def test_call_puts_messages_on_the_queue_and_writes_the_answer() -> None:
    agents = make_server()
    async with listening(agents) as address, asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b'{"a": 1} {"b"')
        peer, message = await agents.actions_queue.get()
        assert (peer, json.loads(message)) == (writer.get_extra_info("sockname"), {"a": 1})
        reply = encode_reply(peer, GameStatus.OK, state_json=None)
        await agents.answers_queues[peer].put(reply)
        assert await reader.readuntil(b"EOF") == reply + b"EOF"
        writer.write(b": 2}")
        assert json.loads((await agents.actions_queue.get())[1]) == {"b": 2}
        writer.close()
        await writer.wait_closed()
        gone, last = await agents.actions_queue.get()
        assert (gone, Action.from_json(last)) == (peer, Action(ActionType.QuitGame, {}))
        await agents.answers_queues[peer].put(Closing(reply))
        assert agents.current_connections == 0
        assert agents.answers_queues == {}


async def test_call_beyond_the_backlog_stops_reading() -> None:
    agents = make_server()
    message = b'{"x": "' + b"x" * 1_000 + b'"}'
    async with listening(agents) as address, asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection(*address)
        writer.transport.set_write_buffer_limits(high=0)
        sent = 0
        is_refused = False
        while not is_refused:
            writer.write(message)
            sent += len(message)
            try:
                await asyncio.wait_for(writer.drain(), 0.3)
            except TimeoutError:
                is_refused = True
        (connection,) = agents._connections.values()
        assert connection._session is not None
        assert connection._session._framer.buffered_bytes < 1 << 20 < sent
        writer.transport.abort()
        assert await reader.read() == b""


async def test_call_of_one_peer_too_many_is_told_why() -> None:
    agents = make_server(max_connections=1)
    async with listening(agents) as address, asyncio.timeout(DEADLINE_S):
        _, first = await asyncio.open_connection(*address)
        first.write(b"{}")
        await agents.actions_queue.get()
        reader, second = await asyncio.open_connection(*address)
        reply = json.loads((await reader.read()).removesuffix(b"EOF"))
        assert reply["status"] == "GameStatus.FORBIDDEN"
        assert "takes 1" in reply["message"]["message"]
        for writer in (first, second):
            writer.close()
            await writer.wait_closed()


@pytest.mark.parametrize("timeout_s", [0, -1, float("nan"), float("inf")])
async def test_agent_server_message_timeout_that_is_none_is_an_error(timeout_s: float) -> None:
    with pytest.raises(ConfigurationError, match="message_timeout: expected seconds"):
        make_server(message_timeout_s=timeout_s)
