from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from netsecgame.core.task import Position, RoleTask
from netsecgame.envs import env, make_opponent, open_game, parallel_env
from netsecgame.envs.batch import BatchedWorld
from netsecgame.envs.observations import KINDS, lay_out
from netsecgame.envs.single_env import NetSecGameEnv
from netsecgame.errors import ConfigurationError, RoleNotAvailableError, UnknownActionError
from netsecgame.game_components import IP, Action, AgentRole
from netsecgame.utils.utils import generate_valid_actions
from tests.unit.core.office import (
    DB,
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
)

if TYPE_CHECKING:
    from netsecgame.core.task import GameSpec
    from netsecgame.envs.multi_agent import NetSecGameParallelEnv

ATTACKER, DEFENDER, BENIGN = AgentRole.Attacker, AgentRole.Defender, AgentRole.Benign
ROLES = {"attacker": ATTACKER, "defender": DEFENDER, "benign": BENIGN}

STEP, SUCCESS, FAIL = -1, 100, -10


def office_task(max_defender_steps: int | None = None) -> GameSpec:
    """The attackers have won when they control the web server."""
    return office_spec(
        {
            ATTACKER: RoleTask(
                start=Position(controlled_hosts=(PC, OUTSIDE)),
                goal=Position(controlled_hosts=(WEB,)),
                max_steps=5,
            ),
            DEFENDER: RoleTask(
                start=Position(controlled_hosts=INSIDE), max_steps=max_defender_steps
            ),
        }
    )


class Play:
    """An environment, played by actions in place of numbers."""

    def __init__(self, game: NetSecGameParallelEnv) -> None:
        self.env = game
        self.observations, self.infos = game.reset(seed=1)

    def __call__(self, **actions: Action) -> tuple[Any, ...]:
        """A round; who is not named looks at what it knows."""
        default = find_data(PC, PC)
        self.result = self.env.step(
            {agent: self.number(agent, actions.get(agent, default)) for agent in self.env.agents}
        )
        return self.result

    def number(self, agent: str, action: Action) -> int:
        role = ROLES[agent.partition("_")[0]]
        labels = self.env._rounds.state(agent).labels
        return self.env.game.action_index(role).find(action, labels)


def sample(game: Any, observations: dict[str, Any], rng: Random) -> dict[str, int]:
    """A legal action for each agent; the types of actions are not weighed."""
    return {
        agent: int(rng.choice(np.flatnonzero(observations[agent]["action_mask"])))
        for agent in game.agents
    }


# --- what agents see ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_parallel_env_observations_of_each_kind_are_in_their_spaces(kind: str) -> None:
    game = parallel_env("two_networks_team", attackers=2, benign=1, observation=kind)
    rng = Random(1)
    observations, _ = game.reset(seed=1)
    assert game.agents == ["attacker_0", "attacker_1", "defender_0", "benign_0"]
    for _ in range(30):
        for agent, seen in observations.items():
            assert game.observation_space(agent).contains(seen)
        observations, *_ = game.step(sample(game, observations, rng))


def test_parallel_env_masks_are_the_valid_actions_of_what_each_agent_knows() -> None:
    game = parallel_env("two_networks_defended", benign=1)
    rng = Random(1)
    observations, infos = game.reset(seed=2)
    for _ in range(60):
        if not game.agents:
            break
        for agent in game.agents:
            role = ROLES[agent.partition("_")[0]]
            state = game._rounds.state(agent)
            index = game.game.action_index(role)
            mask = observations[agent]["action_mask"]
            assert mask.dtype == np.int8
            assert mask.shape == (game.action_space(agent).n,)
            legal = {index.action(int(i), state.labels) for i in np.flatnonzero(mask)}
            assert legal == generate_valid_actions(state, include_blocks=role is DEFENDER)
            assert infos[agent]["action_mask"] is mask
        observations, *_, infos = game.step(sample(game, observations, rng))
    assert any(game._rounds.world.player("defender_0").state.known_blocks.values())


@pytest.mark.parametrize(("defenders", "defender"), [(0, None), (1, "agent")])
def test_parallel_env_flat_observations_are_those_of_the_batched_world(
    defenders: int, defender: str | None
) -> None:
    task = "two_networks_defended"
    game = parallel_env(task, defenders=defenders)
    batch = BatchedWorld(
        open_game(task).spec,
        1,
        seed=5,
        defender=defender,
        with_observations=True,
        autoreset="Disabled",
        backend="numpy",
    )
    rng = Random(3)
    observations, _ = game.reset(seed=5)
    step = batch.reset(5)
    for _ in range(40):
        seen, theirs = step.observations, step.defender_observations
        assert seen is not None
        np.testing.assert_array_equal(observations["attacker_0"]["observation"], seen[0])
        if defenders:
            assert theirs is not None
            np.testing.assert_array_equal(observations["defender_0"]["observation"], theirs[0])
        if len(game.agents) <= defenders:
            break
        actions = sample(game, observations, rng)
        step = batch.step([actions["attacker_0"]], [actions["defender_0"]] if defenders else None)
        observations, rewards, *_ = game.step(actions)
        assert rewards["attacker_0"] == step.rewards[0]


@pytest.mark.parametrize("kind", ["flat", "dict", "text"])
@pytest.mark.parametrize("defender", [None, "random"])
def test_parallel_env_of_one_learner_is_the_single_environment(
    defender: str | None, kind: str
) -> None:
    task = "two_networks_defended"
    single = NetSecGameEnv(task, observation=kind, defender=defender)
    opponents = {"Defender": defender} if defender else None
    game = parallel_env(
        task, defenders=int(defender is not None), observation=kind, opponents=opponents
    )
    rng = Random(1)
    for seed in (7, None):
        observations, _ = game.reset(seed=seed)
        expected, _ = single.reset(seed=seed)
        while game.agents:
            assert data_equivalence(observations["attacker_0"]["observation"], expected)
            actions = sample(game, observations, rng)
            observations, rewards, terminations, truncations, _ = game.step(actions)
            expected, *results, _ = single.step(actions["attacker_0"])
            parts: list[dict[str, Any]] = [rewards, terminations, truncations]
            assert [part["attacker_0"] for part in parts] == results


def test_parallel_env_observations_are_the_callers_own() -> None:
    play = Play(parallel_env(office_task()))
    before = play()[0]["attacker_0"]
    kept = {key: array.copy() for key, array in before.items()}

    after = play()[0]["attacker_0"]
    after["action_mask"][:] = 0
    after["observation"][:] = 0

    for key, array in before.items():
        np.testing.assert_array_equal(array, kept[key])
    np.testing.assert_array_equal(play()[0]["attacker_0"]["action_mask"], kept["action_mask"])


def test_parallel_env_agent_sees_what_another_did_when_it_looks() -> None:
    game = parallel_env(office_task())
    names = lay_out(game.game, ATTACKER, has_others=True).feature_names
    play = Play(game)
    looks = [play()[0] for _ in range(2)]
    looks.append(play(defender_0=block(PC, PC, WEB))[0])
    looks.append(play()[0])

    known = [
        {
            name
            for name, value in zip(names, look["attacker_0"]["observation"], strict=False)
            if value
        }
        for look in looks
    ]

    assert known[2] == known[1] == known[0]
    assert known[3] - known[2] == {f"known_blocks {PC} {WEB}"}


# --- ends -----------------------------------------------------------------------------------------


def test_parallel_env_attacker_that_wins_leaves_and_the_others_play_on() -> None:
    play = Play(parallel_env(office_task(), attackers=2))
    play(attacker_1=find_services(PC, WEB))

    _, rewards, terminations, truncations, infos = play(attacker_1=exploit(PC, WEB, HTTP))

    assert rewards == {"attacker_0": STEP, "attacker_1": STEP + SUCCESS, "defender_0": STEP}
    assert terminations == {"attacker_0": False, "attacker_1": True, "defender_0": False}
    assert not any(truncations.values())
    assert play.env.agents == ["attacker_0", "defender_0"]
    told = infos["attacker_1"]
    assert (told["status"], told["steps"], told["is_success"]) == ("Success", 2, True)
    assert "is_success" not in infos["attacker_0"]
    observations, *others = play()
    assert all(list(part) == ["attacker_0", "defender_0"] for part in (observations, *others))


def test_parallel_env_attack_is_over_everybody_leaves() -> None:
    play = Play(parallel_env(office_task(), benign=1))
    for _ in range(4):
        play()

    _, rewards, terminations, truncations, infos = play()

    assert rewards == {"attacker_0": STEP + FAIL, "defender_0": STEP + SUCCESS, "benign_0": STEP}
    assert terminations == {"attacker_0": False, "defender_0": True, "benign_0": True}
    assert truncations == {"attacker_0": True, "defender_0": False, "benign_0": False}
    ends = {agent: (info["status"], info["is_success"]) for agent, info in infos.items()}
    assert ends == {
        "attacker_0": ("TimeoutReached", False),
        "defender_0": ("Success", True),
        "benign_0": ("TimeoutReached", False),
    }
    assert play.env.agents == []
    assert play.env.step({}) == ({}, {}, {}, {}, {})


def test_parallel_env_defender_that_ends_first_waits_and_its_actions_count_for_nothing() -> None:
    play = Play(parallel_env(office_task(max_defender_steps=1)))
    _, rewards, *ends, infos = play(defender_0=find_data(WEB, WEB))
    assert rewards["defender_0"] == STEP
    assert infos["defender_0"]["is_waiting"]
    assert not infos["attacker_0"]["is_waiting"]
    assert not any(end["defender_0"] for end in ends)

    _, rewards, *_, infos = play(attacker_0=find_services(PC, WEB), defender_0=block(WEB, WEB, PC))
    assert rewards["defender_0"] == 0
    assert (infos["defender_0"]["steps"], infos["defender_0"]["is_waiting"]) == (1, True)

    # Had it blocked, this would fail.
    _, rewards, terminations, _, infos = play(attacker_0=exploit(PC, WEB, HTTP))
    assert rewards == {"attacker_0": STEP + SUCCESS, "defender_0": FAIL}
    assert terminations["defender_0"]
    assert not infos["defender_0"]["is_waiting"]
    assert play.env.agents == []


@pytest.mark.parametrize("defender_steps", [None, 1])
def test_parallel_env_max_cycles_truncates_everybody_who_is_left(
    defender_steps: int | None,
) -> None:
    play = Play(parallel_env(office_task(defender_steps), max_cycles=2))
    *_, truncations, _ = play()
    assert not any(truncations.values())

    _, rewards, terminations, truncations, infos = play()

    assert rewards["attacker_0"] == STEP
    assert terminations == {"attacker_0": False, "defender_0": False}
    assert truncations == {"attacker_0": True, "defender_0": True}
    assert infos["attacker_0"]["is_success"] is False
    assert play.env.agents == []
    assert play.env.step({}) == ({}, {}, {}, {}, {})
    play.env.reset()
    assert play.env.agents == ["attacker_0", "defender_0"]
    assert not any(play()[3].values())


def test_parallel_env_end_in_the_last_cycle_is_no_truncation() -> None:
    play = Play(parallel_env(office_task(), max_cycles=2))
    play(attacker_0=find_services(PC, WEB))

    _, _, terminations, truncations, _ = play(attacker_0=exploit(PC, WEB, HTTP))

    assert terminations == {"attacker_0": True, "defender_0": True}
    assert truncations == {"attacker_0": False, "defender_0": False}


# --- the truth ------------------------------------------------------------------------------------


def truth_of(game: NetSecGameParallelEnv) -> dict[str, float]:
    """What is not zero, by name."""
    state = game.state()
    assert game.state_space.contains(state)
    return {
        name: float(value) for name, value in zip(game.state_names, state, strict=True) if value
    }


def test_state_tells_what_nobody_knows_yet() -> None:
    play = Play(parallel_env(office_task()))
    controlled = {f"controlled_hosts attacker_0 {ip}" for ip in (PC, OUTSIDE)}
    controlled |= {f"controlled_hosts defender_0 {ip}" for ip in INSIDE}
    data = {
        f"data {WEB} User1 Page",
        f"data {DB} User1 Table",
        f"data {DB} User2 Backup",
        f"data {LAPTOP} User3 Notes",
    }
    assert truth_of(play.env) == dict.fromkeys(controlled | data, 1.0)


def test_state_changes_with_the_truth() -> None:
    play = Play(parallel_env(office_task()))
    before = truth_of(play.env)
    outsider = IP("8.8.8.8")

    play(attacker_0=find_services(PC, WEB), defender_0=block(DB, DB, LAPTOP))
    blocked = truth_of(play.env)
    play.env._rounds.world.step("defender_0", block(DB, DB, outsider))  # is no host of the game
    assert truth_of(play.env) == blocked
    play(attacker_0=exploit(PC, WEB, HTTP))

    assert blocked.keys() - before.keys() == {"share_of_steps attacker_0", f"block {DB} {LAPTOP}"}
    assert blocked["share_of_steps attacker_0"] == pytest.approx(0.2)
    assert truth_of(play.env).keys() - blocked.keys() == {
        "has_ended attacker_0",
        "has_ended defender_0",
        f"controlled_hosts attacker_0 {WEB}",
    }


def test_state_data_that_were_carried_are_where_they_are_now() -> None:
    game = parallel_env(
        "two_networks_small", defenders=0, benign=1, opponents={"attacker_0": "scripted"}
    )
    game.reset(seed=1)
    before = truth_of(game)
    while game.agents:
        game.step({"benign_0": 0})
    new = truth_of(game).keys() - before.keys()
    assert "data 213.47.23.195 User1 DataFromServer1" in new
    assert "has_ended attacker_0" in new


def test_state_names_and_numbers_are_as_many() -> None:
    line_ups: list[dict[str, Any]] = [{}, {"attackers": 2, "benign": 2}, {"defenders": 0}]
    for line_up in line_ups:
        game = parallel_env(**line_up)
        assert len(game.state_names) == len({*game.state_names}) == game.state_space.shape[0]
    alone = parallel_env(defenders=0)
    assert not any(name.startswith("block ") for name in alone.state_names)


# --- opponents ------------------------------------------------------------------------------------


def test_opponents_by_role_and_by_name_are_no_learners() -> None:
    game = parallel_env(
        attackers=2,
        defenders=2,
        benign=1,
        opponents={"defender_1": "scripted", "Defender": "random", "benign_0": "random"},
    )
    assert game.possible_agents == ["attacker_0", "attacker_1"]
    kinds = {
        seat.agent: type(seat.opponent).__name__ for seat in game._rounds.seats if seat.opponent
    }
    assert kinds == {
        "defender_0": "RandomOpponent",
        "defender_1": "ScriptedDefender",
        "benign_0": "RandomOpponent",
    }
    observations, _ = game.reset(seed=1)
    game.step(sample(game, observations, Random(1)))
    assert game._rounds.world.player("defender_0").steps == 1


def test_opponents_of_one_role_play_differently() -> None:
    game = parallel_env(defenders=2, opponents={"Defender": "random"})
    observations, _ = game.reset(seed=1)
    for _ in range(5):
        observations, *_ = game.step(sample(game, observations, Random(1)))
    played = [game._rounds.world.player(f"defender_{i}").trajectory.actions for i in range(2)]
    assert played[0] != played[1]


def test_opponents_objects_play_one_agent_each() -> None:
    task = open_game("two_networks_defended")
    one, other = (make_opponent("random", DEFENDER, task, seat) for seat in range(2))
    game = parallel_env(task, defenders=2, opponents={"defender_0": one, "defender_1": other})
    assert [seat.opponent for seat in game._rounds.seats[1:]] == [one, other]
    for opponents in ({"Defender": one}, {"defender_0": one, "defender_1": one}):
        with pytest.raises(ConfigurationError, match="one object cannot play two agents"):
            parallel_env(task, defenders=2, opponents=opponents)


@pytest.mark.parametrize("role", ["Attacker", "Defender"])
def test_opponents_same_seed_plays_the_same_again(role: str) -> None:
    game = parallel_env(benign=1, opponents={role: "random"})

    def play() -> list[Any]:
        rng = Random(1)
        seen = []
        observations, _ = game.reset(seed=4)
        while game.agents:
            observations, *rest = game.step(sample(game, observations, rng))
            seen.append((game.state().tolist(), rest[:3]))
        return seen

    assert play() == play()


# --- seeds and resets -----------------------------------------------------------------------------


def test_reset_without_seed_begins_something_new_in_every_environment() -> None:
    starts = set()
    for _ in range(20):
        game = parallel_env("two_networks_random", defenders=0)
        game.reset()
        starts.add(game.state().tobytes())
    assert len(starts) > 1


def test_reset_without_seed_goes_on_with_the_streams() -> None:
    one, other = (parallel_env("two_networks_random", defenders=0) for _ in range(2))
    assert one.reset(seed=3)
    assert other.reset(seed=3)
    starts = set()
    for _ in range(10):
        one.reset()
        other.reset()
        np.testing.assert_array_equal(one.state(), other.state())
        starts.add(one.state().tobytes())
    assert len(starts) > 1


def test_reset_randomize_topology_draws_new_addresses() -> None:
    game = parallel_env("two_networks_small_dynamic", defenders=0, observation="text")
    original, _ = game.reset(seed=1)
    moved, _ = game.reset(seed=1, options={"randomize_topology": True})
    assert original["attacker_0"]["observation"] != moved["attacker_0"]["observation"]
    np.testing.assert_array_equal(
        original["attacker_0"]["action_mask"], moved["attacker_0"]["action_mask"]
    )


# --- turn by turn ---------------------------------------------------------------------------------


def test_env_plays_what_the_parallel_one_plays() -> None:
    options: dict[str, Any] = {"task": "two_networks_team", "attackers": 2, "benign": 1}
    turns, parallel = env(**options), parallel_env(**options)
    turns.reset(seed=6)
    observations, _ = parallel.reset(seed=6)
    rng = Random(1)
    assert turns.possible_agents == parallel.possible_agents
    while parallel.agents:
        actions = sample(parallel, observations, rng)
        for agent, action in actions.items():
            assert turns.agent_selection == agent
            np.testing.assert_array_equal(
                turns.last()[0]["observation"], observations[agent]["observation"]
            )
            turns.step(action)
        observations, rewards, terminations, truncations, _ = parallel.step(actions)
        np.testing.assert_array_equal(turns.state(), parallel.state())
        assert turns.rewards == rewards
        assert turns.terminations == terminations
        assert turns.truncations == truncations
        while turns.agents and (
            turns.terminations[turns.agent_selection] or turns.truncations[turns.agent_selection]
        ):
            turns.step(None)
    assert turns.agents == []


# --- pictures -------------------------------------------------------------------------------------


def test_render_shows_each_agent() -> None:
    opponents = {"Defender": "scripted"}
    text = parallel_env(office_task(), attackers=2, opponents=opponents, render_mode="ansi")
    text.reset(seed=1)
    shown = text.render()
    assert isinstance(shown, str)
    titles = [line for line in shown.splitlines() if " in office" in line]
    assert [title.split()[0] for title in titles] == ["attacker_0", "attacker_1", "defender_0"]

    picture = parallel_env(office_task(), opponents=opponents, render_mode="rgb_array")
    picture.reset(seed=1)
    drawn = picture.render()
    assert isinstance(drawn, np.ndarray)
    assert drawn.shape == (600, 1_600, 3)
    assert drawn.dtype == np.uint8


def test_render_for_people_prints_after_each_reset_and_step(
    capsys: pytest.CaptureFixture[str],
) -> None:
    play = Play(parallel_env(office_task(), render_mode="human"))
    play()
    assert capsys.readouterr().out.count("attacker_0 in office") == 2


def test_render_without_mode_gives_nothing() -> None:
    game = parallel_env(office_task())
    game.reset()
    assert game.render() is None


# --- what cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attackers": 0}, "attackers: expected at least 1, got 0"),
        ({"observation": "flap"}, r"did you mean 'flat'\?"),
        ({"render_mode": "rgb"}, "render_mode: expected one of ansi, human, rgb_array, got 'rgb'"),
        ({"opponents": {"defender_1": "random"}}, r"no agent 'defender_1' \(did you mean"),
        ({"opponents": {"Benign": "random"}}, "expected attacker_0, defender_0, Attacker, Def"),
        ({"opponents": {"Defender": "scriptd"}}, r"no defender 'scriptd' \(did you mean 'scrip"),
        ({"opponents": {"Attacker": "random", "Defender": "random"}}, "nobody is left to learn"),
    ],
)
def test_parallel_env_wrong_option_raises(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        parallel_env(**options)


def test_parallel_env_role_that_the_task_lacks_raises() -> None:
    with pytest.raises(RoleNotAvailableError):
        parallel_env("two_networks_small")


def test_step_unknown_number_or_none_raises() -> None:
    game = parallel_env()
    game.reset()
    with pytest.raises(UnknownActionError):
        game.step({"attacker_0": int(game.action_space("attacker_0").n), "defender_0": 0})
    game.reset()
    with pytest.raises(KeyError, match="defender_0"):
        game.step({"attacker_0": 0})
