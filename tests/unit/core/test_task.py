from __future__ import annotations

import pytest

from netsecgame.core.task import DEFAULT_DETECTION, DEFAULT_DETECTION_WINDOW, Position, Task, Word
from netsecgame.game_components import ActionType
from tests.unit.core.office import DB, PC, SERVERS, SSH, TABLE, WEB


@pytest.mark.parametrize(
    "position",
    [
        Position(known_networks=(SERVERS,)),
        Position(known_hosts=(Word.RANDOM,)),
        Position(controlled_hosts=(PC,)),
        Position(known_services={WEB: (SSH,)}),
        Position(known_data={WEB: (TABLE,)}),
        Position(known_blocks={WEB: (PC,)}),
    ],
)
def test_position_with_any_part_is_not_empty(position: Position) -> None:
    assert not position.is_empty


def test_position_with_nothing_for_its_hosts_is_empty() -> None:
    assert Position().is_empty
    assert Position(known_services={WEB: ()}, known_data={WEB: ()}, known_blocks={WEB: ()}).is_empty


@pytest.mark.parametrize(
    "position",
    [
        Position(known_networks=(SERVERS, Word.RANDOM)),
        Position(known_hosts=(Word.RANDOM,)),
        Position(controlled_hosts=(PC, Word.RANDOM)),
        Position(known_services={WEB: (SSH,), DB: (Word.RANDOM,)}),
        Position(known_data={WEB: (Word.RANDOM,)}),
        Position(known_blocks={WEB: (Word.RANDOM,)}),
        Position(known_blocks={Word.RANDOM: (PC,)}),
    ],
)
def test_position_with_something_random_has_chance(position: Position) -> None:
    assert position.has_chance


def test_position_with_other_words_has_no_chance() -> None:
    position = Position(
        known_networks=(Word.ALL_LOCAL,),
        controlled_hosts=(PC,),
        known_services={WEB: (Word.ALL,)},
        known_blocks={Word.ALL_ROUTERS: (Word.ALL_ATTACKERS,)},
    )

    assert not position.has_chance
    assert not Position().has_chance


def test_default_detection_has_the_numbers_of_the_public_game() -> None:
    numbers = {
        kind.value: (rule.probability, rule.min_share, rule.min_run, rule.min_repeats)
        for kind, rule in DEFAULT_DETECTION.items()
    }

    assert numbers == {
        "ScanNetwork": (0.05, 0.25, 2, None),
        "FindServices": (0.075, 0.3, 3, None),
        "ExfiltrateData": (0.025, 0.25, 2, None),
        "ExploitService": (0.1, 0.25, None, 2),
        "FindData": (0.025, 0.5, None, 2),
        "BlockIP": (0.01, 1.0, None, None),
    }
    assert DEFAULT_DETECTION_WINDOW == 5


def test_task_without_settings_has_actions_that_never_fail_by_chance() -> None:
    task = Task("office", {})

    assert set(task.success_probability.values()) == {1.0}
    assert ActionType.JoinGame not in task.success_probability
    assert task.detection is None
