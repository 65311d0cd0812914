from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest

from netsecgame.agents.base_agent import BaseAgent
from netsecgame.errors import BadReplyError, ProtocolError
from netsecgame.game_components import (
    IP,
    Action,
    ActionType,
    AgentRole,
    GameState,
    GameStatus,
    Network,
    Observation,
)

NewPeer = Callable[..., Any]
NewReply = Callable[..., bytes]

SCAN = Action(
    ActionType.ScanNetwork,
    {"target_network": Network("192.168.1.0", 24), "source_host": IP("192.168.1.2")},
)
QUIT = Action(ActionType.QuitGame)


class Explorer(BaseAgent):
    pass


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


# --- calls ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["attacker", "AgentRole.Attacker", AgentRole.Attacker])
def test_register_accepted_gives_start_with_message_as_info(
    new_peer: NewPeer, reply: NewReply, start: GameState, role: str
) -> None:
    message = {"message": "Welcome", "max_steps": 50, "goal_description": "find it"}
    peer = new_peer(reply(GameStatus.CREATED, message=message, legal={"mask": "x"}))
    with Explorer("127.0.0.1", peer.port, role) as agent:
        assert agent.role is AgentRole.Attacker
        assert agent.register() == Observation(start, 0, False, message)
    assert peer.requests == [
        {
            "action_type": "ActionType.JoinGame",
            "parameters": {"agent_info": {"name": "Explorer", "role": "Attacker"}},
        }
    ]
    assert peer.disconnected.wait(10)


@pytest.mark.parametrize("status", [GameStatus.BAD_REQUEST, GameStatus.FORBIDDEN])
def test_register_refused_is_none_and_logs_the_reason(
    new_peer: NewPeer,
    reply: NewReply,
    status: GameStatus,
    caplog: pytest.LogCaptureFixture,
) -> None:
    peer = new_peer(reply(status, None, message={"message": "no such role"}))
    with Explorer("127.0.0.1", peer.port, "Hacker") as agent:
        assert agent.role == "Hacker"
        assert agent.register() is None
    assert peer.requests[0]["parameters"]["agent_info"]["role"] == "Hacker"
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.name == "Explorer"
    assert record.getMessage() == f"refused with {status}: no such role"


def test_register_on_a_full_server_reads_the_reason_it_sent_before_it_closed(
    new_peer: NewPeer, reply: NewReply, caplog: pytest.LogCaptureFixture
) -> None:
    peer = new_peer(
        greeting=reply(GameStatus.FORBIDDEN, None, message={"message": "too many connections"})
    )
    with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        assert peer.disconnected.wait(10)
        assert agent.register() is None
        assert "too many connections" in caplog.text
        with pytest.raises(ConnectionError):
            agent.register()


def test_make_step_gives_the_observation(
    new_peer: NewPeer, reply: NewReply, start: GameState
) -> None:
    ended = {"end_reason": "AgentStatus.Success"}
    peer = new_peer(
        reply(GameStatus.OK, reward=-1),
        reply(GameStatus.OK, reward=99.5, end=True, info=ended),
        reply(GameStatus.FORBIDDEN, reward=99.5, end=True, info=ended),
    )
    with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        assert agent.make_step(SCAN) == Observation(start, -1, False, {})
        assert agent.make_step(SCAN) == Observation(start, 99.5, True, ended)
        assert agent.make_step(SCAN) == Observation(start, 99.5, True, ended)
    assert peer.requests == [SCAN.as_dict] * 3


def test_make_step_refused_is_none_and_the_next_one_goes_on(
    new_peer: NewPeer, reply: NewReply, caplog: pytest.LogCaptureFixture
) -> None:
    peer = new_peer(
        reply(GameStatus.BAD_REQUEST, None, message={"message": "Bad request received: mask"}),
        reply(GameStatus.FORBIDDEN, None),
        reply(GameStatus.OK),
        reply(GameStatus.OK, None),
    )
    with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        assert agent.make_step(SCAN) is None
        assert "Bad request received: mask" in caplog.text
        assert agent.make_step(SCAN) is None
        assert agent.make_step(SCAN) is not None
        assert agent.make_step(QUIT) is None


def test_request_game_reset_gives_start_with_message_as_info(
    new_peer: NewPeer, reply: NewReply, start: GameState
) -> None:
    message = {"message": "Reset", "last_trajectory": {"states": []}}
    done = reply(GameStatus.RESET_DONE, message=message)
    peer = new_peer(done, done, done, done)
    with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        assert agent.request_game_reset() == Observation(start, 0, False, message)
        agent.request_game_reset(request_trajectory=True, seed=7)
        agent.request_game_reset(randomize_topology=True)
        agent.request_game_reset(randomize_topology=True, seed=0)
    assert {request["action_type"] for request in peer.requests} == {"ActionType.ResetGame"}
    asked = [tuple(request["parameters"].items()) for request in peer.requests]
    drawn = asked[2][2][1]
    assert isinstance(drawn, int)
    assert 0 <= drawn < 2**31
    assert asked == [
        (("request_trajectory", trajectory), ("randomize_topology", randomize), ("seed", seed))
        for trajectory, randomize, seed in [
            (False, False, None),
            (True, False, 7),
            (False, True, drawn),
            (False, True, 0),
        ]
    ]


def test_request_game_reset_refused_is_none(new_peer: NewPeer, reply: NewReply) -> None:
    peer = new_peer(reply(GameStatus.BAD_REQUEST, None, message={"message": "seeds differ"}))
    with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        assert agent.request_game_reset(seed=1) is None


def test_communicate_gives_status_observation_and_message_as_they_came(
    new_peer: NewPeer, reply: NewReply, start: GameState
) -> None:
    peer = new_peer(
        reply(GameStatus.OK, reward=-1, message={"message": "hi"}), reply(GameStatus.OK, None)
    )
    with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        observation = {"state": start.as_dict, "reward": -1, "end": False, "info": {}}
        assert agent.communicate(SCAN) == (GameStatus.OK, observation, {"message": "hi"})
        assert agent.communicate(QUIT) == (GameStatus.OK, None, None)


@pytest.mark.parametrize("action", [None, "ScanNetwork", SCAN.as_dict, SCAN.to_json()])
def test_communicate_of_no_action_raises_and_sends_nothing(
    new_peer: NewPeer, reply: NewReply, action: Any
) -> None:
    peer = new_peer(reply(GameStatus.OK))
    with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        with pytest.raises(ValueError, match="expected an Action"):
            agent.communicate(action)
        agent.communicate(QUIT)
    assert peer.requests == [QUIT.as_dict]


def test_communicate_reply_in_pieces_is_put_together(new_peer: NewPeer, reply: NewReply) -> None:
    hosts = {IP(f"10.0.{i}.{j}") for i in range(100) for j in range(100)}
    whole = reply(GameStatus.OK, GameState(known_hosts=hosts))
    assert len(whole) > 150_000
    pieces = [whole[i : i + 40_000] for i in range(0, len(whole) - 10, 40_000)]
    pieces = [*pieces[:-1], pieces[-1][:-2], pieces[-1][-2:-1], pieces[-1][-1:]]
    assert b"".join(pieces) == whole
    peer = new_peer(pieces)
    with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        observation = agent.make_step(SCAN)
    assert observation is not None
    assert observation.state.known_hosts == hosts


# --- failures -------------------------------------------------------------------------------------


def test_agent_without_a_server_logs_and_raises_at_the_first_call(
    free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    agent = Explorer("127.0.0.1", free_port, "Attacker")
    assert agent.socket is None
    assert f"127.0.0.1:{free_port}" in caplog.text
    for call in (agent.register, agent.request_game_reset, lambda: agent.make_step(SCAN)):
        with pytest.raises(ConnectionError, match=f"127.0.0.1:{free_port}.*refused"):
            call()
    agent.terminate_connection()


def test_agent_with_an_impossible_port_raises_at_the_first_call() -> None:
    with pytest.raises(ConnectionError, match=r"127.0.0.1:99999"):
        Explorer("127.0.0.1", 99_999, "Attacker").register()


def test_agent_server_closes_in_mid_call_raises_and_says_what_was_in_flight(
    new_peer: NewPeer, reply: NewReply
) -> None:
    peer = new_peer(reply(GameStatus.OK), None)
    agent = Explorer("127.0.0.1", peer.port, "Attacker")
    agent.make_step(SCAN)
    with pytest.raises(ConnectionError, match=f"127.0.0.1:{peer.port}.*ScanNetwork.*closed"):
        agent.make_step(SCAN)
    assert agent.socket is None
    with pytest.raises(ConnectionError, match=f"127.0.0.1:{peer.port}.*FindData.*lost before"):
        agent.make_step(Action(ActionType.FindData))


def test_agent_server_closes_in_mid_reply_raises(new_peer: NewPeer, reply: NewReply) -> None:
    peer = new_peer(greeting=reply(GameStatus.OK)[:20])
    with (
        Explorer("127.0.0.1", peer.port, "Attacker") as agent,
        pytest.raises(ConnectionError, match=r"middle of a reply|reset"),
    ):
        agent.make_step(SCAN)


def test_agent_terminated_raises_at_the_next_call(new_peer: NewPeer) -> None:
    peer = new_peer()
    agent = Explorer("127.0.0.1", peer.port, "Attacker")
    agent.terminate_connection()
    agent.terminate_connection()
    assert peer.disconnected.wait(10)
    with pytest.raises(ConnectionError, match=r"ScanNetwork.*terminated"):
        agent.make_step(SCAN)


def test_agent_reply_not_in_time_closes_the_connection(new_peer: NewPeer) -> None:
    peer = new_peer()
    with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        assert agent.socket is not None
        agent.socket.settimeout(0.01)
        with pytest.raises(ConnectionError, match=r"ScanNetwork.*timed out"):
            agent.make_step(SCAN)
        assert agent.socket is None


def test_agent_interrupted_call_closes_the_connection(
    new_peer: NewPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupting(socket.socket):
        def recv(self, *_: Any) -> bytes:
            raise KeyboardInterrupt

    peer = new_peer()
    with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        assert agent.socket is not None
        agent._socket = Interrupting(fileno=agent.socket.detach())
        with pytest.raises(KeyboardInterrupt):
            agent.make_step(SCAN)
        with pytest.raises(ConnectionError, match="earlier call"):
            agent.make_step(SCAN)


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"nonsenseEOF", "JSON"),
        (b'{"status": "GameStatus.FINE"}EOF', "status"),
        (b'{"status": "GameStatus.OK", "observation": {}}EOF', "observation.state"),
        (
            b'{"status": "GameStatus.OK", "observation": {"state": {}, "reward": 1}}EOF',
            "observation.end",
        ),
        (
            b'{"status": "GameStatus.OK", "observation": {"state": [], "reward": 1, "end": 1}}EOF',
            "observation.state",
        ),
        (
            b'{"status":"GameStatus.OK","observation":{"state":{"known_hosts":[1]},"reward":1}}EOF',
            "observation.state: expected",
        ),
    ],
)
def test_agent_reply_it_cannot_read_raises_and_the_next_call_goes_on(
    new_peer: NewPeer, reply: NewReply, broken: bytes, reason: str
) -> None:
    peer = new_peer(broken, reply(GameStatus.OK))
    with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        with pytest.raises(BadReplyError, match=reason):
            agent.make_step(SCAN)
        assert agent.make_step(SCAN) is not None


def test_register_answered_like_a_step_raises(new_peer: NewPeer, reply: NewReply) -> None:
    peer = new_peer(reply(GameStatus.OK), reply(GameStatus.CREATED, None))
    with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        with pytest.raises(ProtocolError, match=r"expected GameStatus.CREATED, got GameStatus.OK"):
            agent.register()
        with pytest.raises(ProtocolError, match="observation"):
            agent.register()


# --- what subclasses rely on ----------------------------------------------------------------------


def test_subclass_sees_logger_socket_role_and_address(new_peer: NewPeer) -> None:
    peer = new_peer()
    with Explorer("127.0.0.1", peer.port, "Defender") as agent:
        assert agent.logger is agent._logger is logging.getLogger("Explorer")
        assert agent.socket is agent._socket
        assert agent.socket is not None
        assert agent.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert agent.role is agent._role is AgentRole.Defender
        assert agent._connection_details == ("127.0.0.1", peer.port)


def test_subclass_that_overrides_communicate_sees_every_call(
    new_peer: NewPeer, reply: NewReply
) -> None:
    class Counting(BaseAgent):
        calls: list[ActionType]

        def communicate(self, action: Action) -> Any:
            self.calls.append(action.type)
            return super().communicate(action)

    peer = new_peer(reply(GameStatus.CREATED), reply(GameStatus.OK), reply(GameStatus.RESET_DONE))
    with Counting("127.0.0.1", peer.port, "Attacker") as agent:
        agent.calls = []
        agent.register()
        agent.make_step(SCAN)
        agent.request_game_reset()
    assert agent.calls == [ActionType.JoinGame, ActionType.ScanNetwork, ActionType.ResetGame]


def test_subclass_that_overrides_communicate_decides_what_was_answered(
    new_peer: NewPeer, reply: NewReply
) -> None:
    class Doubling(BaseAgent):
        def communicate(self, action: Action) -> Any:
            status, observation, message = super().communicate(action)
            return status, {**(observation or {}), "reward": 2}, message

    peer = new_peer(reply(GameStatus.OK, reward=1))
    with Doubling("127.0.0.1", peer.port, "Attacker") as agent:
        observation = agent.make_step(SCAN)
    assert observation is not None
    assert observation.reward == 2


def test_subclass_may_look_at_a_state_long_after_it_came_and_change_it(
    new_peer: NewPeer, reply: NewReply, start: GameState
) -> None:
    (host,) = start.known_hosts
    later = GameState(start.controlled_hosts, {host, IP("10.0.0.1")})
    peer = new_peer(reply(GameStatus.OK), reply(GameStatus.OK, later), reply(GameStatus.OK))
    with Explorer("127.0.0.1", peer.port, "Attacker") as agent:
        observations = [agent.make_step(SCAN) for _ in range(3)]
    states = [observation.state for observation in observations if observation is not None]
    states[0].controlled_hosts.clear()
    states[0].known_hosts.add(IP("10.0.0.2"))
    assert states[0].known_hosts == {host, IP("10.0.0.2")}
    assert states[1:] == [later, start]
