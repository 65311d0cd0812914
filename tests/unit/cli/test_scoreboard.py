from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from netsecgame.agents.episodic_agent import EpisodeReport
from netsecgame.cli.line_up import Seat
from netsecgame.cli.scoreboard import Scoreboard
from netsecgame.game_components import AgentRole

ONE = Seat("attacker 1", AgentRole.Attacker, Path("a.py"))
TWO = Seat("attacker 2", AgentRole.Attacker, Path("a.py"))
BENIGN = Seat("benign agent", AgentRole.Benign, Path("b.py"))

WIN, LOSS = "AgentStatus.Success", "AgentStatus.TimeoutReached"


def _report(episode: int, total_reward: float, end_reason: str) -> EpisodeReport:
    return EpisodeReport(episode, total_reward, 10, end_reason, 0.5)


def _board(episodes: int) -> tuple[Scoreboard, io.StringIO]:
    output = io.StringIO()
    return Scoreboard(Console(file=output, width=80), [ONE, TWO, BENIGN], episodes), output


def test_scoreboard_episode_is_played_when_all_attackers_have() -> None:
    board, _ = _board(4)

    with board:
        board.add(ONE, _report(1, 90, WIN))
        board.add(BENIGN, _report(1, -10, LOSS))
        assert board.episodes_played == 0
        board.add(TWO, _report(1, -20, LOSS))

    assert board.episodes_played == 1
    assert board.episodes_of(BENIGN) == 1


def test_scoreboard_without_terminal_prints_the_first_and_about_ten_lines() -> None:
    board, output = _board(100)

    with board:
        for episode in range(1, 101):
            for seat, total_reward, end in ((ONE, 90, WIN), (TWO, -20, LOSS)):
                board.add(seat, _report(episode, total_reward, end))

    lines = output.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == [f"{i}/100" for i in range(1, 101, 10)]
    # Each agent plays 20 steps a second, both together 40.
    assert lines[-1] == "episode 91/100  win rate 50%, mean return 35.0, 40 steps/s"


def test_scoreboard_table_has_a_row_for_each_agent() -> None:
    board, output = _board(2)
    with board:
        for episode, end in ((1, WIN), (2, LOSS)):
            board.add(ONE, _report(episode, 50, end))
            board.add(BENIGN, _report(episode, -10, LOSS))

    board.print_table()

    rows = [line.split() for line in output.getvalue().splitlines()]
    assert ["attacker", "1", "2", "1", "(50%)", "50.0", "10.0", "20"] in rows
    assert ["attacker", "2", "0", "0", "(0%)", "0.0", "0.0", "0"] in rows
    assert ["benign", "agent", "2", "-", "-10.0", "10.0", "20"] in rows
