from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.cli import line_up as module
from netsecgame.cli.line_up import describe, line_up
from netsecgame.errors import ConfigurationError
from netsecgame.tasks import parse_task

if TYPE_CHECKING:
    from pathlib import Path

    from netsecgame.core.task import Task


def _task(*roles: str, required: Any = 1) -> Task:
    return parse_task(
        {
            "coordinator": {"agents": {role: {} for role in roles}},
            "env": {"scenario": "two_networks_tiny", "required_players": required},
        }
    )


@pytest.mark.parametrize(
    ("roles", "required", "options", "expected"),
    [
        (["Attacker"], 1, {}, "1 scripted attacker"),
        (["Attacker"], 3, {}, "3 scripted attackers"),
        (["Attacker"], 3, {"benign": 1}, "2 scripted attackers, 1 benign agent"),
        (["Attacker"], 1, {"benign": 2}, "1 scripted attacker, 2 benign agents"),
        (["Attacker"], 1, {"with_defender": False}, "1 scripted attacker"),
        (["Attacker"], {"Benign": 2}, {"benign": 1}, "1 scripted attacker, 2 benign agents"),
        (["Attacker", "Defender"], 1, {}, "1 scripted attacker, 1 random defender"),
        (["Attacker", "Defender"], 1, {"with_defender": False}, "1 scripted attacker"),
        (["Attacker", "Defender"], 3, {}, "2 scripted attackers, 1 random defender"),
        (
            ["Attacker", "Defender"],
            {"Attacker": 2, "Defender": 3},
            {"with_defender": True},
            "2 scripted attackers, 3 random defenders",
        ),
    ],
)
def test_line_up_seats_those_asked_for_and_those_required(
    roles: list[str], required: Any, options: dict[str, Any], expected: str
) -> None:
    seats = line_up(_task(*roles, required=required), "scripted", **options)

    assert describe(seats) == expected
    assert len({seat.name for seat in seats}) == len(seats)
    assert all(seat.program.is_file() for seat in seats)


@pytest.mark.parametrize(
    ("task", "with_defender", "reason"),
    [
        (_task("Attacker"), True, "no Defender"),
        (_task("Attacker", "Defender", required={"Defender": 1}), False, "waits for 1 Defender"),
    ],
)
def test_line_up_task_and_wishes_do_not_go_together_raises(
    task: Task, with_defender: bool | None, reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        line_up(task, "random", with_defender=with_defender)


def test_line_up_agents_not_installed_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGENTS_DIRS", (tmp_path,))

    with pytest.raises(ConfigurationError, match=f"random_attacker.py is not.*{tmp_path}"):
        line_up(_task("Attacker"), "random")
