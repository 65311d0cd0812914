from __future__ import annotations

import pytest

from netsecgame.game.hosting.workers import deal


@pytest.mark.parametrize(
    ("games", "workers", "sizes"),
    [(16, 1, [16]), (16, 2, [8, 8]), (16, 3, [5, 5, 6]), (3, 3, [1, 1, 1]), (7, 4, [1, 2, 2, 2])],
)
def test_deal_gives_every_game_to_one_worker_and_all_about_as_many(
    games: int, workers: int, sizes: list[int]
) -> None:
    shares = deal(range(games), workers)

    assert [len(share) for share in shares] == sizes
    assert [number for share in shares for number in share] == list(range(games))
