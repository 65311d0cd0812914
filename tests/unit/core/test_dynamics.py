from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from netsecgame.core.dynamics import Dynamics, compile_game
from netsecgame.core.knowledge import KnownState
from netsecgame.core.task import Position, RoleTask, Word
from netsecgame.errors import TaskError
from netsecgame.game_components import IP, Action, GameState, Network, Service
from tests.unit.core.office import (
    ABOVE,
    ATTACKER,
    CLIENTS,
    DB,
    HTTP,
    LAPTOP,
    NOWHERE,
    OUTSIDE,
    OUTSIDE_NET,
    PC,
    SERVERS,
    TABLE,
    WEB,
    block,
    chances,
    exfiltrate,
    exploit,
    find_data,
    find_services,
    logs,
    office_dynamics,
    office_spec,
    scan,
    view,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

KNOWING = view(PC, WEB, DB, known_data={DB: {TABLE}}, known_services={LAPTOP: {HTTP}})

#: Each works in the office, and changes what `KNOWING` knows or what is logged.
WORKING = [
    scan(PC, SERVERS),
    find_services(DB, WEB),
    find_data(DB, WEB),
    exploit(PC, WEB, HTTP),
    exfiltrate(DB, WEB, TABLE),
    block(DB, WEB, PC),
]


def names(actions: Sequence[Action]) -> list[str]:
    return [str(action.type) for action in actions]


# --- chance ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", WORKING, ids=names(WORKING))
def test_step_without_any_chance_changes_and_logs_nothing(action: Action) -> None:
    never = office_dynamics(success_probability=chances(**{action.type.value: 0.0}))
    always = office_dynamics()

    assert never.step("agent", KNOWING, action) == KNOWING
    assert logs(never) == {}
    assert never.truth.blocked == {}
    always.step("agent", KNOWING, action)
    assert logs(always) != {}


@pytest.mark.parametrize("action", WORKING, ids=names(WORKING))
def test_step_with_half_a_chance_works_half_the_time(action: Action) -> None:
    worked = 0
    for seed in range(400):
        dynamics = office_dynamics(seed, success_probability=chances(**{action.type.value: 0.5}))
        dynamics.step("agent", KNOWING, action)
        worked += logs(dynamics) != {}

    assert 160 < worked < 240


def test_step_chance_of_one_type_leaves_the_others_alone() -> None:
    dynamics = office_dynamics(success_probability=chances(ScanNetwork=0.0))

    assert dynamics.step("agent", view(PC), find_services(PC, WEB)).known_services == {
        WEB: {HTTP, Service("ssh", "passive", "8.1.0", is_local=False)}
    }


def test_step_that_fails_by_chance_is_nobody_s_false_positive() -> None:
    dynamics = office_dynamics(success_probability=chances(FindServices=0.0))
    dynamics.step("defender", view(WEB), block(WEB, WEB, PC))

    dynamics.step("agent", view(PC), find_services(PC, WEB))
    assert dynamics.take_blamed() == []
    dynamics.step("agent", view(PC), find_data(PC, WEB))
    assert dynamics.take_blamed() == ["defender"]


def test_step_by_chance_is_the_same_for_the_same_seed() -> None:
    def outcomes(seed: int) -> list[bool]:
        dynamics = office_dynamics(seed, success_probability=chances(ScanNetwork=0.5))
        return [dynamics.step("agent", view(PC), scan(PC, SERVERS)) != view(PC) for _ in range(40)]

    assert outcomes(1) == outcomes(1)
    assert outcomes(1) != outcomes(2)


# --- states ---------------------------------------------------------------------------------------


def test_step_of_a_plain_state_gives_one_that_knows_its_labels() -> None:
    dynamics = office_dynamics()

    after = dynamics.step("agent", view(PC), scan(PC, CLIENTS))

    assert isinstance(after, KnownState)
    assert after.labels is dynamics.labels
    assert dynamics.step("agent", GameState(), scan(PC, CLIENTS)) == GameState()


def test_step_never_changes_the_state_it_was_given() -> None:
    dynamics = office_dynamics()
    before = dynamics.draw_start(Position(controlled_hosts=(PC, WEB, DB)))
    text = before.as_json()

    for action in WORKING:
        dynamics.step("agent", before, action)

    fresh = dynamics.draw_start(Position(controlled_hosts=(PC, WEB, DB)))
    assert before.as_json() == text == fresh.as_json()


# --- words in starts and goals --------------------------------------------------------------------

RANDOM_START = Position(controlled_hosts=(Word.RANDOM,))
RANDOM_GOAL = Position(known_data={OUTSIDE: (Word.RANDOM,)})


def test_draw_start_and_goal_of_the_same_seed_are_the_same() -> None:
    def draws(seed: int) -> list[tuple[GameState, GameState]]:
        dynamics = office_dynamics(seed)
        return [
            (dynamics.draw_start(RANDOM_START), dynamics.draw_goal(RANDOM_GOAL).state)
            for _ in range(10)
        ]

    assert draws(3) == draws(3)
    assert draws(3) != draws(4)


def test_draw_start_does_not_shift_goals_and_goals_do_not_shift_starts() -> None:
    mixed, apart = office_dynamics(), office_dynamics()
    starts, goals = [], []
    for _ in range(10):
        starts.append(mixed.draw_start(RANDOM_START))
        goals.append(mixed.draw_goal(RANDOM_GOAL).state)

    assert [apart.draw_goal(RANDOM_GOAL).state for _ in range(10)] == goals
    assert [apart.draw_start(RANDOM_START) for _ in range(10)] == starts


def test_draw_start_and_goal_of_the_task_s_own_positions_are_the_same_as_of_any() -> None:
    start = Position(controlled_hosts=(PC,), known_blocks={WEB: (PC, OUTSIDE)})
    goal = Position(known_data={OUTSIDE: (TABLE,)}, known_networks=(Word.ALL_LOCAL,))
    spec = office_spec({ATTACKER: RoleTask(start=start, goal=goal)})
    dynamics = Dynamics(spec, 1)
    for randomize_addresses in (False, True, False, True):
        expected_start = dynamics.draw_start(replace(start))
        expected_goal = dynamics.draw_goal(replace(goal))
        for _ in range(2):
            assert dynamics.draw_start(start) == expected_start
            assert dynamics.draw_goal(goal) == expected_goal
            assert dynamics.draw_start(start).labels is dynamics.labels
            dynamics.step("agent", KNOWING, block(DB, WEB, NOWHERE))
            dynamics.reset()
        dynamics.reset(3, randomize_addresses=randomize_addresses)


def test_draw_start_of_the_task_s_own_random_position_is_drawn_each_time() -> None:
    spec = office_spec({ATTACKER: RoleTask(start=RANDOM_START, goal=RANDOM_GOAL)})
    own, apart = Dynamics(spec, 1), office_dynamics(1)

    for _ in range(10):
        assert own.draw_start(RANDOM_START) == apart.draw_start(RANDOM_START)
        assert own.draw_goal(RANDOM_GOAL) == apart.draw_goal(RANDOM_GOAL)


def test_draw_start_of_what_there_is_not_is_an_error() -> None:
    with pytest.raises(TaskError, match=r"10\.9\.9\.9"):
        office_dynamics().draw_start(Position(controlled_hosts=(NOWHERE,)))


def test_compile_game_knows_what_only_the_task_names() -> None:
    network, service = Network("10.20.0.0", 16), Service("gopher")
    role = RoleTask(
        start=Position(known_networks=(network,)), goal=Position(known_services={WEB: (service,)})
    )

    topology = compile_game(office_spec({ATTACKER: role}))

    assert network in topology.network_index
    assert service in topology.service_index
    # The task may name them; the world does not have them.
    dynamics = Dynamics(office_spec({ATTACKER: role}), 1)
    known = view(PC, known_services={WEB: {service}})
    assert dynamics.step("agent", known, exploit(PC, WEB, service)) == known


# --- reset ----------------------------------------------------------------------------------------


def test_reset_restores_data_blocks_and_logs() -> None:
    dynamics = office_dynamics()
    for action in WORKING:
        dynamics.step("agent", KNOWING, action)

    dynamics.reset()

    assert dynamics.truth.data == list(dynamics.topology.data_of)
    assert dynamics.truth.reach == list(dynamics.topology.reach)
    assert dynamics.truth.blocked == {}
    assert logs(dynamics) == {}


def test_reset_with_a_seed_starts_all_chance_anew() -> None:
    fresh, used = office_dynamics(7), office_dynamics(1)
    used.draw_start(RANDOM_START)
    used.reset(7)

    assert [used.draw_start(RANDOM_START) for _ in range(8)] == [
        fresh.draw_start(RANDOM_START) for _ in range(8)
    ]
    assert used.streams.seed == 7


def test_reset_without_a_seed_goes_on_with_the_streams() -> None:
    dynamics = office_dynamics(7)
    draws = []
    for _ in range(8):
        draws.append(dynamics.draw_start(RANDOM_START))
        dynamics.reset()

    assert len(set(draws)) > 1


# --- dynamic addresses ----------------------------------------------------------------------------


def moved(dynamics: Dynamics, ip: IP) -> IP:
    """The address that now stands for one of the scenario's."""
    return dynamics.labels.addresses[dynamics.topology.address_index[ip]]


def moved_network(dynamics: Dynamics, network: Network) -> Network:
    return dynamics.labels.networks[dynamics.topology.network_index[network]]


def test_reset_with_random_addresses_moves_starts_and_goals() -> None:
    dynamics = office_dynamics()
    dynamics.reset(5, randomize_addresses=True)

    start = dynamics.draw_start(Position(controlled_hosts=(PC, OUTSIDE), known_hosts=(WEB,)))
    goal = dynamics.draw_goal(Position(known_data={OUTSIDE: (TABLE,)}, known_blocks={WEB: (PC,)}))

    new = {ip: moved(dynamics, ip) for ip in (PC, WEB, OUTSIDE)}
    assert all(new[ip] != ip for ip in new)
    assert start == GameState(
        controlled_hosts={new[PC], new[OUTSIDE]},
        known_hosts=set(new.values()),
        known_networks={
            moved_network(dynamics, net) for net in (SERVERS, CLIENTS, ABOVE, OUTSIDE_NET)
        },
    )
    assert goal.state == GameState(
        known_data={new[OUTSIDE]: {TABLE}}, known_blocks={new[WEB]: {new[PC]}}
    )


def test_reset_with_random_addresses_makes_the_old_ones_vanish() -> None:
    dynamics = office_dynamics()
    dynamics.reset(5, randomize_addresses=True)
    new_pc, new_web = moved(dynamics, PC), moved(dynamics, WEB)

    assert dynamics.step("agent", view(new_pc), scan(new_pc, SERVERS)) == view(new_pc)
    assert dynamics.step("agent", view(new_pc), find_services(new_pc, WEB)) == view(new_pc)
    assert new_web in dynamics.step("a", view(new_pc), scan(new_pc, "0.0.0.0/0")).known_hosts
    # The firewall went with them.
    assert moved(dynamics, DB) not in dynamics.step(
        "a", view(new_pc), scan(new_pc, "0.0.0.0/0")
    ).known_hosts  # fmt: skip


def test_reset_with_random_addresses_logs_the_new_ones() -> None:
    dynamics = office_dynamics()
    dynamics.reset(5, randomize_addresses=True)
    new_pc = moved(dynamics, PC)

    after = dynamics.step("agent", view(new_pc), find_data(new_pc, new_pc))

    (log,) = after.known_data[new_pc]
    assert str(new_pc) in log.content


def test_reset_without_random_addresses_keeps_those_there_are() -> None:
    dynamics = office_dynamics()
    dynamics.reset(5, randomize_addresses=True)
    before = (moved(dynamics, PC), moved_network(dynamics, CLIENTS))
    dynamics.labels.admit_outsider(NOWHERE)

    dynamics.reset(6)

    assert (moved(dynamics, PC), moved_network(dynamics, CLIENTS)) == before
    assert dynamics.labels.find_address(NOWHERE) == -1
    assert len(dynamics.labels.addresses) == len(dynamics.topology.addresses)


def test_reset_with_random_addresses_is_the_same_for_the_same_seed() -> None:
    one, other = office_dynamics(1), office_dynamics(2)
    other.draw_start(RANDOM_START)
    one.reset(5, randomize_addresses=True)
    other.reset(4, randomize_addresses=True)
    different = other.labels.addresses
    other.reset(5, randomize_addresses=True)

    assert one.labels.addresses == other.labels.addresses
    assert one.labels.addresses != different
