from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from netsecgame.agents.policies.scripted_attacker import ScriptedAttacker
from netsecgame.agents.policy import Policy
from netsecgame.core.legal_actions import legal_numbers
from netsecgame.core.rng import Stream, StreamRandom
from netsecgame.core.task import GAME_ACTIONS, Position, RoleTask
from netsecgame.envs.batch import BatchedWorld
from netsecgame.envs.game import Game, open_game
from netsecgame.envs.opponents import (
    Opponent,
    PolicyOpponent,
    RandomOpponent,
    SavedPolicyOpponent,
    ScriptedDefender,
    make_opponent,
)
from netsecgame.envs.policies import NetworkPolicy, PolicyHeader, save_policy
from netsecgame.envs.rounds import Rounds, Seat
from netsecgame.errors import ConfigurationError, PolicyError, RoleNotAvailableError
from netsecgame.game_components import (
    Action,
    ActionType,
    AgentRole,
    AgentStatus,
    GameState,
    Observation,
)
from tests.unit.core.office import LAPTOP, PC, WEB, block, find_services, office_spec

if TYPE_CHECKING:
    from pathlib import Path

ATTACKER, DEFENDER, BENIGN = AgentRole.Attacker, AgentRole.Defender, AgentRole.Benign
TASK = "two_networks_defended"


class Played(NamedTuple):
    """What the agents of an episode played, and how the first of them ended."""

    actions: dict[str, list[Action]]
    reward: float
    status: AgentStatus | None


def play_episode(
    rounds: Rounds, seed: int | None, choices: Random | None = None, max_rounds: int = 200
) -> Played:
    """An episode; learners play legal actions drawn from `choices`, or the number 0."""
    rounds.reset(seed)
    reward, status = 0.0, None
    for _ in range(max_rounds):
        if not rounds.learners:
            break
        first = rounds.learners[0]
        actions = {agent: _choose(rounds, agent, choices) for agent in rounds.learners}
        turn = rounds.step(actions)[first]
        reward, status = reward + turn.reward, turn.status
    players = rounds.world.episode.players
    return Played(
        {str(agent): list(player.trajectory.actions) for agent, player in players.items()},
        reward,
        status,
    )


def _choose(rounds: Rounds, agent: str, choices: Random | None) -> int:
    if choices is None:
        return 0
    role = rounds.world.player(agent).role
    return choices.choice(
        legal_numbers(rounds.game.action_index(role), rounds.state(agent).knowledge)
    )


def against(name: str, role: AgentRole, task: str = TASK, seed: int = 1) -> Rounds:
    """A game of one learner and one opponent, who is agent ``other``."""
    game = open_game(task)
    other = DEFENDER if role is ATTACKER else ATTACKER
    return Rounds(
        game, [Seat("me", other), Seat("other", role, make_opponent(name, role, game))], seed
    )


# --- random ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["two_networks_defended", "two_networks_team"])
def test_random_defender_plays_as_in_the_batched_world(task: str) -> None:
    seed, steps = 11, 250
    rounds = against("random", DEFENDER, task, seed)
    batch = BatchedWorld(rounds.game.spec, 1, seed=seed, defender="random", backend="numpy")
    choices = Random(task)
    rounds.reset()
    for _ in range(steps):
        number = _choose(rounds, "me", choices)
        turn = rounds.step({"me": number})["me"]
        step = batch.step([number])
        assert step.rewards[0] == turn.reward
        assert (step.terminated[0], step.truncated[0]) == (turn.terminated, turn.truncated)
        if turn.terminated or turn.truncated:
            batch.step([0])  # begins the next episode
            rounds.reset()
        played = batch.layout.encode(rounds.state("other").knowledge)
        np.testing.assert_array_equal(batch.defender_states[0], played)


@pytest.mark.parametrize("role", [ATTACKER, DEFENDER])
def test_random_opponent_plays_every_legal_action_and_no_other(role: AgentRole) -> None:
    game = Game(office_spec())
    opponent = RandomOpponent(game, role)
    rounds = Rounds(game, [Seat("it", role)], 1)
    state = rounds.reset()["it"]
    opponent.begin(state, rounds.goal("it"), 1)

    played = {opponent.act(state) for _ in range(4_000)}

    assert played == {*legal_numbers(game.action_index(role), state.knowledge)}


def test_random_opponent_knowledge_grows_plays_what_became_legal() -> None:
    game = Game(office_spec())
    rounds = Rounds(game, [Seat("it", ATTACKER)], 1)
    before = rounds.reset()["it"]
    opponent = RandomOpponent(game, ATTACKER)
    opponent.act(before)

    after = rounds.step({"it": find_services(PC, WEB)})["it"].state

    index = game.action_index(ATTACKER)
    new = {*legal_numbers(index, after.knowledge)} - {*legal_numbers(index, before.knowledge)}
    assert new
    assert new & {opponent.act(after) for _ in range(2_000)}


def test_random_benign_agent_does_what_people_do_all_day() -> None:
    game = open_game(TASK)
    seats = [Seat("me", ATTACKER), Seat("other", BENIGN, make_opponent("random", BENIGN, game))]
    rounds = Rounds(game, seats, 1)
    kinds: set[ActionType] = set()
    for _ in range(5):
        for action in play_episode(rounds, None, Random(1)).actions["other"]:
            kinds.add(action.type)
    assert kinds == {ActionType.FindData, ActionType.FindServices, ActionType.ExfiltrateData}


@pytest.mark.parametrize(("role", "steps"), [(DEFENDER, 0), (BENIGN, 3), (ATTACKER, 3)])
def test_random_opponent_nothing_is_legal_only_defenders_do_nothing(
    role: AgentRole, steps: int
) -> None:
    """The others use up their steps, so that their episode ends."""
    game = Game(office_spec({role: RoleTask()}))
    seats = [Seat("me", ATTACKER), Seat("other", role, RandomOpponent(game, role, 1))]
    if role is ATTACKER:
        seats[0] = Seat("me", BENIGN)
    rounds = Rounds(game, seats, 1)
    rounds.reset()
    for _ in range(3):
        rounds.step({"me": 0})

    player = rounds.world.player("other")

    assert player.steps == steps
    assert player.state.known_hosts == set()


def test_random_opponent_draws_from_the_stream_of_the_first_defender() -> None:
    game = Game(office_spec())
    state = Rounds(game, [Seat("it", DEFENDER)], 1).reset()["it"]
    numbers = legal_numbers(game.action_index(DEFENDER), state.knowledge)
    rng = StreamRandom(8, Stream.DEFENDER)
    opponent = RandomOpponent(game, DEFENDER)
    opponent.begin(state, Rounds(game, [Seat("it", DEFENDER)], 1).goal("it"), 8)

    assert [opponent.act(state) for _ in range(20)] == [rng.choice(numbers) for _ in range(20)]


@pytest.mark.parametrize("name", ["random", "stochastic"])
def test_opponents_of_one_role_make_other_choices(name: str) -> None:
    game = open_game(TASK)
    seats = [
        Seat("me", ATTACKER),
        *(Seat(f"d{i}", DEFENDER, make_opponent(name, DEFENDER, game, i)) for i in range(3)),
    ]
    played = play_episode(Rounds(game, seats, 1), 1, max_rounds=20).actions
    assert len({tuple(played[f"d{i}"]) for i in range(3)}) == 3


def test_random_opponents_of_other_roles_and_seeds_make_other_choices() -> None:
    game = Game(office_spec({BENIGN: RoleTask(start=Position(controlled_hosts=(PC, LAPTOP)))}))
    seats = [Seat("a", ATTACKER), Seat("b", BENIGN)]
    states = Rounds(game, seats, 1).reset()
    goal = Rounds(game, seats, 1).goal("a")

    def places(agent: str, role: AgentRole, seed: int, seat: int) -> tuple[float, ...]:
        opponent = RandomOpponent(game, role, seat)
        opponent.begin(states[agent], goal, seed)
        return tuple(opponent._rng.random() for _ in range(2))

    drawn = [
        places("a" if role is ATTACKER else "b", role, seed, seat)
        for role in (ATTACKER, DEFENDER, BENIGN)
        for seed in range(10)
        for seat in range(10)
    ]
    assert len({*drawn}) == len(drawn)


# --- seeds ----------------------------------------------------------------------------------------

NAMES = [
    ("random", ATTACKER),
    ("scripted", ATTACKER),
    ("random", DEFENDER),
    ("scripted", DEFENDER),
    ("stochastic", DEFENDER),
]


@pytest.mark.parametrize(("name", "role"), NAMES)
def test_opponent_same_seed_plays_the_same_whatever_came_before(name: str, role: AgentRole) -> None:
    fresh = play_episode(against(name, role), 7, Random(1))
    rounds = against(name, role, seed=2)
    for _ in range(3):
        play_episode(rounds, None, Random(2))

    again = play_episode(rounds, 7, Random(1))

    assert again == fresh
    assert fresh.actions["other"]


@pytest.mark.parametrize(("name", "role"), [pair for pair in NAMES if pair[0] != "scripted"])
def test_opponent_without_seed_goes_on_with_its_choices(name: str, role: AgentRole) -> None:
    rounds = against(name, role)
    first, second = (play_episode(rounds, None).actions["other"] for _ in range(2))
    assert first != second


# --- policies -------------------------------------------------------------------------------------


class Notes(Policy):
    """Notes what it is told, and asks for services."""

    plays_as = ATTACKER
    told: list[Observation]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed)
        self.told = []

    def begin_episode(self, start: Observation) -> None:
        self.told.append(start)

    def choose_action(self, state: GameState) -> Action:
        return find_services(PC, WEB)

    def end_episode(self, last: Observation) -> None:
        self.told.append(last)


def test_policy_opponent_tells_the_policy_what_a_server_would() -> None:
    part = RoleTask(
        start=Position(controlled_hosts=(PC,)),
        goal=Position(controlled_hosts=(WEB,), known_blocks={WEB: (LAPTOP,)}),
        goal_description="Take the web server.",
        max_steps=2,
    )
    game = Game(office_spec({ATTACKER: part}))
    opponent = PolicyOpponent(Notes, game)
    rounds = Rounds(game, [Seat("me", DEFENDER), Seat("other", ATTACKER, opponent)], 1)
    play_episode(rounds, None)

    policy = opponent.policy
    assert isinstance(policy, Notes)
    start, last = policy.told
    assert start.state.controlled_hosts == {PC}
    assert (start.reward, start.end) == (0, False)
    assert start.info == {
        "goal": rounds.goal("other").as_dict,
        "goal_description": "Take the web server.",
        "max_steps": 2,
    }
    assert (last.state, last.end) == (rounds.state("other"), True)
    assert last.state.known_services.keys() == {WEB}
    assert last.reward == -1 - 10
    assert last.info == {"end_reason": "AgentStatus.TimeoutReached"}


def test_scripted_attacker_without_seed_goes_on_with_what_it_has_learned() -> None:
    game = open_game("two_networks_global_defender")
    opponent = PolicyOpponent(ScriptedAttacker, game)
    rounds = Rounds(game, [Seat("me", BENIGN), Seat("other", ATTACKER, opponent)], 1)
    ends = []
    for _ in range(60):
        play_episode(rounds, None)
        ends.append(rounds.world.player("other").status)
        assert opponent.policy.is_watched is (AgentStatus.Fail in ends)  # type: ignore[attr-defined]
    assert AgentStatus.Fail in ends

    rounds.reset(seed=1)

    assert not opponent.policy.is_watched  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("defender", "kinds"),
    [
        ("random", {*GAME_ACTIONS}),
        ("scripted", {ActionType.FindData, ActionType.BlockIP}),
        ("stochastic", {*GAME_ACTIONS} - {ActionType.ExploitService, ActionType.ExfiltrateData}),
    ],
)
def test_defender_against_scripted_attacker_plays_its_way_and_loses_mostly(
    defender: str, kinds: set[ActionType]
) -> None:
    game = open_game(TASK)
    seats = [
        Seat("me", BENIGN),
        Seat("attacker", ATTACKER, make_opponent("scripted", ATTACKER, game)),
        Seat("defender", DEFENDER, make_opponent(defender, DEFENDER, game)),
    ]
    rounds = Rounds(game, seats, 1)
    wins, played = 0, set()
    for _ in range(40):
        actions = play_episode(rounds, None).actions["defender"]
        played |= {action.type for action in actions}
        wins += rounds.world.player("attacker").status is AgentStatus.Success
    assert played == kinds
    assert wins >= 35


def test_scripted_defender_cuts_off_who_acted_on_its_hosts() -> None:
    game = Game(office_spec({DEFENDER: RoleTask(start=Position(controlled_hosts=(WEB,)))}))
    seats = [Seat("me", ATTACKER), Seat("other", DEFENDER, ScriptedDefender(game))]
    rounds = Rounds(game, seats, 1)
    rounds.reset()
    ask = game.action_index(ATTACKER).find(find_services(PC, WEB), rounds.state("me").labels)

    rounds.step({"me": ask})
    rounds.step({"me": ask})

    assert rounds.world.player("other").trajectory.actions[-1].parameters == (
        block(WEB, WEB, PC).parameters
    )
    assert rounds.state("other").known_blocks[WEB] == {PC}


# --- saved policies -------------------------------------------------------------------------------


def save_network(
    path: Path, task: str, role: AgentRole, *, has_others: bool = True
) -> NetworkPolicy:
    """A network that was never trained: its weights are random."""
    game = open_game(task)
    header = PolicyHeader.of(game, role, "untrained", task, has_others=has_others)
    rng = np.random.default_rng(1)
    shapes = [(16, header.num_features + 1), (header.num_actions, 16)]
    layers = [(rng.normal(size=shape), rng.normal(size=shape[0])) for shape in shapes]
    policy = NetworkPolicy(header, layers, selection="sample")
    save_policy(policy, path)
    return policy


@pytest.mark.parametrize("has_others", [True, False])
@pytest.mark.parametrize("role", [ATTACKER, DEFENDER])
def test_saved_policy_plays_what_it_chooses(
    tmp_path: Path, role: AgentRole, has_others: bool
) -> None:
    path = tmp_path / "policy.npz"
    save_network(path, TASK, role, has_others=has_others)

    for what in (path, str(path)):
        rounds = against(what, role)  # type: ignore[arg-type]
        assert isinstance(rounds.seats[role is DEFENDER].opponent, SavedPolicyOpponent)
        first = play_episode(rounds, 1, Random(1))
        other = play_episode(rounds, 2, Random(1))
        assert play_episode(rounds, 1, Random(1)) == first
        assert other.actions["other"] != first.actions["other"]
        assert len(first.actions["other"]) > 10


def test_saved_policy_of_another_role_or_task_raises(tmp_path: Path) -> None:
    path = tmp_path / "policy.npz"
    save_network(path, TASK, ATTACKER)

    with pytest.raises(
        ConfigurationError, match="expected a policy of role Defender, 'untrained' is Attacker"
    ):
        make_opponent(path, DEFENDER, open_game(TASK))
    with pytest.raises(PolicyError, match="'untrained' was made for 'two_networks_defended'"):
        make_opponent(path, ATTACKER, open_game("two_networks_small"))
    with pytest.raises(PolicyError):
        make_opponent(tmp_path / "none.npz", ATTACKER, open_game(TASK))


# --- by name --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "role", "kind"),
    [
        ("random", ATTACKER, RandomOpponent),
        ("random", DEFENDER, RandomOpponent),
        ("random", BENIGN, RandomOpponent),
        ("scripted", ATTACKER, PolicyOpponent),
        ("scripted", DEFENDER, ScriptedDefender),
        ("stochastic", DEFENDER, PolicyOpponent),
    ],
)
def test_make_opponent_name_gives_one_of_its_own_each_time(
    name: str, role: AgentRole, kind: type
) -> None:
    game = open_game(TASK)
    one, other = make_opponent(name, role, game), make_opponent(name, role, game)
    assert type(one) is type(other) is kind
    assert one is not other


def test_make_opponent_object_is_given_back() -> None:
    game = open_game(TASK)
    opponent: Opponent = ScriptedDefender(game)
    assert make_opponent(opponent, DEFENDER, game) is opponent


@pytest.mark.parametrize(
    ("name", "role", "message"),
    [
        ("scriptd", ATTACKER, r"no attacker 'scriptd' \(did you mean 'scripted'\?\); expected ran"),
        ("stochastic", ATTACKER, "no attacker 'stochastic'; expected random, scripted or a policy"),
        ("Random", DEFENDER, r"no defender 'Random' \(did you mean 'random'\?\)"),
        ("scripted", BENIGN, "no benign 'scripted'; expected random or a policy"),
    ],
)
def test_make_opponent_unknown_name_raises(name: str, role: AgentRole, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        make_opponent(name, role, open_game(TASK))


def test_make_opponent_role_that_the_task_lacks_raises() -> None:
    with pytest.raises(RoleNotAvailableError):
        make_opponent("random", DEFENDER, open_game("two_networks_small"))
