from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from netsecgame.game.hosting.plan import HostPlan, describe_numbers
from netsecgame.game.worlds.command_line import limits_for
from netsecgame.game.worlds.WhiteBoxNetSecGame import WhiteBoxNetSecGame


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([], ""),
        ([7], "7"),
        ([7, 8], "7-8"),
        (range(8, 16), "8-15"),
        ([7, 9], "7, 9"),
        ([8, 7], "8, 7"),
        ([7, 7], "7, 7"),
    ],
)
def test_describe_numbers_is_a_span_only_if_each_is_the_next(numbers: list[int], text: str) -> None:
    assert describe_numbers(numbers) == text


@pytest.mark.parametrize(("port", "of_third"), [(9000, 9003), (0, 0)])
def test_port_of_follows_the_first_unless_that_is_any(port: int, of_third: int) -> None:
    plan = HostPlan(world=WhiteBoxNetSecGame, task=Path("x"), host="::1", port=port)

    assert plan.port_of(3) == of_third


def test_plan_with_all_options_travels_to_another_process() -> None:
    plan = HostPlan(
        world=WhiteBoxNetSecGame,
        task=Path("x.yaml"),
        host="127.0.0.1",
        port=9000,
        seed=3,
        games=4,
        numbers=range(2, 4),
        worker=1,
        log_level="DEBUG",
        loop="asyncio",
        stops_with_stdin=True,
        options={"limits": limits_for(10_000), "required_players": 2},
    )

    assert pickle.loads(pickle.dumps(plan)) == plan
