from __future__ import annotations

import json
from typing import TYPE_CHECKING

from netsecgame.core.world import World
from netsecgame.game_components import GameState
from tests.golden.replay import GoldenGame, canonical_view

if TYPE_CHECKING:
    from pathlib import Path


def test_world_replaying_a_recorded_game_shows_every_view_and_false_positive(
    golden_path: Path,
) -> None:
    game = GoldenGame.load(golden_path)
    world = World(game.spec)

    for player in game.players:
        start = world.register(player.name, player.role)
        assert canonical_view(start.state) == player.first_view, player.name

    for step in game.steps():
        after = world.step(step.player, step.action)
        context = f"step {step.index}: {step.player} plays {step.action}"
        assert canonical_view(after.state) == step.view, context
        counted = {p.name: world.player(p.name).false_positives for p in game.players}
        assert {who: n for who, n in counted.items() if n} == step.false_positives, context


def test_canonical_view_of_the_wire_form_equals_that_of_the_state(golden_path: Path) -> None:
    game = GoldenGame.load(golden_path)
    world = World(game.spec)
    for player in game.players:
        world.register(player.name, player.role)
    for step in game.steps():
        world.step(step.player, step.action)

    for player in game.players:
        state = world.player(player.name).state
        sent = json.loads(state.as_json())

        assert canonical_view(sent) == canonical_view(state)
        assert canonical_view(GameState.from_dict(sent)) == canonical_view(state)


def test_recorded_games_are_of_all_roles_and_change_views(golden_path: Path) -> None:
    game = GoldenGame.load(golden_path)
    views = {player.name: player.first_view for player in game.players}
    changes = 0
    for step in game.steps():
        changes += step.view != views[step.player]
        views[step.player] = step.view

    assert [player.role.value for player in game.players] == [
        "Attacker",
        "Attacker",
        "Defender",
        "Benign",
    ]
    assert changes >= 10
