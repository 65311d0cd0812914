from __future__ import annotations

from pathlib import Path

import pytest

from netsecgame.cli.server import describe_addresses
from netsecgame.game.hosting.plan import HostPlan
from netsecgame.game.worlds.NetSecGame import NetSecGame


@pytest.mark.parametrize(
    ("port", "games", "ports", "lines"),
    [
        (9000, 1, {0: 9000}, ["listening on 127.0.0.1:9000 (Ctrl-C stops)"]),
        (0, 1, {0: 41001}, ["listening on 127.0.0.1:41001 (Ctrl-C stops)"]),
        (
            9000,
            16,
            {i: 9000 + i for i in range(16)},
            ["listening on 127.0.0.1:9000-9015 (16 games, Ctrl-C stops)"],
        ),
        (
            0,
            2,
            {0: 41001, 1: 41002},
            [
                "listening on 127.0.0.1:41001 (game 0, Ctrl-C stops)",
                "listening on 127.0.0.1:41002 (game 1, Ctrl-C stops)",
            ],
        ),
        (
            9000,
            3,
            {0: 9000, 2: 9002},
            [
                "listening on 127.0.0.1:9000 (game 0, Ctrl-C stops)",
                "listening on 127.0.0.1:9002 (game 2, Ctrl-C stops)",
            ],
        ),
        (9000, 2, {}, []),
    ],
    ids=["one", "one, any port", "many", "any ports", "one has failed", "all have failed"],
)
def test_describe_addresses_is_a_line_for_all_that_follow_or_one_a_game(
    port: int, games: int, ports: dict[int, int], lines: list[str]
) -> None:
    plan = HostPlan(world=NetSecGame, task=Path("x"), host="127.0.0.1", port=port, games=games)

    assert describe_addresses(plan, ports) == lines
