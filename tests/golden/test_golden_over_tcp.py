"""The recorded reference games, played by four agents over TCP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.golden.replay import GoldenGame, canonical_view
from tests.integration.server import join, serving

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.both_loops


async def test_server_replaying_a_recorded_game_shows_every_view_and_false_positive(
    golden_path: Path, tmp_path: Path
) -> None:
    game = GoldenGame.load(golden_path)
    async with serving(tmp_path, dict(game.task)) as server:
        agents = {}
        for player in game.players:
            client = agents[player.name] = await server.connect()
            joined = await client.ask(join(player.role.value, player.name))
            assert joined["status"] == "GameStatus.CREATED", player.name
            start = canonical_view(joined["observation"]["state"])
            assert start == player.first_view, player.name

        episode = server.world._episode
        for step in game.steps():
            reply = await agents[step.player].ask(step.wire_action)
            context = f"step {step.index}: {step.player} plays {step.action}"
            assert reply["status"] == "GameStatus.OK", context
            assert canonical_view(reply["observation"]["state"]) == step.view, context
            counted = {name: episode.player(c.peer).false_positives for name, c in agents.items()}
            assert {who: n for who, n in counted.items() if n} == step.false_positives, context
