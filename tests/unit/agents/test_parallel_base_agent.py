from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from netsecgame.agents.parallel_base_agent import ParallelBaseAgent
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
QUIT = Action(ActionType.QuitGame)


class Swarm(ParallelBaseAgent):
    pass


def test_agent_on_one_port_gives_single_results(
    new_peer: NewPeer, reply: NewReply, start: GameState
) -> None:
    script = [
        reply(GameStatus.CREATED, message={"message": "hi"}),
        reply(GameStatus.OK, reward=-1),
        reply(GameStatus.OK, reward=9, end=True),
        reply(GameStatus.RESET_DONE, message={"message": "new"}),
    ]
    for ports in (new_peer(*script).port, [new_peer(*script).port]):
        with Swarm("127.0.0.1", ports, "attacker") as agent:
            assert agent.num_envs == 1
            assert agent.role is AgentRole.Attacker
            assert agent.logger.name == "Swarm"
            assert agent.register() == Observation(start, 0, False, {"message": "hi"})
            assert agent.make_step(FIND) == Observation(start, -1, False, {})
            assert not agent.all_done
            assert agent.make_step([FIND]) == Observation(start, 9, True, {})
            assert agent.done_mask == [True]
            assert agent.all_done
            assert agent.make_step(FIND) is None
            assert agent.request_game_reset() == Observation(start, 0, False, {"message": "new"})
            assert agent.done_mask == [False]


def test_agent_on_many_ports_gives_lists_in_their_order_and_skips_what_has_ended(
    new_peer: NewPeer, reply: NewReply, start: GameState
) -> None:
    peers = [
        new_peer(
            reply(GameStatus.CREATED, message={"n": n}),
            reply(GameStatus.OK, reward=n, end=n == 1),
            reply(GameStatus.RESET_DONE, message={"n": n})
            if n == 1
            else reply(GameStatus.OK, reward=n + 10),
            reply(GameStatus.RESET_DONE, message={"n": n}),
        )
        for n in range(3)
    ]
    with Swarm("127.0.0.1", [peer.port for peer in peers], "Attacker") as agent:
        assert agent.num_envs == 3
        assert agent.connected
        assert agent.register() == [Observation(start, 0, False, {"n": n}) for n in range(3)]
        assert agent.make_step([FIND, QUIT, FIND]) == [
            Observation(start, n, n == 1, {}) for n in range(3)
        ]
        assert agent.done_mask == [False, True, False]
        assert not agent.all_done
        assert agent.make_step([FIND, None, FIND]) == [
            Observation(start, 10, False, {}),
            None,
            Observation(start, 12, False, {}),
        ]
        reset = agent.request_game_reset(seed=[4, 5, None])
        assert reset == [Observation(start, 0, False, {"n": n}) for n in range(3)]
        assert agent.done_mask == [False] * 3
    assert [peer.requests[1] for peer in peers] == [FIND.as_dict, QUIT.as_dict, FIND.as_dict]
    assert [peer.requests[-1]["parameters"]["seed"] for peer in peers] == [4, 5, None]
    assert [len(peer.requests) for peer in peers] == [4, 3, 4]
    for peer in peers:
        assert peer.requests[0]["parameters"]["agent_info"]["name"] == "Swarm"
        assert peer.disconnected.wait(10)


def test_agent_games_that_fail_count_as_ended_and_the_others_go_on(
    new_peer: NewPeer,
    reply: NewReply,
    start: GameState,
    caplog: pytest.LogCaptureFixture,
    unused_tcp_port: int,
) -> None:
    welcome = reply(GameStatus.CREATED)
    good = new_peer(welcome, reply(GameStatus.OK), reply(GameStatus.RESET_DONE))
    closing = new_peer(welcome, None)
    babbling = new_peer(welcome, b"?EOF", reply(GameStatus.RESET_DONE))
    refusing = new_peer(reply(GameStatus.BAD_REQUEST, None), reply(GameStatus.RESET_DONE))
    ports = [good.port, closing.port, babbling.port, refusing.port, unused_tcp_port]
    with Swarm("127.0.0.1", ports, "Attacker") as agent:
        assert not agent.connected
        assert agent.done_mask == [False, False, False, False, True]
        hello = Observation(start, 0, False, {})
        assert agent.register() == [hello, hello, hello, None, None]
        assert agent.done_mask == [False, False, False, True, True]
        assert agent.make_step(FIND) == [hello, None, None, None, None]
        assert agent.done_mask == [False, True, True, True, True]
        assert "game 1 has failed: lost the connection" in caplog.text
        assert "game 2 has failed: not valid JSON" in caplog.text
        assert agent.request_game_reset() == [hello, None, hello, hello, None]
        assert agent.done_mask == [False, True, False, False, True]
    assert agent.all_done
    assert not agent.connected


def test_make_step_refused_as_a_bad_request_does_not_end_the_game(
    new_peer: NewPeer, reply: NewReply
) -> None:
    peer = new_peer(reply(GameStatus.BAD_REQUEST, None), reply(GameStatus.OK))
    with Swarm("127.0.0.1", peer.port, "Attacker") as agent:
        assert agent.make_step(FIND) is None
        assert not agent.all_done
        assert agent.make_step(FIND) is not None


def test_agent_games_that_wait_for_each_other_are_all_asked_at_once(
    new_peer: NewPeer, reply: NewReply
) -> None:
    together = threading.Barrier(3, timeout=10)

    def answer() -> bytes:
        together.wait()
        return reply(GameStatus.CREATED)

    ports = [new_peer(answer).port for _ in range(3)]
    with Swarm("127.0.0.1", ports, "Attacker") as agent:
        agent.register()
        assert agent.done_mask == [False] * 3


def test_agent_with_fewer_workers_than_games_serves_them_all(
    new_peer: NewPeer, reply: NewReply
) -> None:
    ports = [new_peer(reply(GameStatus.CREATED)).port for _ in range(5)]
    with Swarm("127.0.0.1", ports, "Attacker", max_workers=2) as agent:
        agent.register()
        assert agent.done_mask == [False] * 5


def test_make_step_wrong_number_or_kind_of_actions_raises_and_plays_nothing(
    new_peer: NewPeer,
) -> None:
    peers = [new_peer(), new_peer()]
    with Swarm(["127.0.0.1"] * 2, [peer.port for peer in peers], "Attacker") as agent:
        for actions, reason in [
            ([FIND], "expected 2 actions, got 1"),
            ([FIND, None], "game 1, got None"),
            ([FIND, "FindData"], "game 1, got 'FindData'"),
        ]:
            with pytest.raises(ValueError, match=reason):
                agent.make_step(actions)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="expected 2 seeds, got 3"):
            agent.request_game_reset(seed=[1, 2, 3])
    assert [peer.requests for peer in peers] == [[], []]


@pytest.mark.parametrize(
    ("hosts", "ports"), [("a", []), (["a", "b"], [1, 2, 3]), ([], [1]), (["a", "b"], 1)]
)
def test_agent_hosts_that_do_not_match_ports_raise(hosts: Any, ports: Any) -> None:
    with pytest.raises(ValueError, match="expected one host, or one for each port"):
        Swarm(hosts, ports, "Attacker")
