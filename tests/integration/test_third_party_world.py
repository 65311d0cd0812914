"""Worlds that others write: plain values, slow steps, and steps that fail."""

from __future__ import annotations

import asyncio
import json
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.game.coordinator import GameCoordinator
from netsecgame.game.worlds.NetSecGame import NetSecGame
from netsecgame.game_components import IP, Action, ActionType, AgentRole, GameState, Network
from tests.integration.server import (
    CLIENT,
    IDLE,
    NONSENSE,
    OUTSIDE,
    QUIT,
    SERVER,
    WIN,
    act,
    join,
    make_task,
    reset,
)

if TYPE_CHECKING:
    from pathlib import Path

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.game.queues import Peer
    from tests.integration.server import Serve

pytestmark = pytest.mark.both_loops

BASE_STATE = GameState(
    controlled_hosts={IP(CLIENT)},
    known_hosts={IP(CLIENT)},
    known_networks={Network("192.168.1.0", 24)},
)


class PlainWorld(GameCoordinator):
    """Every scan finds the server; that is all there is.

    Attributes:
        calls: What the coordinator has asked of it.
    """

    def __init__(self, host: str, port: int, task_config: str | Path, **options: Any) -> None:
        super().__init__(host, port, None, None, task_config, **options)
        self.calls: list[str] = []

    def _initialize(self) -> None:
        self.calls.append("initialize")

    async def register_agent(
        self, agent_id: Peer, agent_role: AgentRole, agent_initial_view: Any, agent_win_view: Any
    ) -> tuple[GameState, Any]:
        self.calls.append(f"register {agent_role}")
        return BASE_STATE, agent_win_view

    async def remove_agent(self, agent_id: Peer, agent_state: GameState) -> bool:
        self.calls.append("remove")
        return True

    async def step(self, agent_id: Peer, agent_state: GameState, action: Action) -> GameState:
        if action.type is not ActionType.ScanNetwork:
            return agent_state
        return GameState.from_dict(
            {
                **agent_state.as_dict,
                "known_hosts": [*agent_state.as_dict["known_hosts"], {"ip": SERVER}],
            }
        )

    async def reset_agent(
        self, agent_id: Peer, agent_role: AgentRole, agent_initial_view: Any, agent_win_view: Any
    ) -> tuple[GameState, Any]:
        self.calls.append(f"place {agent_role}")
        return BASE_STATE, agent_win_view

    async def reset(self, seed: int | None = None, topology_change: bool | None = None) -> bool:
        self.calls.append(f"reset {seed} {topology_change}")
        return True


async def test_world_of_plain_values_is_played_from_join_to_goal_and_again(serve: Serve) -> None:
    task = make_task(save_trajectories=True, rewards={"step": -1, "success": 100})
    server = await serve(task, PlainWorld)
    world = server.world
    assert isinstance(world, PlainWorld)
    client = await server.connect()

    joined = await client.ask(join(name="GEOFF"))
    assert joined["observation"]["state"] == BASE_STATE.as_dict
    assert joined["message"]["goal"]["known_hosts"] == [{"ip": SERVER}]
    assert (await client.ask(IDLE))["observation"]["reward"] == -1
    won = await client.ask(WIN)
    assert won["observation"]["reward"] == 99
    assert won["observation"]["info"]["end_reason"] == "AgentStatus.Success"
    again = await client.ask(reset(seed=3, randomize_topology=True, request_trajectory=True))
    assert again["observation"]["state"] == BASE_STATE.as_dict
    assert again["message"]["last_trajectory"]["trajectory"]["rewards"] == [-1, 99]
    await client.ask(QUIT)

    assert world.calls == [
        "initialize",
        "register Attacker",
        "reset 3 True",
        "place Attacker",
        "remove",
        "reset None False",
    ]
    await server.stop()
    (stored,) = (serve.folder / "trajectories").iterdir()
    assert len(json.loads(stored.read_text())["trajectory"]["states"]) == 3


class GenerousWorld(NetSecGame):
    """Every agent starts with the server, too."""

    async def register_agent(
        self, agent_id: Peer, agent_role: AgentRole, agent_initial_view: Any, agent_win_view: Any
    ) -> tuple[KnownState, Goal]:
        agent_initial_view["controlled_hosts"].append(IP(SERVER))
        return await super().register_agent(
            agent_id, agent_role, agent_initial_view, agent_win_view
        )


async def test_world_that_changes_the_start_of_the_task_starts_there(serve: Serve) -> None:
    server = await serve(world=GenerousWorld)
    client = await server.connect()
    joined = await client.ask(join())
    again = await client.ask(reset())

    for reply in (joined, again):
        hosts = {host["ip"] for host in reply["observation"]["state"]["controlled_hosts"]}
        assert hosts == {OUTSIDE, CLIENT, SERVER}


class SlowWorld(PlainWorld):
    """A FindServices takes `delay_s`, if that long; everything else nothing."""

    delay_s = 0.3
    was_cancelled = False

    async def step(self, agent_id: Peer, agent_state: GameState, action: Action) -> GameState:
        if action.type is ActionType.FindServices:
            try:
                await asyncio.sleep(self.delay_s)
            except asyncio.CancelledError:
                self.was_cancelled = True
                raise
        return await super().step(agent_id, agent_state, action)


SLOW = act("FindServices", CLIENT, SERVER)


async def test_slow_step_does_not_hold_up_other_agents(serve: Serve) -> None:
    server = await serve(world=SlowWorld)
    slow, quick = await server.join(), await server.join()
    slow.send(SLOW)
    await server.settle()
    began, played = monotonic(), 0
    while not slow.has_reply:
        assert (await quick.ask(IDLE))["status"] == "GameStatus.OK"
        played += 1

    assert (await slow.reply())["status"] == "GameStatus.OK"
    assert monotonic() - began >= SlowWorld.delay_s * 0.9
    assert played > 20


async def test_slow_steps_of_several_agents_take_as_long_as_one(serve: Serve) -> None:
    server = await serve(world=SlowWorld)
    clients = [await server.join() for _ in range(20)]
    began = monotonic()

    for client in clients:
        client.send(SLOW)
    for client in clients:
        assert (await client.reply())["status"] == "GameStatus.OK"

    assert monotonic() - began < 10 * SlowWorld.delay_s


async def test_messages_behind_a_slow_step_are_answered_after_it(serve: Serve) -> None:
    server = await serve(world=SlowWorld)
    client = await server.join()

    client.send(SLOW, NONSENSE, WIN)

    assert [(await client.reply())["status"] for _ in range(3)] == [
        "GameStatus.OK",
        "GameStatus.BAD_REQUEST",
        "GameStatus.OK",
    ]


async def test_agent_that_drops_during_its_slow_step_leaves_at_once(serve: Serve) -> None:
    SlowWorldForEver = type("SlowWorldForEver", (SlowWorld,), {"delay_s": 3_600})  # noqa: N806
    server = await serve(world=SlowWorldForEver)
    slow, other = await server.join(), await server.join()
    slow.send(SLOW)
    other.send(reset())
    await server.settle()
    assert not other.has_reply

    slow.drop()

    assert (await other.reply())["status"] == "GameStatus.RESET_DONE"
    assert getattr(server.world, "was_cancelled", False)


async def test_server_stops_although_a_slow_step_runs(serve: Serve) -> None:
    SlowWorldForEver = type("SlowWorldForEver", (SlowWorld,), {"delay_s": 3_600})  # noqa: N806
    server = await serve(world=SlowWorldForEver)
    slow = await server.join()
    slow.send(SLOW)
    await server.settle()
    began = monotonic()

    await server.stop()

    assert monotonic() - began < 3
    assert (await slow.reply())["message"]["message"] == "the server is shutting down"


class HastyWorld(SlowWorld):
    """Says that its steps never wait, but they do."""

    step_is_immediate = True


async def test_step_that_waits_although_it_said_otherwise_is_finished_beside_the_others(
    serve: Serve,
) -> None:
    server = await serve(make_task(attacker={"max_steps": 2}), HastyWorld)
    slow, quick = await server.join(), await server.join()
    slow.send(SLOW)
    while not slow.has_reply:
        assert (await quick.ask(NONSENSE))["status"] == "GameStatus.BAD_REQUEST"
    assert (await slow.reply())["status"] == "GameStatus.OK"

    assert not (await quick.ask(IDLE))["observation"]["end"]
    slow.send(IDLE)
    quick.send(WIN)
    assert (await slow.reply())["observation"]["info"]["end_reason"] == "AgentStatus.TimeoutReached"
    assert (await quick.reply())["observation"]["info"]["end_reason"] == "AgentStatus.Success"


async def test_agent_that_drops_during_a_step_that_should_not_wait_ends_it(serve: Serve) -> None:
    HastyWorldForEver = type(  # noqa: N806
        "HastyWorldForEver", (HastyWorld,), {"delay_s": 3_600, "step_is_immediate": True}
    )
    server = await serve(world=HastyWorldForEver)
    slow, other = await server.join(), await server.join()
    slow.send(SLOW)
    other.send(reset())
    await server.settle()

    slow.drop()

    assert (await other.reply())["status"] == "GameStatus.RESET_DONE"
    assert not server.world._steps


class HastyReset(HastyWorld):
    """Says that its resets never wait, but they do."""

    step_is_immediate = True
    reset_is_immediate = True

    def _initialize(self) -> None:
        super()._initialize()
        self.reset_began = asyncio.Event()

    async def step(self, agent_id: Peer, agent_state: GameState, action: Action) -> GameState:
        self.calls.append(f"step {agent_id[1]}")
        return agent_state

    async def reset(self, seed: int | None = None, topology_change: bool | None = None) -> bool:
        self.calls.append("reset begins")
        self.reset_began.set()
        await asyncio.sleep(0.05)
        self.calls.append("reset ends")
        return True


async def test_reset_that_waits_although_it_said_otherwise_comes_before_what_follows(
    serve: Serve,
) -> None:
    server = await serve(world=HastyReset)
    world = server.world
    assert isinstance(world, HastyReset)
    client, other = await server.join(), await server.connect()
    client.send(reset(), IDLE)
    await world.reset_began.wait()
    other.send(join())

    assert (await other.reply())["status"] == "GameStatus.CREATED"
    assert [(await client.reply())["status"] for _ in range(2)] == [
        "GameStatus.RESET_DONE",
        "GameStatus.OK",
    ]
    assert [call.split(" ")[0] for call in world.calls[3:]][:3] == ["reset", "place", "register"]


async def test_server_stops_although_a_reset_waits_that_said_otherwise(serve: Serve) -> None:
    begun = asyncio.Event()

    class ForEver(HastyReset):
        reset_is_immediate = True

        async def reset(self, seed: int | None = None, topology_change: bool | None = None) -> bool:
            begun.set()
            await asyncio.sleep(3_600)
            return True

    server = await serve(world=ForEver)
    client = await server.join()
    client.send(reset())
    await begun.wait()
    began = monotonic()

    await server.stop()

    assert monotonic() - began < 3
    assert (await client.reply())["message"]["message"] == "the server is shutting down"


class FailingWorld(PlainWorld):
    """What `fails` names does."""

    fails = ""
    error: BaseException = RuntimeError("secret")

    async def step(self, agent_id: Peer, agent_state: GameState, action: Action) -> GameState:
        if self.fails == "step" and action.type is ActionType.FindServices:
            raise self.error
        if self.fails == "step after a while" and action.type is ActionType.FindServices:
            await asyncio.sleep(0)
            raise self.error
        return await super().step(agent_id, agent_state, action)

    async def register_agent(self, *args: Any) -> tuple[GameState, Any]:
        if self.fails == "register_agent":
            raise self.error
        return await super().register_agent(*args)

    async def remove_agent(self, *args: Any) -> bool:
        if self.fails == "remove_agent":
            raise self.error
        return await super().remove_agent(*args)

    async def reset(self, *args: Any) -> bool:
        if self.fails == "reset":
            raise self.error
        return self.fails != "reset returns False"

    async def reset_agent(self, *args: Any) -> tuple[GameState, Any]:
        if self.fails == "reset_agent":
            raise self.error
        return await super().reset_agent(*args)


class FailingImmediateWorld(FailingWorld):
    step_is_immediate = True


def expect_error(errors: list[str]) -> None:
    """The log has the traceback of what failed, once; the rest of the test may add none."""
    assert len(errors) == 1
    assert "secret" in errors[0]
    errors.clear()


@pytest.mark.parametrize("world", [FailingWorld, FailingImmediateWorld])
@pytest.mark.parametrize("fails", ["step", "step after a while"])
async def test_step_that_fails_is_a_bad_request_without_details_and_the_game_goes_on(
    serve: Serve, world: type[FailingWorld], fails: str
) -> None:
    server = await serve(make_task(attacker={"max_steps": 2}), world)
    server.world.fails = fails  # type: ignore[attr-defined]
    client, other = await server.join(), await server.join()

    refused = await client.ask(SLOW)

    assert refused["status"] == "GameStatus.BAD_REQUEST"
    assert refused["observation"] is None
    assert "secret" not in json.dumps(refused)
    assert "Traceback" not in json.dumps(refused)
    expect_error(server.errors)
    # No step is spent.
    assert not (await client.ask(IDLE))["observation"]["end"]
    assert not (await other.ask(IDLE))["observation"]["end"]
    client.send(WIN)
    assert (await other.ask(WIN))["observation"]["end"]
    assert (await client.reply())["observation"]["end"]


@pytest.mark.parametrize("world", [FailingWorld, FailingImmediateWorld])
@pytest.mark.parametrize("fails", ["step", "step after a while"])
async def test_step_that_is_cancelled_from_within_is_a_bad_request(
    serve: Serve, world: type[FailingWorld], fails: str
) -> None:
    server = await serve(world=world)
    server.world.fails = fails  # type: ignore[attr-defined]
    server.world.error = asyncio.CancelledError()  # type: ignore[attr-defined]
    client = await server.join()

    assert (await client.ask(SLOW))["status"] == "GameStatus.BAD_REQUEST"
    assert (await client.ask(WIN))["observation"]["end"]
    server.errors.clear()


class ForgetfulWorld(PlainWorld):
    """Forgets to return the state when an agent looks for services."""

    async def step(self, agent_id: Peer, agent_state: GameState, action: Action) -> GameState:
        if action.type is ActionType.FindServices:
            return None  # type: ignore[return-value]
        return await super().step(agent_id, agent_state, action)


async def test_step_that_gives_no_state_is_a_bad_request_and_costs_no_step(serve: Serve) -> None:
    server = await serve(world=ForgetfulWorld)
    client = await server.join()

    reply = await client.ask(act("FindServices", CLIENT, CLIENT))

    assert reply["status"] == "GameStatus.BAD_REQUEST"
    assert "NoneType" not in reply["message"]["message"]
    assert (await client.ask(IDLE))["status"] == "GameStatus.OK"
    player = server.world._episode.player(client.peer)
    assert (player.steps, len(player.trajectory)) == (1, 1)
    (error,) = server.errors
    assert "expected a GameState from step, got NoneType" in error
    server.errors.clear()


async def test_join_that_fails_is_a_bad_request_and_may_be_tried_again(serve: Serve) -> None:
    server = await serve(world=FailingWorld)
    server.world.fails = "register_agent"  # type: ignore[attr-defined]
    client = await server.connect()

    assert (await client.ask(join()))["status"] == "GameStatus.BAD_REQUEST"
    expect_error(server.errors)

    server.world.fails = ""  # type: ignore[attr-defined]
    assert (await client.ask(join()))["status"] == "GameStatus.CREATED"


@pytest.mark.parametrize("leave", ["quit", "drop"])
async def test_removal_that_fails_keeps_nobody_in_the_game(serve: Serve, leave: str) -> None:
    server = await serve(world=FailingWorld)
    server.world.fails = "remove_agent"  # type: ignore[attr-defined]
    leaves, stays = await server.join(), await server.join()
    stays.send(reset())
    await server.settle()

    if leave == "quit":
        assert (await leaves.ask(QUIT))["status"] == "GameStatus.OK"
    else:
        leaves.drop()

    assert (await stays.reply())["status"] == "GameStatus.RESET_DONE"
    expect_error(server.errors)
    server.world.fails = ""  # type: ignore[attr-defined]


@pytest.mark.parametrize("fails", ["reset", "reset returns False", "reset_agent"])
async def test_reset_that_fails_is_told_to_all_askers_and_the_episode_goes_on(
    serve: Serve, fails: str
) -> None:
    server = await serve(make_task(attacker={"max_steps": 3}), FailingWorld)
    server.world.fails = fails  # type: ignore[attr-defined]
    clients = [await server.join(), await server.join("Defender"), await server.join()]
    for client in clients:
        await client.ask(IDLE)
    for client in clients:
        client.send(reset(seed=4))
        await server.settle()

    for client in clients:
        refused = await client.reply()
        assert refused["status"] == "GameStatus.BAD_REQUEST"
        assert "secret" not in json.dumps(refused)
    if fails == "reset returns False":
        assert server.errors == []
    else:
        expect_error(server.errors)
    for client in clients:
        played = await client.ask(IDLE)
        assert (played["status"], played["observation"]["end"]) == ("GameStatus.OK", False)
    server.world.fails = ""  # type: ignore[attr-defined]
    for client in clients:
        client.send(reset(request_trajectory=True))
        await server.settle()
    for client in clients:
        told = await client.reply()
        assert told["status"] == "GameStatus.RESET_DONE"
        assert len(told["message"]["last_trajectory"]["trajectory"]["actions"]) == 2


async def test_last_agent_leaving_a_world_that_cannot_be_reset_lets_the_next_one_play(
    serve: Serve,
) -> None:
    server = await serve(world=FailingWorld)
    server.world.fails = "reset"  # type: ignore[attr-defined]
    client = await server.join()
    assert (await client.ask(WIN))["observation"]["end"]
    assert (await client.ask(QUIT))["status"] == "GameStatus.OK"
    expect_error(server.errors)
    server.world.fails = ""  # type: ignore[attr-defined]

    following = await server.join()

    assert not (await following.ask(IDLE))["observation"]["end"]
