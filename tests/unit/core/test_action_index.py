from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from netsecgame.core.action_index import ActionIndex
from netsecgame.core.actions.indexed import index_action
from netsecgame.core.addressing import Labels, draw_labels
from netsecgame.core.dynamics import compile_game
from netsecgame.core.legal_actions import legal_flags, legal_mask, legal_numbers
from netsecgame.core.world import World
from netsecgame.errors import UnknownActionError
from netsecgame.game.loading import load_game
from netsecgame.game_components import IP, Action, ActionType, AgentRole, GameState, Network
from netsecgame.utils.utils import generate_valid_actions
from tests.unit.core.office import (
    DB,
    NOWHERE,
    PC,
    UNKNOWN_DATA,
    UNKNOWN_SERVICE,
    WEB,
    block,
    exfiltrate,
    exploit,
    find_data,
    office_topology,
    scan,
)

TASKS = sorted((Path(__file__).resolve().parents[3] / "task_configs").glob("*.yaml"))
TOPOLOGY = office_topology()
LABELS = Labels.original(TOPOLOGY)


@pytest.mark.parametrize("include_blocks", [True, False])
def test_action_of_every_number_is_found_under_that_number(include_blocks: bool) -> None:
    index = ActionIndex(TOPOLOGY, include_blocks=include_blocks)
    actions = [index.action(number, LABELS) for number in range(index.size)]

    assert [index.find(action, LABELS) for action in actions] == list(range(len(index)))
    assert [a.to_json() for a in actions] == sorted(a.to_json() for a in actions)
    assert any(a.type is ActionType.BlockIP for a in actions) is include_blocks


def test_indexed_of_every_number_equals_that_of_its_action() -> None:
    index = ActionIndex(TOPOLOGY)
    for number in range(index.size):
        action = index.action(number, LABELS)
        assert index.indexed(number, LABELS) == index_action(action, LABELS)


def test_action_under_new_addresses_means_the_same_hosts() -> None:
    index = ActionIndex(TOPOLOGY)
    moved = draw_labels(TOPOLOGY, Random(5))

    for number in range(0, index.size, 7):
        action = index.action(number, moved)
        assert index.find(action, moved) == number
        old, new = index.indexed(number, LABELS), index.indexed(number, moved)
        assert replace(old, log_entry="") == replace(new, log_entry="")
        assert new == index_action(action, moved)


@pytest.mark.parametrize("number", [-1, 10**9])
def test_parts_of_unknown_number_is_an_error(number: int) -> None:
    index = ActionIndex(TOPOLOGY)

    with pytest.raises(UnknownActionError, match=f"action {number}: .* 0 to {index.size - 1}"):
        index.parts(number)
    with pytest.raises(IndexError):
        index.action(index.size, LABELS)


@pytest.mark.parametrize(
    "action",
    [
        scan(PC, Network("10.99.0.0", 24)),
        scan(NOWHERE, TOPOLOGY.networks[0]),
        exploit(PC, WEB, UNKNOWN_SERVICE),
        exfiltrate(DB, WEB, UNKNOWN_DATA),
        find_data(PC, NOWHERE),
        block(PC, WEB, NOWHERE),
    ],
    ids=str,
)
def test_find_of_what_does_not_exist_is_minus_one(action: Action) -> None:
    assert ActionIndex(TOPOLOGY).find(action, LABELS) == -1


def test_find_of_an_outsider_is_minus_one() -> None:
    labels = Labels.original(TOPOLOGY)
    labels.admit_outsider(NOWHERE)

    assert ActionIndex(TOPOLOGY).find(block(PC, WEB, NOWHERE), labels) == -1
    assert ActionIndex(TOPOLOGY).find(find_data(NOWHERE, WEB), labels) == -1


def test_find_of_a_block_in_an_index_without_them_is_minus_one() -> None:
    index = ActionIndex(TOPOLOGY, include_blocks=False)

    assert index.find(block(PC, WEB, DB), LABELS) == -1


@pytest.mark.parametrize("include_blocks", [True, False])
@pytest.mark.parametrize("task", TASKS, ids=lambda path: path.stem)
def test_legal_numbers_in_play_are_the_valid_actions(task: Path, include_blocks: bool) -> None:
    spec = load_game(task)
    topology = compile_game(spec)
    index = ActionIndex(topology, include_blocks=include_blocks)
    world = World(spec, 3, topology, index)
    state: GameState = world.register("agent", AgentRole.Attacker).state
    rng = Random(3)
    for _ in range(120):
        labels = world.dynamics.labels
        known = state.knowledge  # type: ignore[attr-defined]
        numbers = legal_numbers(index, known)
        valid = generate_valid_actions(state, include_blocks)
        assert numbers == sorted(index.find(action, labels) for action in valid)
        assert legal_mask(index, known) == sum(1 << number for number in numbers)
        flags = legal_flags(index, known)
        assert [number for number, flag in enumerate(flags) if flag] == numbers
        if not world.player("agent").is_playing:
            state = world.reset()["agent"].state
            continue
        state = world.step_number("agent", rng.choice(numbers)).state


def test_legal_numbers_of_services_that_a_host_does_not_offer_are_left_out() -> None:
    task = TASKS[0]
    topology = compile_game(load_game(task))
    index = ActionIndex(topology)
    offered = topology.services_of[0]
    foreign = next(i for i in range(len(topology.services)) if not offered >> i & 1)
    known = World(load_game(task)).register("a", AgentRole.Attacker).state.knowledge  # type: ignore[attr-defined]
    known = known._replace(services={0: 1 << foreign})

    section = index.section(ActionType.ExploitService)
    end = section.start + section.per_source * len(index.addresses)
    assert not [n for n in legal_numbers(index, known) if section.start <= n < end]


@pytest.mark.parametrize("task", TASKS, ids=lambda path: path.stem)
def test_step_number_plays_as_step_without_shortcuts(task: Path) -> None:
    spec = load_game(task)
    by_number, by_action = World(spec, 5), World(spec, 5)
    index = by_number.action_index
    for world in (by_number, by_action):
        world.register("one", AgentRole.Attacker)
        world.register("two", AgentRole.Attacker)

    rng = Random(1)
    for step in range(600):
        agent = ("one", "two")[step % 2]
        by_action.player(agent).is_plain = False  # what takes the shortcut must play the same
        labels = by_number.dynamics.labels
        if not by_number.player(agent).is_playing:
            if not any(p.is_playing for p in by_number.episode.players.values()):
                assert by_number.reset(step) == by_action.reset(step)
            continue
        known = by_number.player(agent).state.knowledge  # type: ignore[attr-defined]
        legal = legal_numbers(index, known)
        number = rng.choice(legal) if rng.random() < 0.9 else rng.randrange(index.size)
        assert by_number.step_number(agent, number) == by_action.step(
            agent, index.action(number, labels)
        )


def test_step_number_of_unknown_number_plays_nothing() -> None:
    world = World(load_game(TASKS[0]))
    world.register("agent", AgentRole.Attacker)

    with pytest.raises(UnknownActionError):
        world.step_number("agent", world.action_index.size)
    assert world.player("agent").steps == 0


def test_ip_order_of_the_index_is_that_of_the_text() -> None:
    index = ActionIndex(TOPOLOGY)
    texts = [str(TOPOLOGY.addresses[address]) for address in index.addresses]

    assert texts == sorted(texts)
    assert all(isinstance(TOPOLOGY.addresses[a], IP) for a in index.addresses)
