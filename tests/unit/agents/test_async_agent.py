from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from netsecgame.agents.async_agent import AsyncAgent
from netsecgame.errors import BadReplyError
from netsecgame.game_components import (
    Action,
    ActionType,
    AgentRole,
    GameState,
    GameStatus,
    Observation,
)

NewPeer = Callable[..., Any]
NewReply = Callable[..., bytes]

FIND = Action(ActionType.FindData)


class Explorer(AsyncAgent):
    pass


async def test_agent_plays_an_episode_and_resets(
    new_peer: NewPeer, reply: NewReply, start: GameState
) -> None:
    welcome, reset = {"message": "Welcome"}, {"message": "Reset"}
    peer = new_peer(
        reply(GameStatus.CREATED, message=welcome),
        [bytes([byte]) for byte in reply(GameStatus.OK, reward=-1)],
        reply(GameStatus.FORBIDDEN, reward=9, end=True, info={"end_reason": "x"}),
        reply(GameStatus.BAD_REQUEST, None),
        reply(GameStatus.RESET_DONE, message=reset),
    )
    async with Explorer("127.0.0.1", peer.port, "attacker") as agent:
        assert agent.connected
        assert agent.role is AgentRole.Attacker
        assert agent.logger.name == "Explorer"
        assert await agent.register() == Observation(start, 0, False, welcome)
        assert await agent.make_step(FIND) == Observation(start, -1, False, {})
        assert await agent.make_step(FIND) == Observation(start, 9, True, {"end_reason": "x"})
        assert await agent.make_step(FIND) is None
        again = await agent.request_game_reset(randomize_topology=True, seed=3)
        assert again == Observation(start, 0, False, reset)
    assert not agent.connected
    assert await asyncio.to_thread(peer.disconnected.wait, 10)
    assert peer.requests[0]["parameters"]["agent_info"] == {"name": "Explorer", "role": "Attacker"}
    assert peer.requests[1] == FIND.as_dict
    assert peer.requests[4]["parameters"] == {
        "request_trajectory": False,
        "randomize_topology": True,
        "seed": 3,
    }


async def test_agent_calls_of_several_tasks_take_their_turns(
    new_peer: NewPeer, reply: NewReply
) -> None:
    peer = new_peer(*(reply(GameStatus.OK, reward=n) for n in range(10)))
    async with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        observations = await asyncio.gather(*(agent.make_step(FIND) for _ in range(10)))
    assert [observation.reward for observation in observations if observation] == list(range(10))


async def test_connect_without_a_server_raises(unused_tcp_port: int) -> None:
    agent = Explorer("127.0.0.1", unused_tcp_port, "Attacker")
    with pytest.raises(ConnectionError, match=f"127.0.0.1:{unused_tcp_port}"):
        await agent.connect()
    with pytest.raises(ConnectionError, match=rf"127.0.0.1:{unused_tcp_port}.*connect\(\)"):
        await agent.register()
    with pytest.raises(ConnectionError, match=r"127.0.0.1:99999"):
        await Explorer("127.0.0.1", 99_999, "Attacker").connect()
    await agent.terminate_connection()


async def test_connect_twice_keeps_the_connection(new_peer: NewPeer, reply: NewReply) -> None:
    peer = new_peer(reply(GameStatus.CREATED))
    async with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        await agent.connect()
        assert await agent.register() is not None


async def test_agent_server_closes_in_mid_call_raises(new_peer: NewPeer) -> None:
    peer = new_peer(None)
    async with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        with pytest.raises(ConnectionError, match=f"127.0.0.1:{peer.port}.*FindData.*closed"):
            await agent.make_step(FIND)
        assert not agent.connected
        with pytest.raises(ConnectionError, match="lost before"):
            await agent.make_step(FIND)


async def test_agent_cancelled_call_closes_the_connection(new_peer: NewPeer) -> None:
    peer = new_peer()
    async with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        call = asyncio.create_task(agent.make_step(FIND))
        assert await asyncio.to_thread(peer.asked.wait, 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        with pytest.raises(ConnectionError, match="earlier call"):
            await agent.make_step(FIND)


async def test_agent_connects_again_after_a_loss(new_peer: NewPeer, reply: NewReply) -> None:
    peer = new_peer(None, reply(GameStatus.CREATED))
    async with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        with pytest.raises(ConnectionError):
            await agent.register()
        await agent.connect()
        assert await agent.register() is not None


async def test_agent_reply_it_cannot_read_raises_and_the_next_call_goes_on(
    new_peer: NewPeer, reply: NewReply
) -> None:
    peer = new_peer(b"[]EOF", reply(GameStatus.OK))
    async with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        with pytest.raises(BadReplyError):
            await agent.make_step(FIND)
        assert await agent.make_step(FIND) is not None


async def test_communicate_of_no_action_raises(new_peer: NewPeer) -> None:
    peer = new_peer()
    async with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        with pytest.raises(ValueError, match="expected an Action"):
            await agent.communicate("FindData")  # type: ignore[arg-type]
    assert peer.requests == []


async def test_subclass_that_overrides_communicate_sees_every_call(
    new_peer: NewPeer, reply: NewReply
) -> None:
    class Counting(AsyncAgent):
        calls: list[ActionType]

        async def communicate(self, action: Action) -> Any:
            self.calls.append(action.type)
            return await super().communicate(action)

    peer = new_peer(reply(GameStatus.CREATED), reply(GameStatus.OK), reply(GameStatus.RESET_DONE))
    async with Counting("127.0.0.1", peer.port, "Attacker") as agent:
        agent.calls = []
        await agent.register()
        await agent.make_step(FIND)
        await agent.request_game_reset()
    assert agent.calls == [ActionType.JoinGame, ActionType.FindData, ActionType.ResetGame]


async def test_communicate_gives_status_observation_and_message_as_they_came(
    new_peer: NewPeer, reply: NewReply, start: GameState
) -> None:
    peer = new_peer(reply(GameStatus.OK, reward=-1, message={"message": "hi"}))
    async with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        observation = {"state": start.as_dict, "reward": -1, "end": False, "info": {}}
        assert await agent.communicate(FIND) == (GameStatus.OK, observation, {"message": "hi"})
