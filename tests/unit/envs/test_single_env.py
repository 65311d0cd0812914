from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils import seeding

from netsecgame import IP, Action, AgentRole, GameState, Network, generate_valid_actions
from netsecgame.core.world import World
from netsecgame.envs import format_action
from netsecgame.envs.game import Game, open_game
from netsecgame.envs.opponents import make_opponent
from netsecgame.envs.single_env import NetSecGameEnv
from netsecgame.errors import (
    ActionTextError,
    ConfigurationError,
    EpisodeOverError,
    GameError,
    RoleNotAvailableError,
    TaskError,
    UnknownActionError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.core.task import GameSpec
    from netsecgame.game_components import AgentStatus

ROOT = Path(__file__).resolve().parents[3]
TASKS = sorted(path.stem for path in (ROOT / "task_configs").glob("*.yaml"))
ROLES = [
    (task, role)
    for task in TASKS
    for role in ("Attacker", "Defender")
    if role in open_game(task).spec.task.roles
]
WITH_DEFENDER = ("two_networks_defended", "two_networks_team")

Step = tuple[Any, float, bool, bool, dict[str, Any]]


def make_env(task: str, role: str = "Attacker", **options: Any) -> NetSecGameEnv:
    if role == "Attacker" and task in WITH_DEFENDER:
        options.setdefault("defender", "random")
    if role == "Defender":
        options.setdefault("attacker", "random")
    return NetSecGameEnv(task, role, **options)


def play(env: NetSecGameEnv, *, seed: int, steps: int = 150) -> Iterator[tuple[int, Step]]:
    """Random legal actions over some episodes, and what came of each."""
    rng = np.random.default_rng(seed)
    _, info = env.reset(seed=seed, options={"randomize_topology": True})
    for _ in range(steps):
        action = int(rng.choice(np.flatnonzero(info["action_mask"])))
        step = env.step(action)
        yield action, step
        info = step[-1]
        if step[2] or step[3]:
            _, info = env.reset()


def steps_of(role: str) -> int:
    """Defenders have thousands of legal actions."""
    return 150 if role == "Attacker" else 40


class Watcher:
    """Plays along and does nothing but count its turns."""

    def __init__(self) -> None:
        self.turns = 0

    def begin(self, state: KnownState, goal: Goal, seed: int | None) -> None: ...

    def act(self, state: KnownState) -> int | None:
        self.turns += 1
        return None

    def end(self, state: KnownState, reward: float, status: AgentStatus) -> None: ...


# --- masks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "role"), ROLES)
def test_action_mask_in_random_play_is_exactly_generate_valid_actions(task: str, role: str) -> None:
    env = make_env(task, role)
    for _, (_, _, _, _, info) in play(env, seed=11, steps=steps_of(role)):
        legal = {env.action(number) for number in np.flatnonzero(info["action_mask"])}
        state = GameState.from_json(env.state.as_json())
        assert legal == generate_valid_actions(state, include_blocks=role == "Defender")
        assert legal == set(env.legal_actions())
        assert np.array_equal(env.action_masks(), info["action_mask"])
        assert env.action_masks().dtype == np.bool_
        assert info["action_mask"].dtype == np.int8


@pytest.mark.parametrize(("task", "role"), ROLES)
def test_action_mask_in_random_play_names_only_what_the_learner_knows(task: str, role: str) -> None:
    env = make_env(task, role)
    for _, (_, _, _, _, info) in play(env, seed=12, steps=steps_of(role)):
        state = env.state
        known: set[Any] = {*state.known_hosts, *state.known_networks}
        for number in np.flatnonzero(info["action_mask"]):
            things = env.action(number).parameters.values()
            assert {thing for thing in things if isinstance(thing, IP | Network)} <= known


def test_action_mask_handed_out_stays_as_it_is() -> None:
    env = make_env("two_networks_small")
    masks, copies = [], []
    for _, (_, _, _, _, info) in play(env, seed=3):
        masks.append(info["action_mask"])
        copies.append(masks[-1].copy())
        masks[0][:] = 1  # nor does it matter what its owner does with it
    assert all(map(np.array_equal, masks[1:], copies[1:]))


# --- the game -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "task", ["two_networks_small", "two_networks_random", "two_networks_global_defender"]
)
def test_env_attacker_alone_plays_exactly_as_the_world(task: str) -> None:
    env = make_env(task)
    game = env.game
    world = World(game.spec, 0, game.topology)
    world.register("me", AgentRole.Attacker)
    first = game.first_number(AgentRole.Attacker)
    rng = np.random.default_rng(5)
    for seed in (4, None, None):
        env.reset(seed=seed)
        begun = world.reset(seed)["me"]
        assert env.state == begun.state
        assert env.goal == begun.goal
        is_over = False
        while not is_over:
            action = int(rng.choice(np.flatnonzero(env.action_masks())))
            _, reward, terminated, truncated, info = env.step(action)
            answer = world.step_number("me", action + first)
            is_over = terminated or truncated
            assert (env.state, reward) == (answer.state, answer.reward)
            assert is_over == answer.is_settled
            assert info["status"] == answer.status.to_string()
            assert info["steps"] == world.player("me").steps
            assert ("is_success" in info) == is_over


def test_env_scripted_attacker_wins() -> None:
    env = make_env("two_networks_small")
    attacker = make_opponent("scripted", AgentRole.Attacker, env.game)
    env.reset(seed=1)
    attacker.begin(env.state, env.goal, 1)
    rewards = []
    terminated = False
    while not terminated:
        chosen = attacker.act(env.state)
        assert isinstance(chosen, Action)
        _, reward, terminated, truncated, info = env.step(env.find_action(format_action(chosen)))
        rewards.append(reward)
    assert not truncated
    assert rewards == [-1.0] * (len(rewards) - 1) + [99.0]
    assert (info["status"], info["is_success"]) == ("Success", True)


def test_env_step_limit_truncates() -> None:
    env = make_env("two_networks_tiny")
    env.reset(seed=1)
    (scan, *_) = np.flatnonzero(env.action_masks())
    steps = [env.step(scan) for _ in range(50)]
    assert [step[2:4] for step in steps] == [(False, False)] * 49 + [(False, True)]
    assert [step[1] for step in steps] == [-1.0] * 49 + [-11.0]
    assert steps[-1][-1]["status"] == "TimeoutReached"
    assert steps[-1][-1]["is_success"] is False
    assert steps[24][0][-1] == np.float32(0.5)


def test_env_detected_attacker_is_terminated() -> None:
    env = make_env("two_networks_global_defender")
    ends = {
        (step[2], step[3], step[-1]["status"])
        for _, step in play(env, seed=2, steps=2_000)
        if step[2] or step[3]
    }
    assert (True, False, "Fail") in ends


def test_env_opponents_play_along() -> None:
    watcher, other = Watcher(), Watcher()
    env = make_env("two_networks_defended", defender=watcher, attacker=other)
    env.reset(seed=1)
    for _ in range(5):
        env.step(0)
    assert (watcher.turns, other.turns) == (5, 5)


def test_env_random_defender_changes_what_an_attacker_can_do() -> None:
    rewards = {}
    for defender in (None, "random"):
        env = make_env("two_networks_defended", defender=defender)
        rewards[defender] = [step[0].tobytes() for _, step in play(env, seed=6)]
    assert len(rewards[None][0]) < len(rewards["random"][0])  # there are blocks to know of


def test_env_defender_meets_the_scripted_attacker_unless_told_otherwise() -> None:
    told = NetSecGameEnv("two_networks_defended", "Defender", attacker="scripted")
    silent = NetSecGameEnv("two_networks_defended", "Defender")
    for env in (told, silent):
        env.reset(seed=3)
    ends = [run_out(env) for env in (told, silent)]
    assert ends[0] == ends[1]
    assert ends[0][-1][1:] == ("Fail", False)  # nobody defends, so the attacker wins


def run_out(env: NetSecGameEnv) -> list[tuple[Any, ...]]:
    """What comes of an episode in which the learner only scans what it knows."""
    log: list[tuple[Any, ...]] = []
    is_over = False
    while not is_over:
        _, reward, terminated, truncated, info = env.step(env.action_space.n - 1)
        log.append((reward, info["status"], info.get("is_success")))
        is_over = terminated or truncated
    return log


def with_limit(task: GameSpec | str, role: AgentRole, max_steps: int) -> Game:
    """A task in which a role has another step limit."""
    spec = open_game(task).spec
    roles = {**spec.task.roles, role: replace(spec.task.roles[role], max_steps=max_steps)}
    return Game(replace(spec, task=replace(spec.task, roles=roles)))


def test_env_defender_that_ends_first_is_told_how_the_attack_went() -> None:
    game = with_limit("two_networks_defended", AgentRole.Defender, 2)
    env = NetSecGameEnv(game, "Defender", attacker="scripted")
    env.reset(seed=3)
    assert env.step(env.action_space.n - 1)[1:4] == (-1.0, False, False)
    _, reward, terminated, truncated, info = env.step(env.action_space.n - 1)
    assert (reward, terminated, truncated) == (-11.0, True, False)  # the attacker has won
    assert (info["status"], info["steps"], info["is_success"]) == ("Fail", 2, False)
    assert env._rounds.world.player("attacker_0").steps > 2


def test_env_defender_alone_ends_with_its_step_limit() -> None:
    game = with_limit("two_networks_defended", AgentRole.Defender, 2)
    env = NetSecGameEnv(game, "Defender", attacker=None)
    env.reset(seed=3)
    assert env.step(0)[1:4] == (-1.0, False, False)
    _, reward, terminated, _, info = env.step(0)
    assert (reward, terminated, info["is_success"]) == (99.0, True, True)


def test_env_defender_waiting_for_an_attacker_that_does_nothing_raises() -> None:
    game = with_limit("two_networks_defended", AgentRole.Defender, 1)
    env = NetSecGameEnv(game, "Defender", attacker=Watcher())
    env.reset(seed=3)
    with pytest.raises(GameError, match="done nothing for 1000 rounds"):
        env.step(0)


def test_env_defender_waits_for_an_attacker_that_acts_now_and_then() -> None:
    class Sleeper(Watcher):
        def act(self, state: KnownState) -> int | None:
            super().act(state)
            return None if self.turns % 600 else 0

    spec = with_limit("two_networks_defended", AgentRole.Defender, 1).spec
    game = with_limit(spec, AgentRole.Attacker, 2)
    env = NetSecGameEnv(game, "Defender", attacker=Sleeper())
    env.reset(seed=3)
    _, reward, terminated, _, info = env.step(0)
    assert (reward, terminated, info["is_success"]) == (99.0, True, True)
    assert env._rounds.world.player("attacker_0").steps == 2


# --- seeds and addresses --------------------------------------------------------------------------


def test_env_first_reset_without_a_seed_draws_one_of_gymnasiums_generator() -> None:
    env = make_env("two_networks_random")
    env.reset()
    generator, _ = seeding.np_random(env.np_random_seed)
    twin = make_env("two_networks_random")
    twin.reset(seed=int(generator.integers(2**31)))
    for _ in range(5):
        assert env.state == twin.state
        env.reset()
        twin.reset()


def test_env_other_seeds_are_other_episodes() -> None:
    env = make_env("two_networks_random")
    starts = set()
    for seed in range(20):
        observation, _ = env.reset(seed=seed)
        starts.add(observation.tobytes())
    assert len(starts) > 1


def test_env_new_addresses_come_with_the_option_and_change_no_number() -> None:
    texts: list[Any] = []
    flats: list[Any] = []
    for relabel in (False, True):
        options = {"randomize_topology": relabel}
        for kind, told in (("text", texts), ("flat", flats)):
            env = make_env("two_networks_small_dynamic", observation=kind)
            observation, _ = env.reset(seed=8, options=options)
            told.append(observation)
            (scan, *_) = np.flatnonzero(env.action_masks())
            told.append(env.step(scan)[0])
    assert texts[0] != texts[2]
    assert np.array_equal(flats[1], flats[3])


def test_env_new_addresses_are_refused_by_a_task_that_has_none() -> None:
    env = make_env("two_networks_small", observation="text")
    plain, _ = env.reset(seed=8)
    assert env.reset(seed=8, options={"randomize_topology": True})[0] == plain


# --- actions as text ------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "role"), ROLES)
def test_find_action_of_every_legal_action_in_random_play_is_its_number(
    task: str, role: str
) -> None:
    env = make_env(task, role)
    for action, _ in play(env, seed=13, steps=steps_of(role) // 5):
        assert 0 <= action < env.action_space.n
        numbers = np.flatnonzero(env.action_masks()).tolist()
        texts = [format_action(env.action(number)) for number in numbers]
        assert [env.find_action(text) for text in texts] == numbers


def test_find_action_that_is_not_legal_gives_no_host_away() -> None:
    env = make_env("two_networks_small")
    env.reset(seed=1)
    action = "FindServices(source_host=192.168.2.2, target_host={})"
    told = set()
    for host in ("192.168.1.3", "192.168.1.77"):  # there is only the first, and nobody knows yet
        with pytest.raises(ActionTextError) as caught:
            env.find_action(action.format(host))
        assert f"target_host={host} is not legal with source_host=192.168.2.2" in str(caught.value)
        told.add(caught.value.reason.replace(host, "HOST"))
        assert caught.value.nearest is not None
        assert env.action_masks()[env.find_action(caught.value.nearest)]
    assert len(told) == 1


def test_find_action_of_an_attacker_never_finds_a_block() -> None:
    env = make_env("two_networks_small")
    env.reset(seed=1)
    with pytest.raises(ActionTextError, match="no BlockIP is legal now"):
        env.find_action(
            "BlockIP(source_host=192.168.2.2, target_host=192.168.2.2, blocked_host=213.47.23.195)"
        )


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"role": "defendr"}, r"role: expected Attacker or Defender, .*'Defender'\?"),
        ({"role": "Benign"}, "role: expected Attacker or Defender, got 'Benign'"),
        ({"observation": "txt"}, r"observation: .*did you mean 'text'\?"),
        ({"render_mode": "rgb_arrey"}, r"render_mode: .*did you mean 'rgb_array'\?"),
        ({"defender": "stochastik"}, r"did you mean 'stochastic'\?"),
    ],
)
def test_env_option_that_there_is_not_is_told_the_nearest(
    options: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        NetSecGameEnv("two_networks_defended", **options)


def test_env_task_that_there_is_not_is_told_the_nearest() -> None:
    with pytest.raises(TaskError, match=r"did you mean 'two_networks_tiny'\?"):
        NetSecGameEnv("two_networks_tin")


@pytest.mark.parametrize("options", [{"role": "Defender"}, {"defender": "random"}])
def test_env_role_that_the_task_lacks_raises(options: dict[str, Any]) -> None:
    with pytest.raises(RoleNotAvailableError, match="Defender"):
        NetSecGameEnv("two_networks_small", **options)


def test_reset_option_that_there_is_not_is_told_the_nearest() -> None:
    env = make_env("two_networks_small")
    with pytest.raises(ConfigurationError, match=r"did you mean 'randomize_topology'\?"):
        env.reset(options={"randomise_topology": True})


@pytest.mark.parametrize("number", [-1, 855, np.int64(855)])
def test_step_with_a_number_outside_the_index_raises_and_plays_nothing(number: int) -> None:
    env = make_env("two_networks_small")
    env.reset(seed=1)
    with pytest.raises(UnknownActionError, match="from 0 to 854"):
        env.step(number)
    assert env.step(0)[-1]["steps"] == 1


def test_step_with_what_is_no_integer_raises() -> None:
    env = make_env("two_networks_small")
    env.reset(seed=1)
    with pytest.raises(TypeError):
        env.step(0.5)  # type: ignore[arg-type]
    assert env.step(np.array(3))[-1]["steps"] == 1


def test_step_before_the_first_reset_and_after_the_end_raises() -> None:
    env = make_env("two_networks_tiny")
    with pytest.raises(EpisodeOverError, match="has not begun"):
        env.step(0)
    env.reset(seed=1)
    for _ in range(50):
        env.step(0)
    with pytest.raises(EpisodeOverError, match="has ended"):
        env.step(0)
    env.reset()
    assert env.step(0)[-1]["steps"] == 1


def test_render_without_a_mode_warns() -> None:
    env = make_env("two_networks_tiny")
    env.reset(seed=1)
    with pytest.warns(UserWarning, match="render_mode"):
        assert env.render() is None


def test_render_shows_what_the_learner_knows() -> None:
    env = make_env("two_networks_small", render_mode="ansi")
    env.reset(seed=1)
    env.step(0)
    text = env.render()
    assert isinstance(text, str)
    assert "attacker_0 in two_networks_small" in text
    assert "step 1 of 50" in text
    for host in env.state.known_hosts:
        assert str(host) in text
    picture = make_env("two_networks_small", render_mode="rgb_array")
    picture.reset(seed=1)
    frame = picture.render()
    assert isinstance(frame, np.ndarray)
    assert frame.shape == (600, 800, 3)


# --- importing ------------------------------------------------------------------------------------


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_of_the_environments_registers_them_and_is_light() -> None:
    modules = run(
        "import sys, gymnasium, netsecgame.envs, netsecgame.envs.registration\n"
        "assert 'netsecgame/TwoNetworks-v0' in gymnasium.registry\n"
        "print(*sys.modules)"
    ).split()
    heavy = {"numba", "pettingzoo", "matplotlib", "yaml", "jsonschema", "netsecgame.envs.game"}
    assert heavy & {*modules} == set()


def test_import_without_gymnasium_says_what_to_install() -> None:
    run(
        "import sys\n"
        "sys.modules['gymnasium'] = None\n"
        "try:\n"
        "    import netsecgame.envs\n"
        "except ImportError as error:\n"
        "    assert 'pip install netsecgame[env]' in str(error), error\n"
        "else:\n"
        "    raise AssertionError"
    )


def test_package_names_are_those_that_are_exported() -> None:
    import netsecgame.envs as package  # noqa: PLC0415

    assert {*package.__all__} <= {*dir(package)}
    for name in package.__all__:
        assert callable(getattr(package, name))
    with pytest.raises(AttributeError, match="no attribute 'NoSuchEnv'"):
        package.NoSuchEnv  # noqa: B018


def test_make_with_wrappers_keeps_the_methods_for_other_libraries() -> None:
    env: Any = gymnasium.make("netsecgame/TwoNetworksTiny-v0")
    env.reset(seed=1)
    assert env.get_wrapper_attr("action_masks")().sum() == env.unwrapped.action_masks().sum()
