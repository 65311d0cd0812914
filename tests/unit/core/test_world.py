from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from netsecgame.core.addressing import draw_labels
from netsecgame.core.dynamics import compile_game
from netsecgame.core.knowledge import KnownState
from netsecgame.core.task import DetectionRule, Position, Rewards, RoleTask, Word
from netsecgame.core.world import World
from netsecgame.errors import (
    AlreadyRegisteredError,
    EpisodeOverError,
    NotRegisteredError,
    RoleNotAvailableError,
)
from netsecgame.game_components import Action, ActionType, AgentStatus, GameState
from tests.unit.core.office import (
    ATTACKER,
    BENIGN,
    CLIENTS,
    DB,
    DEFENDER,
    HTTP,
    LAPTOP,
    NOWHERE,
    OUTSIDE,
    OUTSIDE_NET,
    PAGE,
    PC,
    SERVERS,
    WEB,
    block,
    chances,
    exfiltrate,
    exploit,
    find_data,
    find_services,
    office_spec,
    office_world,
    scan,
)

#: Steal the page of the web server.
THIEF = RoleTask(
    start=Position(controlled_hosts=(PC, OUTSIDE)),
    goal=Position(known_data={OUTSIDE: (PAGE,)}),
    max_steps=10,
)
THEFT = [
    scan(PC, SERVERS),
    find_services(PC, WEB),
    exploit(PC, WEB, HTTP),
    find_data(PC, WEB),
    exfiltrate(WEB, OUTSIDE, PAGE),
]
RANDOM_ROLE = RoleTask(
    start=Position(controlled_hosts=(Word.RANDOM,)),
    goal=Position(known_data={OUTSIDE: (Word.RANDOM,)}),
)


# --- registering ----------------------------------------------------------------------------------


def test_register_gives_the_start_view_and_the_goal() -> None:
    world = office_world({ATTACKER: THIEF})

    state, goal = world.register("A", ATTACKER)

    assert state.controlled_hosts == state.known_hosts == {PC, OUTSIDE}
    assert state.known_networks >= {CLIENTS, OUTSIDE_NET}
    assert goal.state == GameState(known_data={OUTSIDE: {PAGE}})
    assert world.player("A").max_steps == 10
    assert world.player("A").state is state


def test_register_of_a_role_that_the_task_lacks_names_those_there_are() -> None:
    spec = office_spec()
    roles = {role: part for role, part in spec.task.roles.items() if role is not DEFENDER}
    world = World(replace(spec, task=replace(spec.task, roles=roles)), 1)

    with pytest.raises(RoleNotAvailableError, match=r"role Defender .*: Attacker, Benign$"):
        world.register("D", DEFENDER)


def test_register_twice_is_an_error() -> None:
    world = office_world()
    world.register("A", ATTACKER)

    with pytest.raises(AlreadyRegisteredError):
        world.register("A", DEFENDER)


def test_world_takes_the_seed_given_before_that_of_the_task_before_42() -> None:
    assert World(office_spec(seed=7), 8).dynamics.streams.seed == 8
    assert World(office_spec(seed=7)).dynamics.streams.seed == 7
    assert World(office_spec(seed=None)).dynamics.streams.seed == 42


def test_worlds_that_share_a_topology_do_not_share_their_truth() -> None:
    spec = office_spec()
    topology = compile_game(spec)
    one, other = World(spec, 1, topology), World(spec, 1, topology)
    for world in (one, other):
        world.register("D", DEFENDER)
        world.register("A", ATTACKER)

    one.step("D", block(WEB, WEB, PC))

    assert one.dynamics.topology is other.dynamics.topology
    assert WEB not in one.step("A", scan(PC, SERVERS)).state.known_hosts
    assert WEB in other.step("A", scan(PC, SERVERS)).state.known_hosts


# --- a whole attack -------------------------------------------------------------------------------


def test_step_by_step_an_attacker_reaches_its_goal() -> None:
    world = office_world({ATTACKER: THIEF}, rewards=Rewards(success=10, step=-0.5, fail=-3))
    world.register("A", ATTACKER)

    transitions = [world.step("A", action) for action in THEFT]

    assert [t.reward for t in transitions] == [-0.5] * 4 + [9.5]
    assert [t.status for t in transitions] == [AgentStatus.PlayingWithTimeout] * 4 + [
        AgentStatus.Success
    ]
    assert [t.is_settled for t in transitions] == [False] * 4 + [True]
    assert transitions[-1].state.known_data[OUTSIDE] == {PAGE}


def test_step_that_fails_costs_a_step_and_changes_nothing() -> None:
    world = office_world({ATTACKER: THIEF})
    start = world.register("A", ATTACKER).state

    for number in range(1, 10):
        after = world.step("A", exploit(PC, DB, HTTP))
        assert (after.state, after.reward) == (start, -1)
        assert world.player("A").steps == number
    assert world.step("A", find_data(NOWHERE, PC)).status is AgentStatus.TimeoutReached


def test_step_that_changes_nothing_wins_when_the_start_is_the_goal() -> None:
    winner = replace(THIEF, goal=Position(controlled_hosts=(PC,)))
    world = office_world({ATTACKER: winner})
    world.register("A", ATTACKER)

    assert world.step("A", exploit(PC, DB, HTTP)).status is AgentStatus.Success


def test_step_from_a_state_of_other_addresses_knows_what_both_have_in_common() -> None:
    world = office_world()
    world.register("A", ATTACKER)
    moved = draw_labels(world.dynamics.topology, Random(1))
    start = world.player("A").state
    assert isinstance(start, KnownState)
    state = KnownState(start.knowledge, moved)
    assert PC not in state.controlled_hosts
    world.player("A").state = state

    after = world.step("A", scan(PC, SERVERS)).state

    assert after.controlled_hosts == after.known_hosts == set()


def test_step_counts_the_text_of_each_action_though_equal_ones_are_looked_up_once() -> None:
    world = office_world()
    world.register("A", ATTACKER)
    trajectory = world.player("A").trajectory
    world.step("A", exfiltrate(PC, OUTSIDE, PAGE))
    before = trajectory.kept_bytes

    world.step("A", exfiltrate(PC, OUTSIDE, replace(PAGE, content="x" * 100_000)))

    assert trajectory.kept_bytes - before > 100_000


@pytest.mark.parametrize("kind", [ActionType.ExploitService, ActionType.ExfiltrateData])
def test_step_number_is_recorded_as_step_is(kind: ActionType) -> None:
    worlds = office_world(), office_world()
    for world in worlds:
        world.register("A", ATTACKER)
    number = worlds[0].action_index.section(kind).start
    action = worlds[0].action_index.action(number, worlds[0].dynamics.labels)

    worlds[0].step("A", action)
    worlds[1].step_number("A", number)

    by_action, by_number = (world.player("A").trajectory for world in worlds)
    assert by_number.actions == by_action.actions == [action]
    assert by_number.kept_bytes == by_action.kept_bytes


def test_step_of_a_stranger_or_after_the_end_is_an_error() -> None:
    world = office_world({ATTACKER: THIEF})
    with pytest.raises(NotRegisteredError):
        world.step("A", THEFT[0])
    world.register("A", ATTACKER)
    for action in THEFT:
        world.step("A", action)

    with pytest.raises(EpisodeOverError):
        world.step("A", scan(OUTSIDE, OUTSIDE_NET))
    assert world.player("A").steps == len(THEFT)


def test_step_of_a_dismissed_defender_is_still_executed() -> None:
    world = office_world({ATTACKER: THIEF})
    world.register("A", ATTACKER)
    world.register("D", DEFENDER)
    world.register("B", BENIGN)
    for action in THEFT:
        world.step("A", action)

    last = world.step("D", block(WEB, WEB, LAPTOP))

    assert last.state.known_blocks == {WEB: {LAPTOP}, LAPTOP: {WEB}}
    assert (last.reward, last.status, last.is_settled) == (-11, AgentStatus.Fail, True)
    assert world.step("B", scan(LAPTOP, SERVERS)).status is AgentStatus.TimeoutReached


def test_remove_of_the_last_attacker_ends_the_episode() -> None:
    world = office_world()
    world.register("A", ATTACKER)
    world.register("D", DEFENDER)

    world.remove("A")

    assert world.step("D", find_data(WEB, WEB)).status is AgentStatus.Success
    with pytest.raises(NotRegisteredError):
        world.player("A")


# --- what agents do to each other -----------------------------------------------------------------


def test_data_and_logs_left_by_one_agent_are_found_by_another() -> None:
    world = office_world({ATTACKER: THIEF})
    world.register("A", ATTACKER)
    world.register("D", DEFENDER)
    for action in THEFT[:4]:
        world.step("A", action)

    seen = world.step("D", find_data(WEB, WEB)).state.known_data[WEB]

    (log,) = (datum for datum in seen if datum.type == "log")
    assert log.content.count(str(PC)) == 4
    assert log.content.endswith(
        '{"source_host": "192.168.1.2", "action_type": "ActionType.FindData"}]'
    )


@pytest.mark.parametrize(
    "refused",
    [
        scan(LAPTOP, SERVERS),
        find_services(LAPTOP, WEB),
        find_data(LAPTOP, WEB),
        exploit(LAPTOP, WEB, HTTP),
    ],
    ids=lambda action: str(action.type),
)
def test_false_positive_for_a_block_that_stops_a_benign_agent(refused: Action) -> None:
    world = office_world()
    world.register("A", ATTACKER)
    world.register("D", DEFENDER)
    world.register("B", BENIGN)
    world.step("D", block(WEB, WEB, LAPTOP))

    world.step("B", refused)

    assert world.player("D").false_positives == 1
    world.step("B", find_data(LAPTOP, LAPTOP))
    assert world.player("D").false_positives == 1


@pytest.mark.parametrize(
    "refused", [exfiltrate(DB, WEB, PAGE), block(DB, WEB, PC)], ids=["ExfiltrateData", "BlockIP"]
)
def test_false_positive_for_a_block_that_stops_a_defender(refused: Action) -> None:
    world = office_world()
    for name, role in (("A", ATTACKER), ("D1", DEFENDER), ("D2", DEFENDER)):
        world.register(name, role)
    world.step("D1", block(WEB, WEB, DB))

    world.step("D2", refused)

    assert world.player("D1").false_positives == 1
    assert world.player("D2").false_positives == 0


def test_false_positive_for_each_blocked_address_of_a_scan_and_each_agent_that_blocked() -> None:
    world = office_world({BENIGN: RoleTask(start=Position(controlled_hosts=(DB,)))})
    for name, role in (("A", ATTACKER), ("D1", DEFENDER), ("D2", DEFENDER), ("B", BENIGN)):
        world.register(name, role)
    world.step("D1", block(WEB, WEB, DB))
    world.step("D2", block(DB, DB, OUTSIDE))
    world.step("D2", block(DB, DB, WEB))

    world.step("B", scan(DB, "0.0.0.0/0"))

    assert world.player("D1").false_positives == 1
    assert world.player("D2").false_positives == 2


def test_false_positive_for_a_blocked_address_that_does_not_exist_is_for_naming_it_only() -> None:
    world = office_world({BENIGN: RoleTask(start=Position(controlled_hosts=(WEB,)))})
    for name, role in (("A", ATTACKER), ("D", DEFENDER), ("B", BENIGN)):
        world.register(name, role)
    world.step("D", block(WEB, WEB, NOWHERE))

    world.step("B", scan(WEB, "10.0.0.0/8"))
    assert world.player("D").false_positives == 0
    world.step("B", find_services(WEB, NOWHERE))
    assert world.player("D").false_positives == 1


def test_false_positive_never_for_an_attacker_or_a_pair_that_is_not_blocked() -> None:
    world = office_world()
    world.register("A", ATTACKER)
    world.register("D", DEFENDER)
    world.register("B", BENIGN)
    world.step("D", block(WEB, WEB, PC))

    world.step("A", find_services(PC, WEB))
    world.step("B", find_services(LAPTOP, WEB))
    world.step("B", find_services(LAPTOP, DB))

    assert world.player("D").false_positives == 0


def test_false_positive_of_an_attacker_s_block_costs_it_nothing() -> None:
    world = office_world({ATTACKER: replace(THIEF, max_steps=2)})
    world.register("A", ATTACKER)
    world.register("B", BENIGN)
    world.step("A", block(PC, PC, LAPTOP))

    world.step("B", find_services(LAPTOP, PC))

    assert world.player("A").false_positives == 1
    assert world.step("A", scan(PC, SERVERS)).reward == -11


def test_false_positive_of_an_agent_that_left_is_nobody_s() -> None:
    world = office_world()
    world.register("A", ATTACKER)
    world.register("D", DEFENDER)
    world.register("B", BENIGN)
    world.step("D", block(WEB, WEB, LAPTOP))
    world.remove("D")

    assert world.step("B", find_services(LAPTOP, WEB)).reward == -1


def test_false_positives_end_with_the_episode() -> None:
    world = office_world()
    world.register("A", ATTACKER)
    world.register("D", DEFENDER)
    world.register("B", BENIGN)
    world.step("D", block(WEB, WEB, LAPTOP))
    world.step("B", find_services(LAPTOP, WEB))

    world.reset()
    world.step("B", find_services(LAPTOP, WEB))

    assert world.player("D").false_positives == 0


def test_all_attackers_in_a_defender_s_goal_are_looked_up_at_each_of_its_steps() -> None:
    goal = Position(known_blocks={WEB: (Word.ALL_ATTACKERS,)})
    defender = RoleTask(start=Position(controlled_hosts=(WEB, DB)), goal=goal)
    world = office_world({DEFENDER: defender})
    world.register("A", ATTACKER)
    world.register("D", DEFENDER)

    assert world.step("D", block(WEB, WEB, PC)).status is AgentStatus.Playing
    assert world.step("D", block(WEB, WEB, OUTSIDE)).status is AgentStatus.Success


# --- chance ---------------------------------------------------------------------------------------


def test_detection_by_the_task_s_table_ends_the_attack() -> None:
    world = office_world(
        detection={ActionType.FindData: DetectionRule(1.0, min_repeats=2)}, detection_window=2
    )
    world.register("A", ATTACKER)
    world.register("D", DEFENDER)

    assert [world.step("A", find_data(PC, PC)).status for _ in range(2)] == [
        AgentStatus.Playing,
        AgentStatus.Fail,
    ]
    assert world.player("A").reward == -11
    assert world.step("D", find_data(WEB, WEB)).status is AgentStatus.Success


def test_detection_forgets_with_the_episode() -> None:
    world = office_world(
        detection={ActionType.FindData: DetectionRule(1.0, min_repeats=2)}, detection_window=1
    )
    world.register("A", ATTACKER)

    for _ in range(3):
        assert world.step("A", find_data(PC, PC)).status is AgentStatus.Playing
        world.reset()


def test_detection_does_not_shift_the_chance_of_actions() -> None:
    def outcomes(detection: dict[ActionType, DetectionRule] | None) -> list[bool]:
        world = office_world(success_probability=chances(ScanNetwork=0.5), detection=detection)
        world.register("A", ATTACKER)
        found = []
        for _ in range(20):
            found.append(WEB in world.step("A", scan(PC, SERVERS)).state.known_hosts)
            world.reset()
        return found

    never = {ActionType.ScanNetwork: DetectionRule(0.0, min_run=1)}
    assert outcomes(None) == outcomes(never)
    assert {True, False} == set(outcomes(None))


# --- reset ----------------------------------------------------------------------------------------


def test_reset_gives_everyone_a_new_start_in_the_order_they_joined() -> None:
    world = office_world({ATTACKER: THIEF})
    starts = {name: world.register(name, role) for name, role in (("D", DEFENDER), ("A", ATTACKER))}
    for action in THEFT:
        world.step("A", action)

    fresh = world.reset()

    assert list(fresh) == ["D", "A"]
    assert fresh == starts
    assert world.player("A").is_playing
    assert (world.player("A").steps, len(world.player("A").trajectory)) == (0, 0)
    assert [world.step("A", action).reward for action in THEFT][-1] == 99


def test_reset_draws_starts_and_goals_anew() -> None:
    world = office_world({ATTACKER: RANDOM_ROLE})
    world.register("A", ATTACKER)

    drawn = [world.reset()["A"] for _ in range(30)]

    assert {frozenset(start.state.controlled_hosts) for start in drawn} == {
        frozenset({PC}),
        frozenset({LAPTOP}),
    }
    assert len({frozenset(start.goal.state.known_data[OUTSIDE]) for start in drawn}) == 4


def test_reset_with_a_seed_is_a_fresh_world_of_that_seed() -> None:
    roles = {ATTACKER: RANDOM_ROLE, BENIGN: RANDOM_ROLE}
    fresh, used = office_world(roles, seed=9), office_world(roles, seed=1)
    for world in (fresh, used):
        world.register("A", ATTACKER)
        world.register("B", BENIGN)
    used.step("A", find_data(PC, PC))

    after = used.reset(9)

    assert after == {name: (p.state, p.goal) for name, p in fresh.episode.players.items()}
    assert [used.reset() for _ in range(5)] == [fresh.reset() for _ in range(5)]


def test_reset_with_random_addresses_needs_a_task_that_has_them() -> None:
    plain, dynamic = office_world(), office_world(use_dynamic_addresses=True)
    for world in (plain, dynamic):
        world.register("A", ATTACKER)

    assert plain.reset(3, randomize_topology=True)["A"].state.controlled_hosts == {PC, OUTSIDE}
    assert not dynamic.reset(3, randomize_topology=True)["A"].state.known_hosts & {PC, OUTSIDE}


def test_reset_without_the_request_keeps_dynamic_addresses_as_they_are() -> None:
    world = office_world(use_dynamic_addresses=True)
    world.register("A", ATTACKER)

    assert world.reset(3)["A"].state.controlled_hosts == {PC, OUTSIDE}
    moved = world.reset(3, randomize_topology=True)["A"].state
    assert world.reset(4)["A"].state == moved


def test_reset_with_random_addresses_can_be_played_like_before() -> None:
    world = office_world({ATTACKER: THIEF}, use_dynamic_addresses=True)
    world.register("A", ATTACKER)
    world.reset(3, randomize_topology=True)
    dynamics = world.dynamics
    pc, web, outside = (
        dynamics.labels.addresses[dynamics.topology.address_index[ip]] for ip in (PC, WEB, OUTSIDE)
    )
    servers = dynamics.labels.networks[dynamics.topology.network_index[SERVERS]]

    for action in (
        scan(pc, servers),
        find_services(pc, web),
        exploit(pc, web, HTTP),
        find_data(pc, web),
    ):
        world.step("A", action)
    last = world.step("A", exfiltrate(web, outside, PAGE))

    assert last.status is AgentStatus.Success
