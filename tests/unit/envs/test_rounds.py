from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from netsecgame.core.legal_actions import legal_numbers
from netsecgame.core.task import Position, RoleTask
from netsecgame.core.world import World
from netsecgame.envs.game import Game, open_game
from netsecgame.envs.rounds import Rounds, Seat, Turn
from netsecgame.errors import RoleNotAvailableError, UnknownActionError
from netsecgame.game_components import Action, AgentRole, AgentStatus, GameState
from tests.unit.core.office import (
    ATTACKER,
    BENIGN,
    CLIENTS,
    DEFENDER,
    HTTP,
    INSIDE,
    LAPTOP,
    OUTSIDE,
    PC,
    WEB,
    block,
    exploit,
    find_data,
    find_services,
    office_spec,
    scan,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState

STEP, SUCCESS, FAIL, FALSE_POSITIVE = -1, 100, -10, -5

#: Any action that changes nothing.
LOOK = {
    "attacker_0": find_data(PC, PC),
    "attacker_1": find_data(PC, PC),
    "defender_0": find_data(PC, PC),
    "benign_0": find_data(LAPTOP, LAPTOP),
}

#: Wins with one exploit once it has asked for services.
TAKE_WEB = RoleTask(
    start=Position(controlled_hosts=(PC, OUTSIDE)),
    goal=Position(controlled_hosts=(WEB,)),
    max_steps=4,
)
ASK_WEB, WIN = find_services(PC, WEB), exploit(PC, WEB, HTTP)


class Call(NamedTuple):
    what: str
    agent: str
    told: object = None


class Scripted:
    """Plays given actions in turn, then nothing, and notes what it is asked."""

    def __init__(self, agent: str, calls: list[Call], *actions: Action | int | None) -> None:
        self.agent = agent
        self.calls = calls
        self.actions = list(actions)
        self.states: list[KnownState] = []
        self.goals: list[Goal] = []

    def begin(self, state: KnownState, goal: Goal, seed: int | None) -> None:
        self.calls.append(Call("begin", self.agent, seed))
        self.states.append(state)
        self.goals.append(goal)

    def act(self, state: KnownState) -> Action | int | None:
        self.calls.append(Call("act", self.agent))
        self.states.append(state)
        return self.actions.pop(0) if self.actions else None

    def end(self, state: KnownState, reward: float, status: AgentStatus) -> None:
        self.calls.append(Call("end", self.agent, (reward, status)))
        self.states.append(state)


def role_of(agent: str) -> AgentRole:
    return {"a": ATTACKER, "d": DEFENDER, "b": BENIGN}[agent[0]]


def office(
    *agents: str,
    attacker: RoleTask = TAKE_WEB,
    opponents: Sequence[Scripted] = (),
    seed: int = 1,
    **roles: RoleTask,
) -> Rounds:
    """A game in the office that has begun."""
    parts = {AgentRole.from_string(name.title()): part for name, part in roles.items()}
    game = Game(office_spec({ATTACKER: attacker, **parts}))
    seats = [Seat(agent, role_of(agent)) for agent in agents]
    seats += [Seat(each.agent, role_of(each.agent), each) for each in opponents]
    rounds = Rounds(game, seats, seed)
    rounds.reset()
    return rounds


def play(rounds: Rounds, **actions: Action) -> dict[str, Turn]:
    """A round; who is not named looks at what it knows already."""
    return rounds.step({agent: actions.get(agent, LOOK[agent]) for agent in rounds.learners})


# --- the order of turns, and who sees what --------------------------------------------------------


def test_rounds_seats_in_any_order_act_by_role_then_by_seat() -> None:
    calls: list[Call] = []
    names = ["benign_1", "defender_1", "attacker_1", "benign_0", "attacker_0", "defender_0"]
    rounds = office(opponents=[Scripted(name, calls) for name in names], attacker=RoleTask())
    rounds = Rounds(rounds.game, [*rounds.seats, Seat("attacker_9", ATTACKER)], 1)
    rounds.reset()
    calls.clear()

    play_nothing = rounds.game.action_index(ATTACKER).size - 1
    rounds.step({"attacker_9": play_nothing})

    order = ["attacker_1", "attacker_0", "defender_1", "defender_0", "benign_1", "benign_0"]
    assert calls == [Call("act", name) for name in order]
    assert [seat.agent for seat in rounds.seats] == [*order[:2], "attacker_9", *order[2:]]


def test_step_defender_reads_what_the_attacker_did_in_the_same_round() -> None:
    rounds = office("attacker_0", "defender_0")

    turn = play(rounds, attacker_0=ASK_WEB, defender_0=find_data(WEB, WEB))["defender_0"]

    (log,) = [datum for datum in turn.state.known_data[WEB] if datum.type == "log"]
    assert f'"source_host": "{PC}"' in log.content
    assert "FindServices" in log.content


def test_step_defender_blocks_the_benign_agent_but_not_the_attacker_of_the_same_round() -> None:
    rounds = office("attacker_0", "defender_0", "benign_0")

    turns = play(
        rounds,
        attacker_0=find_services(PC, WEB),
        defender_0=block(WEB, WEB, LAPTOP),
        benign_0=find_services(LAPTOP, WEB),
    )

    assert turns["attacker_0"].state.known_services.keys() == {WEB}
    assert turns["benign_0"].state.known_services == {}
    assert rounds.world.player("defender_0").false_positives == 1


def test_step_second_attacker_acts_after_the_first() -> None:
    """Both control the host whose log they read."""
    rounds = office("attacker_0", "attacker_1", "defender_0", attacker=RoleTask(TAKE_WEB.start))
    read = find_data(PC, PC)

    turns = play(rounds, attacker_0=find_services(PC, PC), attacker_1=read)

    assert _log_of(turns["attacker_1"].state) == ["FindServices", "FindData"]
    turns = play(rounds, attacker_0=read, attacker_1=find_services(PC, PC))
    # The defender looked once; the second's question comes after the first one's look.
    assert _log_of(turns["attacker_0"].state) == ["FindServices", *["FindData"] * 3]


def _log_of(state: GameState) -> list[str]:
    (log,) = [datum for datum in state.known_data[PC] if datum.type == "log"]
    return [part.split('"')[0] for part in log.content.split("ActionType.")[1:]]


def test_step_others_do_something_own_state_stays_the_same() -> None:
    rounds = office("attacker_0", "defender_0", attacker=RoleTask(TAKE_WEB.start))
    play(rounds)
    before = rounds.state("attacker_0")
    idle = scan(OUTSIDE, CLIENTS)  # nobody inside is reached from there

    after = play(rounds, attacker_0=idle, defender_0=block(PC, PC, WEB))["attacker_0"].state

    assert after is before
    assert PC not in after.known_blocks
    told = play(rounds, attacker_0=find_data(PC, PC))["attacker_0"].state
    assert told.known_blocks[PC] == {WEB}


def test_step_opponent_is_shown_its_own_state() -> None:
    calls: list[Call] = []
    defender = Scripted("defender_0", calls, find_services(WEB, WEB))
    rounds = office("attacker_0", opponents=[defender])

    play(rounds)
    play(rounds)

    begun, first, second = defender.states
    assert begun.controlled_hosts == {*INSIDE}
    assert first is begun
    assert second is rounds.state("defender_0")
    assert WEB in second.known_services


# --- ends -----------------------------------------------------------------------------------------


def test_step_attacker_wins_and_leaves_while_the_other_plays_on() -> None:
    rounds = office("attacker_0", "attacker_1")
    play(rounds, attacker_0=ASK_WEB)

    turns = play(rounds, attacker_0=WIN)

    won, other = turns["attacker_0"], turns["attacker_1"]
    assert (won.reward, won.terminated, won.truncated) == (STEP + SUCCESS, True, False)
    assert (won.status, won.is_waiting) == (AgentStatus.Success, False)
    assert (other.reward, other.terminated, other.truncated) == (STEP, False, False)
    assert rounds.learners == ["attacker_1"]
    assert play(rounds).keys() == {"attacker_1"}


def test_step_attacker_out_of_steps_is_truncated() -> None:
    rounds = office("attacker_0")

    *before, last = [play(rounds)["attacker_0"] for _ in range(4)]

    assert not any(turn.terminated or turn.truncated for turn in before)
    assert (last.reward, last.terminated, last.truncated) == (STEP + FAIL, False, True)
    assert last.status is AgentStatus.TimeoutReached
    assert rounds.step({}) == {}


def test_step_attacker_wins_with_its_last_step_is_not_truncated() -> None:
    rounds = office("attacker_0")
    for action in (ASK_WEB, LOOK["attacker_0"], LOOK["attacker_0"]):
        play(rounds, attacker_0=action)

    turn = play(rounds, attacker_0=WIN)["attacker_0"]

    assert (turn.reward, turn.terminated, turn.truncated) == (STEP + SUCCESS, True, False)


@pytest.mark.parametrize(
    ("attack", "extra", "status"),
    [(WIN, FAIL, AgentStatus.Fail), (LOOK["attacker_0"], SUCCESS, AgentStatus.Success)],
)
def test_step_attack_is_over_defender_acts_once_more_and_is_paid(
    attack: Action, extra: float, status: AgentStatus
) -> None:
    rounds = office("attacker_0", "defender_0")
    play(rounds, attacker_0=ASK_WEB)
    play(rounds)
    play(rounds)

    turns = play(rounds, attacker_0=attack)

    turn = turns["defender_0"]
    assert (turn.reward, turn.terminated, turn.truncated) == (STEP + extra, True, False)
    assert (turn.status, turn.is_waiting) == (status, False)
    assert rounds.world.player("defender_0").steps == 4
    assert rounds.learners == []


def test_step_defender_ends_first_waits_and_is_paid_in_the_end() -> None:
    defender = RoleTask(start=Position(controlled_hosts=INSIDE), max_steps=1)
    rounds = office("attacker_0", "defender_0", defender=defender)

    first = play(rounds, attacker_0=ASK_WEB)["defender_0"]
    assert (first.reward, first.terminated, first.truncated) == (STEP, False, False)
    assert first.is_waiting
    assert rounds.learners == ["attacker_0", "defender_0"]

    second = rounds.step({"attacker_0": LOOK["attacker_0"]})["defender_0"]
    assert (second.reward, second.terminated, second.is_waiting) == (0, False, True)

    last = rounds.step({"attacker_0": WIN})["defender_0"]
    assert (last.reward, last.terminated, last.truncated) == (FAIL, True, False)
    assert (last.status, last.is_waiting) == (AgentStatus.Fail, False)
    assert rounds.world.player("defender_0").steps == 1


def test_step_waiting_defender_pays_for_false_positives_that_come_later() -> None:
    defender = RoleTask(start=Position(controlled_hosts=INSIDE), max_steps=1)
    rounds = office("attacker_0", "defender_0", "benign_0", defender=defender)
    play(rounds, defender_0=block(WEB, WEB, LAPTOP))

    rewards = [
        play(rounds, benign_0=find_services(LAPTOP, WEB))["defender_0"].reward for _ in range(3)
    ]

    # The attacker is done before the benign agent tries for the third time.
    assert rewards == [0, 0, SUCCESS + 2 * FALSE_POSITIVE]


def test_step_attack_is_over_benign_agent_acts_once_more() -> None:
    rounds = office("attacker_0", "benign_0")
    for _ in range(3):
        play(rounds)

    turn = play(rounds)["benign_0"]

    assert (turn.reward, turn.terminated, turn.truncated) == (STEP, True, False)
    assert turn.status is AgentStatus.TimeoutReached
    assert rounds.learners == []


def test_step_benign_agent_out_of_steps_is_truncated() -> None:
    benign = RoleTask(start=Position(controlled_hosts=(LAPTOP,)), max_steps=2)
    rounds = office("attacker_0", "benign_0", benign=benign)
    play(rounds)

    turn = play(rounds)["benign_0"]

    assert (turn.reward, turn.terminated, turn.truncated) == (STEP, False, True)
    assert rounds.learners == ["attacker_0"]


# --- opponents ------------------------------------------------------------------------------------


def test_step_no_learner_is_left_opponents_are_not_asked() -> None:
    calls: list[Call] = []
    others = [Scripted("defender_0", calls), Scripted("benign_0", calls)]
    rounds = office("attacker_0", opponents=others)
    play(rounds, attacker_0=ASK_WEB)
    calls.clear()

    play(rounds, attacker_0=WIN)

    assert calls == []
    assert rounds.step({}) == {}
    assert calls == []


def test_step_opponent_plays_numbers_and_actions_of_its_role_alike() -> None:
    calls: list[Call] = []
    game = Game(office_spec())
    labels = World(game.spec).dynamics.labels
    wanted = block(WEB, WEB, LAPTOP)
    number = game.action_index(DEFENDER).find(wanted, labels)
    ask = game.action_index(BENIGN).find(find_services(LAPTOP, WEB), labels)
    by_number = office("attacker_0", opponents=[Scripted("defender_0", calls, number)])
    by_action = office("attacker_0", opponents=[Scripted("defender_0", calls, wanted)])
    benign = office("attacker_0", opponents=[Scripted("benign_0", calls, ask)])

    for rounds in (by_number, by_action, benign):
        play(rounds)

    assert by_number.state("defender_0").known_blocks[WEB] == {LAPTOP}
    assert by_action.state("defender_0") == by_number.state("defender_0")
    assert benign.state("benign_0").known_services.keys() == {WEB}


def test_step_opponent_plays_nothing_takes_no_step() -> None:
    calls: list[Call] = []
    rounds = office(
        "attacker_0", opponents=[Scripted("defender_0", calls, None, LOOK["defender_0"])]
    )

    play(rounds)
    assert rounds.world.player("defender_0").steps == 0
    play(rounds)
    assert rounds.world.player("defender_0").steps == 1


def test_step_opponents_are_told_their_end_once() -> None:
    calls: list[Call] = []
    attacker = Scripted("attacker_0", calls, ASK_WEB, WIN)
    benign = Scripted("benign_0", calls, LOOK["benign_0"])
    limited = RoleTask(start=Position(controlled_hosts=(LAPTOP,)), max_steps=1)
    rounds = office("attacker_1", "defender_0", opponents=[attacker, benign], benign=limited)

    for _ in range(3):
        play(rounds)

    ends = [call for call in calls if call.what == "end"]
    assert ends == [
        Call("end", "benign_0", (STEP, AgentStatus.TimeoutReached)),
        Call("end", "attacker_0", (STEP + SUCCESS, AgentStatus.Success)),
    ]
    assert attacker.states[-1] is rounds.state("attacker_0")


def test_step_opponent_of_an_episode_that_was_broken_off_is_told_of_the_next_end_only() -> None:
    calls: list[Call] = []
    limited = RoleTask(start=Position(controlled_hosts=(LAPTOP,)), max_steps=1)
    rounds = office("attacker_0", opponents=[Scripted("benign_0", calls)], benign=limited)
    rounds.reset()
    rounds.seats[1].opponent.actions.append(LOOK["benign_0"])  # type: ignore[union-attr]

    play(rounds)

    assert [call.what for call in calls] == ["begin", "begin", "act", "end"]


def test_step_defender_that_is_an_opponent_is_told_its_end_when_the_attackers_are_done() -> None:
    calls: list[Call] = []
    limited = RoleTask(start=Position(controlled_hosts=INSIDE), max_steps=1)
    defender = Scripted("defender_0", calls, LOOK["defender_0"])
    rounds = office("attacker_0", opponents=[defender], defender=limited)
    play(rounds)
    assert [call.what for call in calls] == ["begin", "act"]

    for _ in range(3):
        play(rounds)

    assert calls[2:] == [Call("end", "defender_0", (STEP + SUCCESS, AgentStatus.Success))]


# --- resets and seeds -----------------------------------------------------------------------------


def test_reset_tells_opponents_state_goal_and_seed() -> None:
    calls: list[Call] = []
    attacker = Scripted("attacker_0", calls)
    rounds = office("defender_0", opponents=[attacker], seed=5)

    rounds.reset()
    rounds.reset(seed=6)

    assert [call.told for call in calls] == [5, None, 6]
    assert all(state.controlled_hosts == {PC, OUTSIDE} for state in attacker.states)
    assert attacker.goals[0].state.controlled_hosts == {WEB}


def test_reset_in_mid_episode_begins_anew_without_what_was_paid() -> None:
    rounds = office("attacker_0", "defender_0")
    play(rounds)

    states = rounds.reset()

    assert states.keys() == {"attacker_0", "defender_0"}
    assert [turn.reward for turn in play(rounds).values()] == [STEP, STEP]
    assert rounds.share_of_steps("attacker_0") == 0.25
    assert rounds.share_of_steps("defender_0") == 0


def test_reset_first_without_seed_is_the_first_episode_of_a_world_with_that_seed() -> None:
    game = open_game("two_networks_random")
    starts = []
    for seed in range(5):
        rounds = Rounds(game, [Seat("attacker_0", ATTACKER)], seed)
        world = World(game.spec, seed)
        begun = world.register("attacker_0", ATTACKER)
        assert rounds.reset()["attacker_0"] == begun.state
        assert rounds.goal("attacker_0") == begun.goal
        assert rounds.reset()["attacker_0"] == world.reset()["attacker_0"].state
        assert rounds.reset(seed)["attacker_0"] == begun.state
        starts.append(begun.state)
    assert any(start != starts[0] for start in starts)


def test_reset_randomize_topology_gives_other_addresses_to_the_same_numbers() -> None:
    game = open_game("two_networks_small_dynamic")
    calls: list[Call] = []
    benign = Scripted("benign_0", calls)
    seats = [Seat("attacker_0", ATTACKER), Seat("benign_0", BENIGN, benign)]
    rounds = Rounds(game, seats, 1)
    original = rounds.reset(seed=3)["attacker_0"]
    same = rounds.reset(seed=4)["attacker_0"]

    moved = rounds.reset(seed=3, randomize_topology=True)["attacker_0"]

    assert same == original
    assert moved != original
    assert moved.knowledge == original.knowledge
    assert rounds.goal("attacker_0").state.known_data.keys() <= moved.controlled_hosts
    assert benign.states[-1].labels is moved.labels
    index = game.action_index(ATTACKER)
    (number, *_) = legal_numbers(index, moved.knowledge)
    rounds.step({"attacker_0": number})
    played = rounds.world.player("attacker_0").trajectory.actions
    assert played == [index.action(number, moved.labels)]


def test_reset_randomize_topology_of_a_fixed_task_does_nothing() -> None:
    rounds = Rounds(open_game("two_networks_small"), [Seat("attacker_0", ATTACKER)], 1)
    assert rounds.reset(3, randomize_topology=True) == rounds.reset(3)


# --- what cannot be played ------------------------------------------------------------------------


def test_rounds_role_that_the_task_lacks_raises() -> None:
    seats = [Seat("attacker_0", ATTACKER), Seat("defender_0", DEFENDER)]
    with pytest.raises(RoleNotAvailableError, match="role Defender"):
        Rounds(open_game("two_networks_small"), seats, 1)


@pytest.mark.parametrize("agent", ["attacker_0", "defender_0"])
def test_step_unknown_number_raises(agent: str) -> None:
    rounds = office("attacker_0", "defender_0")
    size = rounds.game.action_index(role_of(agent)).size
    with pytest.raises(UnknownActionError):
        play(rounds, **{agent: size})  # type: ignore[arg-type]


def test_step_no_action_for_a_learner_raises() -> None:
    rounds = office("attacker_0", "defender_0")
    with pytest.raises(KeyError, match="defender_0"):
        rounds.step({"attacker_0": LOOK["attacker_0"]})


def test_step_number_of_numpy_is_the_number() -> None:
    rounds, same = office("attacker_0"), office("attacker_0")
    for number in range(0, 127, 7):
        rounds.reset()
        same.reset()
        turn = rounds.step({"attacker_0": np.int8(number)})  # type: ignore[dict-item]
        assert turn == same.step({"attacker_0": number})


# --- the whole game -------------------------------------------------------------------------------

GAMES = [
    ("two_networks_tiny", ["attacker_0"]),
    ("two_networks_small", ["attacker_0", "attacker_1", "benign_0"]),
    ("two_networks_defended", ["attacker_0", "defender_0", "benign_0"]),
    ("two_networks_team", ["attacker_0", "attacker_1", "defender_0", "defender_1"]),
    ("two_networks_global_defender", ["attacker_0", "attacker_1"]),
]


@pytest.mark.parametrize(("task", "agents"), GAMES, ids=[task for task, _ in GAMES])
def test_rounds_rewards_are_those_that_the_world_gives_in_the_end(
    task: str, agents: list[str]
) -> None:
    game = open_game(task)
    rounds = Rounds(game, [Seat(agent, role_of(agent)) for agent in agents], 1)
    world = World(game.spec, 1)
    rng = Random(task)
    ends = set()
    for episode in range(6):
        if episode == 0:
            for agent in agents:
                world.register(agent, role_of(agent))
        else:
            world.reset()
        states = rounds.reset()
        assert states == {agent: world.player(agent).state for agent in agents}
        totals = dict.fromkeys(agents, 0.0)
        while rounds.learners:
            actions = {agent: choose(rounds, agent, rng) for agent in rounds.learners}
            for agent in agents:
                if world.player(agent).is_playing:
                    index = game.action_index(role_of(agent))
                    world.step(agent, index.action(actions[agent], world.dynamics.labels))
            for agent, turn in rounds.step(actions).items():
                totals[agent] += turn.reward
                assert turn.state == world.player(agent).state
                assert turn.status is world.player(agent).status
                if turn.terminated or turn.truncated:
                    ends.add(turn.status)
        for agent in agents:
            assert world.player(agent).is_settled
            assert totals[agent] == sum(world.player(agent).trajectory.rewards)
    assert ends


def choose(rounds: Rounds, agent: str, rng: Random) -> int:
    """The number of a legal action; all types alike, so that games get somewhere."""
    index = rounds.game.action_index(role_of(agent))
    numbers = legal_numbers(index, rounds.state(agent).knowledge)
    ends = [bisect_left(numbers, section.start) for section in index.sections]
    kinds = [numbers[start:end] for start, end in pairwise([*ends, len(numbers)])]
    return rng.choice(rng.choice([kind for kind in kinds if kind]))
