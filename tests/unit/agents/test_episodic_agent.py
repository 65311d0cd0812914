from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netsecgame import IP, Action, ActionType, AgentRole, GameState, GameStatus
from netsecgame.agents.command_line import main
from netsecgame.agents.episodic_agent import EpisodeReport, EpisodicAgent

if TYPE_CHECKING:
    from collections.abc import Callable

    from netsecgame import Observation
    from tests.unit.agents.conftest import Peer

LOOK = Action(
    ActionType.FindData, {"target_host": IP("192.168.1.2"), "source_host": IP("192.168.1.2")}
)
WON = {"end_reason": "AgentStatus.Success", "info": "over"}


class Looker(EpisodicAgent):
    """An attacker that looks at one host."""

    plays_as = AgentRole.Attacker

    def __init__(self, host: str, port: int, seed: int | None = None) -> None:
        super().__init__(host, port, seed)
        self.seen: list[str] = []

    def begin_episode(self, start: Observation) -> None:
        self.seen.append(f"begin {start.info['goal']}")

    def choose_action(self, state: GameState) -> Action:
        self.seen.append(f"choose {len(state.known_hosts)}")
        return LOOK

    def end_episode(self, last: Observation) -> None:
        self.seen.append(f"end {last.info['end_reason']}")


class DefendingLooker(Looker):
    """A defender that looks at one host."""

    plays_as = AgentRole.Defender


@pytest.fixture
def welcome(reply: Callable[..., bytes]) -> bytes:
    return reply(GameStatus.CREATED, message={"goal": "g"})


@pytest.fixture
def reset_done(reply: Callable[..., bytes]) -> bytes:
    return reply(GameStatus.RESET_DONE, message={"goal": "h"})


@pytest.fixture
def step(reply: Callable[..., bytes]) -> bytes:
    return reply(GameStatus.OK, reward=-1)


@pytest.fixture
def win(reply: Callable[..., bytes]) -> bytes:
    return reply(GameStatus.OK, reward=99, end=True, info=WON)


# --- reports --------------------------------------------------------------------------------------


def test_report_to_json_and_back_is_the_same() -> None:
    report = EpisodeReport(3, 98.5, 2, "AgentStatus.Success", 0.25)

    assert '"return": 98.5' in report.to_json()
    assert EpisodeReport.from_json(report.to_json()) == report


@pytest.mark.parametrize("line", ["", "[]", "3", "hello", '{"episode": 1}', '{"return": 1}'])
def test_report_from_other_text_raises(line: str) -> None:
    with pytest.raises(ValueError, match="no report of an episode"):
        EpisodeReport.from_json(line)


def test_report_as_text_says_how_it_went() -> None:
    report = EpisodeReport(3, 98.0, 2, "AgentStatus.Success", 0.254)

    assert str(report) == "episode 3: Success after 2 steps, return 98 (0.25 s)"


# --- playing --------------------------------------------------------------------------------------


def test_play_two_episodes_joins_once_and_resets_between(
    new_peer: Callable[..., Peer], welcome: bytes, step: bytes, win: bytes, reset_done: bytes
) -> None:
    peer = new_peer(welcome, step, win, reset_done, win)

    with Looker("127.0.0.1", peer.port) as agent:
        reports = list(agent.play(2))

    kinds = [request["action_type"].partition(".")[2] for request in peer.requests]
    assert kinds == ["JoinGame", "FindData", "FindData", "ResetGame", "FindData"]
    assert [report[:4] for report in reports] == [
        (1, 98.0, 2, "AgentStatus.Success"),
        (2, 99.0, 1, "AgentStatus.Success"),
    ]
    end = "end AgentStatus.Success"
    assert agent.seen == ["begin g", "choose 1", "choose 1", end, "begin h", "choose 1", end]


def test_play_topology_seed_asks_for_new_addresses_each_time(
    new_peer: Callable[..., Peer], welcome: bytes, win: bytes, reset_done: bytes
) -> None:
    peer = new_peer(welcome, win, reset_done, win, reset_done, win)

    with Looker("127.0.0.1", peer.port) as agent:
        list(agent.play(3, topology_seed=10))

    wishes = [r["parameters"] for r in peer.requests if r["action_type"] == "ActionType.ResetGame"]
    assert [wish["seed"] for wish in wishes] == [11, 12]
    assert all(wish["randomize_topology"] for wish in wishes)


def test_play_refused_raises(new_peer: Callable[..., Peer], reply: Callable[..., bytes]) -> None:
    peer = new_peer(reply(GameStatus.BAD_REQUEST, None, message={"message": "no"}))

    with (
        Looker("127.0.0.1", peer.port) as agent,
        pytest.raises(ConnectionError, match="does not let Looker play on"),
    ):
        next(agent.play())


# --- the command line -----------------------------------------------------------------------------


def test_main_attacker_prints_a_line_for_each_episode(
    new_peer: Callable[..., Peer],
    welcome: bytes,
    win: bytes,
    reset_done: bytes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    peer = new_peer(welcome, win, reset_done, win)

    status = main(Looker, ["--port", str(peer.port), "--episodes", "2"])

    assert status == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" (")[0] for line in lines] == [
        "episode 1: Success after 1 steps, return 99",
        "episode 2: Success after 1 steps, return 99",
    ]


def test_main_report_prints_json(
    new_peer: Callable[..., Peer],
    welcome: bytes,
    win: bytes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    peer = new_peer(welcome, win)

    status = main(Looker, ["--port", str(peer.port), "--report"])

    assert status == 0
    assert EpisodeReport.from_json(capsys.readouterr().out).total_reward == 99


@pytest.mark.parametrize(("kind", "status"), [(Looker, 1), (DefendingLooker, 0)])
def test_main_server_closes_fails_attackers_only(
    kind: type[EpisodicAgent],
    status: int,
    new_peer: Callable[..., Peer],
    welcome: bytes,
    win: bytes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    peer = new_peer(welcome, win, None)

    assert main(kind, ["--port", str(peer.port), "--episodes", "5"]) == status

    output = capsys.readouterr()
    assert output.out.startswith("episode 1: Success")
    assert ("lost the connection" in output.err) is (status == 1)


def test_main_defender_before_any_episode_fails_too(
    new_peer: Callable[..., Peer], capsys: pytest.CaptureFixture[str]
) -> None:
    peer = new_peer(None)

    assert main(DefendingLooker, ["--port", str(peer.port)]) == 1
    assert capsys.readouterr().err.startswith("DefendingLooker: lost the connection")


def test_main_no_server_fails(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(Looker, ["--port", "1"]) == 1

    assert "no connection to 127.0.0.1:1" in caplog.text
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("arguments", [["--episodes", "0"], ["--port", "x"], ["--unknown"]])
def test_main_wrong_arguments_exits_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(Looker, arguments)

    assert stopped.value.code == 2
