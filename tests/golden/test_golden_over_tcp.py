from __future__ import annotations

from typing import TYPE_CHECKING

from tests.golden.replay import GoldenGame, canonical_view
from tests.integration.server import join, serving

if TYPE_CHECKING:
    from pathlib import Path


async def test_server_replaying_a_recorded_game_shows_every_view_and_false_positive(
    golden_path: Path, tmp_path: Path
) -> None:
    game = GoldenGame.load(golden_path)
    async with serving(tmp_path, dict(game.task)) as server:
        clients = {}
        for player in game.players:
            client = clients[player.name] = await server.connect()
            reply = await client.ask(join(player.role.value, player.name))
            assert canonical_view(reply["observation"]["state"]) == player.first_view, player.name

        for step in game.steps():
            reply = await clients[step.player].ask(step.wire_action)
            context = f"step {step.index}: {step.player} plays {step.action}"
            assert reply["status"] == "GameStatus.OK", context
            assert canonical_view(reply["observation"]["state"]) == step.view, context
            counted = {
                name: server.world.count_false_positives(client.peer)
                for name, client in clients.items()
            }
            assert {who: n for who, n in counted.items() if n} == step.false_positives, context
