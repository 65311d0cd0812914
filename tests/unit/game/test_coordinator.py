from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netsecgame.errors import TaskError
from netsecgame.game.coordinator import GameCoordinator
from netsecgame.game.worlds.NetSecGame import NetSecGame
from netsecgame.game.worlds.WhiteBoxNetSecGame import WhiteBoxNetSecGame
from tests.unit.game.test_configuration_manager import TASK_FILE

if TYPE_CHECKING:
    from netsecgame.game_components import Action, GameState

Peer = tuple[str, int]


class Slow:
    async def step(self, agent_id: Peer, agent_state: GameState, action: Action) -> GameState:
        raise NotImplementedError


class Quick(Slow):
    step_is_immediate = True


def test_step_is_immediate_only_of_the_class_that_says_so_of_its_own_step() -> None:
    overridden = type("Overridden", (NetSecGame,), {"step": Slow.step})
    said = type("Said", (NetSecGame,), {"step": Slow.step, "step_is_immediate": True})

    assert GameCoordinator.step_is_immediate is False
    assert NetSecGame.step_is_immediate is True
    assert WhiteBoxNetSecGame.step_is_immediate is True
    assert type("Other", (NetSecGame,), {}).step_is_immediate is True  # type: ignore[attr-defined]
    assert overridden.step_is_immediate is False  # type: ignore[attr-defined]
    assert said.step_is_immediate is True  # type: ignore[attr-defined]


def test_step_is_immediate_of_a_mixin_that_brings_a_step_is_false() -> None:
    mixed = type("Mixed", (Slow, NetSecGame), {})
    quick = type("MixedQuick", (Quick, NetSecGame), {})

    assert mixed.step_is_immediate is False  # type: ignore[attr-defined]
    assert quick.step_is_immediate is True  # type: ignore[attr-defined]


@pytest.mark.parametrize("method", ["reset", "reset_agent", "register_agent"])
def test_reset_is_immediate_only_of_the_class_that_says_so_of_its_own_methods(method: str) -> None:
    own = {method: getattr(GameCoordinator, method)}
    overridden = type("Overridden", (NetSecGame,), own)
    said = type("Said", (NetSecGame,), {**own, "reset_is_immediate": True})

    assert GameCoordinator.reset_is_immediate is False
    assert NetSecGame.reset_is_immediate is True
    assert overridden.reset_is_immediate is False  # type: ignore[attr-defined]
    assert overridden.step_is_immediate is True  # type: ignore[attr-defined]
    assert said.reset_is_immediate is True  # type: ignore[attr-defined]


async def test_start_tasks_white_box_with_dynamic_addresses_names_file_and_line() -> None:
    task = TASK_FILE.with_name("two_networks_small_dynamic.yaml")
    world = WhiteBoxNetSecGame("127.0.0.1", 0, task)

    with pytest.raises(TaskError, match=r"env\.use_dynamic_addresses: the white box") as caught:
        await world.start_tasks()

    assert caught.value.source == str(task)
    assert caught.value.line is not None
