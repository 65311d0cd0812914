"""What PettingZoo's own checkers say of the environments of several agents."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from pettingzoo.utils.conversions import aec_to_parallel

from netsecgame.envs import env, parallel_env
from tests.pettingzoo_checks import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    render_test,
    seed_test,
)

#: Line-ups by name: the default, a team with a benign agent, attackers alone, and opponents.
LINE_UPS: dict[str, dict[str, Any]] = {
    "defended": {},
    "team": {"task": "two_networks_team", "attackers": 2, "benign": 1},
    "attackers": {"task": "two_networks_small", "attackers": 2, "defenders": 0},
    "chance": {"task": "two_networks_random", "attackers": 1, "defenders": 0, "benign": 1},
    "opponents": {"benign": 1, "opponents": {"Attacker": "scripted", "Benign": "random"}},
    "dict": {"task": "two_networks_team", "attackers": 2, "observation": "dict"},
}
each_line_up = pytest.mark.parametrize("options", LINE_UPS.values(), ids=LINE_UPS)

#: What the checker says to everybody whose observations have a mask beside them or whose roles see
#: different things; it keeps a list of names to which it does not.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{text}:UserWarning")
    for text in (
        "Observation is not a NumPy array",
        "Observation space for each agent probably should be gymnasium.spaces.box",
        "Agents have different observation space sizes",
        "Observations are different shapes",
    )
]


@each_line_up
def test_api_of_the_turn_by_turn_environment(options: dict[str, Any]) -> None:
    api_test(env(**options), num_cycles=250)


@each_line_up
def test_api_of_the_parallel_environment(options: dict[str, Any]) -> None:
    parallel_api_test(parallel_env(**options), num_cycles=250)


@each_line_up
def test_api_of_the_parallel_environment_made_of_the_turn_by_turn_one(
    options: dict[str, Any],
) -> None:
    parallel_api_test(aec_to_parallel(env(**options)), num_cycles=250)


@each_line_up
def test_seeds(options: dict[str, Any]) -> None:
    seed_test(partial(env, **options), num_cycles=150)


@each_line_up
def test_max_cycles(options: dict[str, Any]) -> None:
    """It wants a module with both environments, and plays four rounds, which nobody wins."""
    module = SimpleNamespace(
        env=partial(env, **options), parallel_env=partial(parallel_env, **options)
    )
    max_cycles_test(module)


@pytest.mark.parametrize("name", ["defended", "opponents"])
def test_rendering_in_all_modes(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    render_test(partial(env, **LINE_UPS[name]))
    assert "attacker_0 in two_networks" in capsys.readouterr().out  # in the mode for people
