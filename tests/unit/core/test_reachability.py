from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from netsecgame.core.addressing import Labels
from netsecgame.core.closure import play_everything
from netsecgame.core.knowledge import KnownState
from netsecgame.core.positions import draw_position, start_knowledge
from netsecgame.core.reachability import Unreachable, find_unreachable
from netsecgame.core.task import GAME_ACTIONS, GameSpec, Position, RoleTask, Task, Word
from netsecgame.errors import TaskError
from netsecgame.game_components import IP, ActionType, AgentRole, GameState, Network
from netsecgame.scenarios import load_scenario
from tests.unit.core.office import (
    ABOVE,
    ATTACKER,
    BACKUP,
    BASH,
    BELOW,
    CLIENTS,
    DB,
    DEFENDER,
    GATEWAY,
    GATEWAY_2,
    HTTP,
    INSIDE,
    LAPTOP,
    LOG,
    NOTES,
    NOWHERE,
    OUTSIDE,
    OUTSIDE_NET,
    PAGE,
    PC,
    RDP,
    SERVERS,
    SHELL,
    SSH,
    TABLE,
    WEB,
    chances,
    office_spec,
    office_topology,
)

FROM_PC = Position(controlled_hosts=(PC, OUTSIDE))
RANDOM, ALL_ATTACKERS = Word.RANDOM, Word.ALL_ATTACKERS


def unreachable(goal: Position, start: Position = FROM_PC, **settings: Any) -> list[str]:
    """The unreachable parts of an attacker's goal."""
    spec = office_spec({ATTACKER: RoleTask(start=start, goal=goal)}, **settings)
    return [f"{found.part} {found.what}" for found in find_unreachable(spec, ATTACKER)]


# --- playing everything ---------------------------------------------------------------------------


def play_from_pc(*playable: ActionType) -> GameState:
    topology = office_topology()
    labels = Labels.original(topology)
    start = start_knowledge(draw_position(FROM_PC, topology, Random(1)).knowledge, labels)
    return KnownState(play_everything(topology, start, playable), labels)


def test_play_everything_ends_with_all_an_agent_can_know() -> None:
    loot = {LOG, PAGE, TABLE, BACKUP}

    # LAPTOP offers nothing to strangers, and routers never do.
    assert play_from_pc(*GAME_ACTIONS) == GameState(
        controlled_hosts={PC, OUTSIDE, WEB, DB},
        known_hosts={PC, OUTSIDE, WEB, DB, LAPTOP, GATEWAY, GATEWAY_2},
        known_networks={SERVERS, CLIENTS, ABOVE, OUTSIDE_NET},
        known_services={
            PC: {RDP, SHELL},
            OUTSIDE: {BASH},
            WEB: {HTTP, SSH, BASH},
            DB: {SSH, BASH},
        },
        known_data={PC: {LOG}, OUTSIDE: loot, WEB: loot, DB: loot},
    )


@pytest.mark.parametrize("missing", [ActionType.FindServices, ActionType.ExploitService], ids=str)
def test_play_everything_without_a_needed_action_controls_no_more(missing: ActionType) -> None:
    state = play_from_pc(*(kind for kind in GAME_ACTIONS if kind is not missing))

    assert state.controlled_hosts == {PC, OUTSIDE}


# --- goals that can be reached --------------------------------------------------------------------


@pytest.mark.parametrize(
    "goal",
    [
        Position(),
        Position(known_networks=(SERVERS, OUTSIDE_NET, ABOVE)),
        Position(known_networks=(RANDOM,)),
        Position(known_hosts=(WEB, DB, LAPTOP, GATEWAY)),
        Position(known_hosts=(RANDOM,)),
        Position(controlled_hosts=(WEB, DB)),
        Position(known_services={WEB: (HTTP, BASH), DB: (Word.ALL,)}),
        Position(known_services={WEB: (RANDOM,)}),
        Position(known_data={OUTSIDE: (PAGE, TABLE), DB: (LOG,)}),
        Position(known_blocks={WEB: (PC, LAPTOP)}),
        Position(known_blocks={LAPTOP: (WEB, DB)}),  # blocked from the other side
        Position(known_blocks={WEB: (ALL_ATTACKERS,)}),
        Position(known_blocks={WEB: (Word.ALL_ROUTERS,)}),
    ],
)
def test_find_unreachable_of_a_goal_that_can_be_reached_is_nothing(goal: Position) -> None:
    assert unreachable(goal) == []


def test_find_unreachable_of_what_is_there_from_the_start_is_nothing() -> None:
    start = Position(
        known_networks=(BELOW,),
        known_data={LAPTOP: (NOTES,)},
        known_blocks={LAPTOP: (GATEWAY,)},
    )

    assert unreachable(start, start) == []
    assert len(unreachable(start)) == 3


def test_find_unreachable_counts_on_a_service_known_from_the_start() -> None:
    goal = Position(controlled_hosts=(LAPTOP,))

    assert unreachable(goal, replace(FROM_PC, known_services={LAPTOP: (SHELL,)})) == []
    assert len(unreachable(goal)) == 1


def test_find_unreachable_counts_on_what_asking_again_would_hide() -> None:
    # Strangers that ask WEB are not told of BASH.
    goal = Position(known_services={WEB: (Word.ALL,)})
    start = replace(FROM_PC, known_services=goal.known_services)
    never = chances(ExploitService=0.0)

    assert unreachable(goal, start, success_probability=never) == []
    assert len(unreachable(goal, success_probability=never)) == 1


# --- goals that cannot ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "found"),
    [
        (Position(known_networks=(SERVERS, BELOW)), ["known_networks 192.168.0.0/24"]),
        (Position(known_networks=(Network("10.0.0.0", 8),)), ["known_networks 10.0.0.0/8"]),
        (Position(controlled_hosts=(WEB, GATEWAY)), ["controlled_hosts 192.168.1.1"]),
        (Position(controlled_hosts=(RANDOM,)), ["controlled_hosts 192.168.2.3"]),
        (Position(controlled_hosts=(Word.ALL_LOCAL,)), ["controlled_hosts all_local"]),
        (Position(known_services={DB: (HTTP, SSH)}), ["known_services.192.168.1.3 http"]),
        (Position(known_services={LAPTOP: (Word.ALL,)}), ["known_services.192.168.2.3 all"]),
        (Position(known_data={WEB: (NOTES, PAGE)}), ["known_data.192.168.1.2 User3/Notes"]),
        (Position(known_data={WEB: (RANDOM,)}), ["known_data.192.168.1.2 User3/Notes"]),
        (Position(known_data={LAPTOP: (LOG,)}), ["known_data.192.168.2.3 system/logfile"]),
        (Position(known_blocks={LAPTOP: (GATEWAY, WEB)}), ["known_blocks.192.168.2.3 192.168.1.1"]),
        (Position(known_blocks={WEB: (WEB, PC)}), ["known_blocks.192.168.1.2 192.168.1.2"]),
        (
            Position(known_blocks={LAPTOP: (ALL_ATTACKERS,)}),
            ["known_blocks.192.168.2.3 all_attackers"],
        ),
    ],
)
def test_find_unreachable_names_each_part_that_cannot_be_reached(
    goal: Position, found: list[str]
) -> None:
    assert unreachable(goal) == found


@pytest.mark.parametrize(
    ("missing", "goal"),
    [
        ("ScanNetwork", Position(known_hosts=(LAPTOP,))),
        ("FindServices", Position(known_services={WEB: (HTTP,)})),
        ("FindData", Position(known_data={WEB: (PAGE,)})),
        ("ExploitService", Position(controlled_hosts=(WEB,))),
        ("ExfiltrateData", Position(known_data={OUTSIDE: (PAGE,)})),
        ("BlockIP", Position(known_blocks={WEB: (PC,)})),
    ],
)
def test_find_unreachable_with_an_action_that_never_succeeds_finds_its_goals(
    missing: str, goal: Position
) -> None:
    assert unreachable(goal, success_probability=chances(**{missing: 0.01})) == []
    assert len(unreachable(goal, success_probability=chances(**{missing: 0.0}))) == 1


def test_find_unreachable_without_the_firewall_reaches_more() -> None:
    goal = Position(controlled_hosts=(DB,))
    start = Position(controlled_hosts=(OUTSIDE,))

    assert unreachable(goal, start) == ["controlled_hosts 192.168.1.3"]
    assert unreachable(goal, start, use_firewall=False) == []


# --- random starts --------------------------------------------------------------------------------


def find(start: Position, goal: Position) -> list[Unreachable]:
    return find_unreachable(office_spec({ATTACKER: RoleTask(start=start, goal=goal)}), ATTACKER)


def test_find_unreachable_names_the_random_start_it_cannot_be_reached_from() -> None:
    start = Position(controlled_hosts=(OUTSIDE, RANDOM))

    # LAPTOP can get at PC, but nobody can get at LAPTOP.
    assert find(start, Position(controlled_hosts=(PC, LAPTOP))) == [
        Unreachable((PC, OUTSIDE), "controlled_hosts", "192.168.2.3")
    ]


def test_find_unreachable_tries_several_random_starts_together() -> None:
    goal = Position(controlled_hosts=(LAPTOP, PC))

    assert find(Position(controlled_hosts=(RANDOM, RANDOM)), goal) == []
    assert find(Position(controlled_hosts=(RANDOM, RANDOM, RANDOM)), goal) == []
    assert len(find(Position(controlled_hosts=(RANDOM,)), goal)) == 1


def test_find_unreachable_does_not_count_on_lucky_words_elsewhere() -> None:
    start = Position(
        known_networks=(RANDOM,),
        known_hosts=(RANDOM,),
        controlled_hosts=(OUTSIDE,),
        known_services={WEB: (RANDOM,)},
        known_data={OUTSIDE: (RANDOM,)},
    )
    goal = Position(known_hosts=(WEB,), known_data={OUTSIDE: (PAGE,)})

    assert [(u.part, u.what) for u in find(start, goal)] == [
        ("known_hosts", "192.168.1.2"),
        ("known_data.213.47.23.195", "User1/Page"),
    ]


def test_find_unreachable_looks_at_the_role_asked_for() -> None:
    goal = Position(known_data={OUTSIDE: (PAGE,)})
    spec = office_spec(
        {
            ATTACKER: RoleTask(start=Position(controlled_hosts=(OUTSIDE,)), goal=goal),
            DEFENDER: RoleTask(start=Position(controlled_hosts=(*INSIDE, OUTSIDE)), goal=goal),
        }
    )

    assert len(find_unreachable(spec, ATTACKER)) == 1
    assert find_unreachable(spec, DEFENDER) == []


def test_find_unreachable_of_a_task_that_names_what_there_is_not_is_an_error() -> None:
    with pytest.raises(TaskError, match=r"10\.9\.9\.9"):
        unreachable(Position(controlled_hosts=(NOWHERE,)))
    with pytest.raises(TaskError, match=r"10\.9\.9\.9"):
        unreachable(Position(), Position(controlled_hosts=(NOWHERE,)))


@pytest.mark.parametrize(
    ("target", "is_reachable"),
    # Clients reach three of the five servers, and from those all of them.
    [("192.168.1.2", True), ("192.168.1.5", True), ("192.168.1.1", False)],
)
def test_find_unreachable_on_a_shipped_scenario_agrees_with_its_firewall(
    target: str, is_reachable: bool
) -> None:
    role = RoleTask(
        start=Position(controlled_hosts=(OUTSIDE, RANDOM)),
        goal=Position(controlled_hosts=(IP(target),)),
    )
    spec = GameSpec(Task("two_networks", {AgentRole.Attacker: role}), load_scenario("two_networks"))

    assert (find_unreachable(spec, AgentRole.Attacker) == []) is is_reachable
