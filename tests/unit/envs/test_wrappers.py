from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import FrameStackObservation

from netsecgame.core.scenario import Host, Interface, Scenario
from netsecgame.core.task import DetectionRule, GameSpec, Position, Rewards, RoleTask, Task
from netsecgame.envs.game import open_game
from netsecgame.envs.single_env import NetSecGameEnv
from netsecgame.envs.wrappers import Curriculum, EpisodeOutcome, PotentialShaping, progress
from netsecgame.envs.wrappers.alignment import idle_action
from netsecgame.errors import ConfigurationError, UnknownActionError
from netsecgame.game_components import (
    IP,
    Action,
    ActionType,
    AgentRole,
    Data,
    Network,
    Service,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState

PC, SERVER = IP("192.168.2.2"), IP("192.168.2.3")
INSIDE = Network("192.168.2.0", 24)
SSH = Service("ssh", "passive", "8.1.0", is_local=False)
LOOT = Data("boss", "salaries")
GAMMA = 0.9

#: From PC: find the server, its service, take it over, find the data, carry it home.
WAY = (
    Action(ActionType.ScanNetwork, {"source_host": PC, "target_network": INSIDE}),
    Action(ActionType.FindServices, {"source_host": PC, "target_host": SERVER}),
    Action(
        ActionType.ExploitService,
        {"source_host": PC, "target_host": SERVER, "target_service": SSH},
    ),
    Action(ActionType.FindData, {"source_host": SERVER, "target_host": SERVER}),
    Action(ActionType.ExfiltrateData, {"source_host": SERVER, "target_host": PC, "data": LOOT}),
)


def small_task(max_steps: int | None = None, server: IP = SERVER, **settings: Any) -> GameSpec:
    """Two hosts, one of which has what the attacker on the other one wants."""
    scenario = Scenario(
        "small",
        (
            Host("pc", (Interface(PC, INSIDE),)),
            Host("server", (Interface(server, INSIDE),), (SSH,), (LOOT,)),
        ),
    )
    attacker = RoleTask(
        start=Position(controlled_hosts=(PC,)),
        goal=Position(known_data={PC: (LOOT,)}),
        max_steps=max_steps,
    )
    rewards = Rewards(success=100, step=-1, fail=-10)
    return GameSpec(
        Task("small", {AgentRole.Attacker: attacker}, rewards=rewards, **settings), scenario
    )


def small_env(max_steps: int | None = None, **settings: Any) -> NetSecGameEnv:
    return NetSecGameEnv(small_task(max_steps, **settings))


def number_of(env: gymnasium.Env[Any, Any], action: Action) -> int:
    inner = env.unwrapped
    assert isinstance(inner, NetSecGameEnv)
    number = inner.game.action_index(inner.role).find(action, inner.state.labels)
    assert number >= 0
    return number


def win(env: gymnasium.Env[Any, Any]) -> tuple[Any, float, bool, bool, dict[str, Any]]:
    """Play `WAY`; gives the last step."""
    for action in WAY:
        told = env.step(number_of(env, action))
    assert told[2]
    return told  # type: ignore[return-value]  # Gymnasium's rewards may be anything like a float


def play_random(env: gymnasium.Env[Any, Any], seed: int, steps: int) -> list[Any]:
    """What every step of random legal actions tells, resets between episodes included."""
    rng = np.random.default_rng(seed)
    observation, info = env.reset(seed=seed)
    told: list[Any] = [(observation, info)]
    for _ in range(steps):
        action = rng.choice(np.flatnonzero(info["action_mask"]))
        observation, reward, terminated, truncated, info = env.step(action)
        told.append((observation, reward, terminated, truncated, info))
        if terminated or truncated:
            observation, info = env.reset()
            told.append((observation, info))
    return told


def hosts_known(state: KnownState, goal: Goal) -> float:
    return len(state.known_hosts) + 3.0 * len(state.controlled_hosts)


# --- all of them ----------------------------------------------------------------------------------

_WRAPPERS: dict[str, Callable[[], gymnasium.Env[Any, Any]]] = {
    "shaping": lambda: PotentialShaping(gymnasium.make("netsecgame/TwoNetworksTiny-v0")),
    "outcome": lambda: EpisodeOutcome(gymnasium.make("netsecgame/TwoNetworksTiny-v0")),
    "curriculum": lambda: Curriculum(
        [gymnasium.make(f"netsecgame/{task}-v0") for task in ("TwoNetworksTiny", "OneNetwork")]
    ),
    "stack": lambda: FrameStackObservation(gymnasium.make("netsecgame/TwoNetworksTiny-v0"), 3),
    "all": lambda: FrameStackObservation(
        EpisodeOutcome(PotentialShaping(Curriculum([small_env(9), small_env(7)]))), 2
    ),
}


@pytest.mark.parametrize("name", _WRAPPERS)
@pytest.mark.filterwarnings("ignore:.*is different from the unwrapped version:UserWarning")
@pytest.mark.filterwarnings("ignore:.*the environment not having a spec:UserWarning")
def test_check_env_wrapped_passes(name: str) -> None:
    env = _WRAPPERS[name]()
    check_env(env)
    env.close()


@pytest.mark.parametrize("name", _WRAPPERS)
def test_action_masks_wrapped_are_those_of_the_info(name: str) -> None:
    env = _WRAPPERS[name]()
    _, info = env.reset(seed=1)
    for _ in range(5):
        masks = env.get_wrapper_attr("action_masks")()
        assert masks.dtype == np.bool_
        assert masks.shape == (env.action_space.n,)  # type: ignore[attr-defined]
        assert np.array_equal(masks, info["action_mask"])
        *_, info = env.step(np.flatnonzero(masks)[-1])


def test_frame_stack_flat_observations_keeps_the_last_ones() -> None:
    env = FrameStackObservation(small_env(20), 3)
    first, _ = env.reset(seed=1)
    second, *_ = env.step(number_of(env, WAY[0]))
    assert second.shape == (3, *(small_env().observation_space.shape or ()))
    assert np.array_equal(second[:2], first[1:])
    assert not np.array_equal(second[2], second[1])
    assert second in env.observation_space


@pytest.mark.parametrize("wrapper", [PotentialShaping, EpisodeOutcome])
def test_wrapper_of_another_game_raises(wrapper: Callable[..., Any]) -> None:
    with pytest.raises(TypeError, match="expected an environment of netsecgame"):
        wrapper(gymnasium.make("CartPole-v1"))


def test_shaping_and_outcome_are_made_anew_from_their_spec() -> None:
    tiny = gymnasium.make("netsecgame/TwoNetworksTiny-v0")
    env = EpisodeOutcome(PotentialShaping(tiny, scale=5.0), 7)
    assert env.spec is not None
    again = gymnasium.make(env.spec)

    told = [play_random(one, 3, 60) for one in (env, again)]

    for step in [*told[0], *told[1]]:
        step[-1].get("episode", {}).pop("t", None)
    np.testing.assert_equal(told[0], told[1])
    assert any("episode" in step[-1] for step in told[1])
    assert again.get_wrapper_attr("scale") == 5.0


# --- potential-based shaping ----------------------------------------------------------------------


class Transition(NamedTuple):
    action: int
    after: bytes | None  # None is the end
    plain: float
    shaped: float


def explore(env: gymnasium.Env[Any, Any]) -> dict[bytes, list[Transition]]:
    """What each legal action does in every state that can be reached."""
    paths: dict[bytes, list[int]] = {}
    untried: dict[bytes, list[int]] = {}
    found: dict[bytes, list[Transition]] = {}

    def meet(observation: Any, info: dict[str, Any], path: list[int]) -> bytes:
        state = bytes(observation)
        if state not in found:
            paths[state], found[state] = path, []
            untried[state] = np.flatnonzero(info["action_mask"]).tolist()
        return state

    def go(path: list[int]) -> bytes:
        observation, info = env.reset(seed=0)
        for action in path:
            observation, _, _, _, info = env.step(action)
        return meet(observation, info, path)

    state = go([])
    while untried:
        if state not in untried:
            state = go(paths[next(iter(untried))])
        action = untried[state].pop()
        if not untried[state]:
            del untried[state]
        observation, reward, terminated, truncated, info = env.step(action)
        assert not truncated
        path = [*paths[state], action]
        after = None if terminated else meet(observation, info, path)
        shaped = float(reward)
        found[state].append(Transition(action, after, shaped - info["shaping"], shaped))
        state = after or go([])
    return found


def solve(
    model: dict[bytes, list[Transition]], reward: Callable[[Transition], float]
) -> dict[bytes, dict[int, float]]:
    """The value of every action under the best play after it, by value iteration."""
    values = dict.fromkeys(model, -1e6)  # below all, so that losses are not put off for ever

    def worth(step: Transition) -> float:
        return reward(step) + (GAMMA * values[step.after] if step.after is not None else 0.0)

    for _ in range(500):
        better = {state: max(map(worth, steps)) for state, steps in model.items()}
        if better == values:
            return {state: {s.action: worth(s) for s in steps} for state, steps in model.items()}
        values = better
    raise AssertionError("the values do not settle")


def best(values: dict[int, float]) -> set[int]:
    highest = max(values.values())
    return {action for action, value in values.items() if value > highest - 1e-6}


@pytest.mark.parametrize("potential", [progress, hosts_known])
def test_potential_shaping_best_actions_of_every_state_stay(
    potential: Callable[[KnownState, Goal], float],
) -> None:
    task = open_game("two_networks_tiny").spec.task
    roles = {AgentRole.Attacker: replace(task.roles[AgentRole.Attacker], max_steps=None)}
    spec = replace(open_game("two_networks_tiny").spec, task=replace(task, roles=roles))
    inner = NetSecGameEnv(spec)
    measured: dict[bytes, float] = {}

    def noted(state: KnownState, goal: Goal) -> float:
        key = bytes(inner.observer.observe(state, 0.0))
        measured[key] = potential(state, goal)
        return measured[key]

    model = explore(PotentialShaping(inner, noted, GAMMA, scale=30.0))

    plain = solve(model, lambda step: step.plain)
    shaped = solve(model, lambda step: step.shaped)
    assert len(model) > 500
    assert len(set(measured.values())) > 5
    for state, values in plain.items():
        assert best(shaped[state]) == best(values)
        # The theorem also says by how much values differ: by the potential of the state.
        for action, value in values.items():
            assert shaped[state][action] == pytest.approx(value - 30.0 * measured[state])
    assert any(1 < len(best(values)) < len(values) for values in plain.values())


def test_potential_shaping_of_a_won_episode_adds_up_to_the_first_potential() -> None:
    env = PotentialShaping(small_env(), hosts_known, GAMMA, scale=2.0)
    env.reset(seed=1)
    first = 2.0 * hosts_known(env.unwrapped.state, env.unwrapped.goal)  # type: ignore[attr-defined]
    added = [env.step(number_of(env, action))[4]["shaping"] for action in WAY]
    assert first > 0
    assert len({round(value, 9) for value in added}) > 2
    total = sum(GAMMA**step * value for step, value in enumerate(added))
    assert total == pytest.approx(-first)


@pytest.mark.parametrize(("is_end", "last"), [(False, GAMMA * 4.0), (True, 0.0)])
def test_potential_shaping_at_the_step_limit_goes_by_its_option(is_end: bool, last: float) -> None:
    env = PotentialShaping(small_env(2), hosts_known, GAMMA, scale=1.0, truncation_is_end=is_end)
    env.reset(seed=1)
    idle = number_of(env, WAY[3])  # SERVER is not controlled
    env.step(idle)
    _, reward, terminated, truncated, info = env.step(idle)
    assert truncated
    assert not terminated
    assert info["shaping"] == pytest.approx(last - 4.0)
    assert float(reward) == pytest.approx(-1 - 10 + info["shaping"])


def test_potential_shaping_without_scale_takes_the_reward_for_success() -> None:
    plain, scaled = (
        PotentialShaping(small_env(), gamma=GAMMA, scale=scale) for scale in (1.0, None)
    )
    for env in (plain, scaled):
        env.reset(seed=1)
    one, other = (env.step(number_of(env, WAY[0]))[4]["shaping"] for env in (plain, scaled))
    assert other == pytest.approx(100 * one)
    assert one > 0


def test_potential_shaping_gamma_beyond_one_raises() -> None:
    with pytest.raises(ValueError, match=r"gamma is 1\.5"):
        PotentialShaping(small_env(), gamma=1.5)


def test_progress_on_the_way_to_the_goal_grows_to_one_part_after_another() -> None:
    env = small_env()
    env.reset(seed=1)
    seen = [progress(env.state, env.goal)]
    for action in WAY:
        env.step(number_of(env, action))
        seen.append(progress(env.state, env.goal))
    # One of two hosts known and controlled; both known; both controlled; data seen; data at home.
    assert seen == pytest.approx([0.25, 0.375, 0.375, 0.5, 0.75, 1.0])


def test_progress_without_a_goal_is_the_way_alone() -> None:
    env = NetSecGameEnv("two_networks_defended", role="Defender")
    env.reset(seed=1)
    assert 0 < progress(env.state, env.goal) <= 0.5


# --- curriculum -----------------------------------------------------------------------------------

STAGES = ("two_networks_tiny", "two_networks_small", "two_networks")


def test_curriculum_of_growing_networks_has_the_spaces_of_the_last() -> None:
    env = Curriculum([NetSecGameEnv(task) for task in STAGES])
    last = NetSecGameEnv(STAGES[-1])
    assert env.action_space == last.action_space
    assert env.observation_space == last.observation_space


def test_curriculum_last_stage_plays_as_without_it() -> None:
    env = Curriculum([NetSecGameEnv(task) for task in STAGES])
    env.stage = 2
    told = play_random(env, 5, 150)
    assert {step[-1].pop("stage") for step in told} == {2}
    expected = play_random(NetSecGameEnv(STAGES[-1]), 5, 150)
    np.testing.assert_equal(told, expected)


def test_curriculum_same_numbers_mean_the_same_in_every_stage() -> None:
    tiny, last = NetSecGameEnv(STAGES[0]), NetSecGameEnv(STAGES[-1])
    env = Curriculum([tiny, last])
    observation, info = env.reset(seed=1)
    last.reset(seed=1)
    tiny_legal = [str(action) for action in tiny.legal_actions()]
    assert tiny_legal == [str(last.action(i)) for i in np.flatnonzero(info["action_mask"])]
    names = [*last.observer.layout.feature_names, "share"]  # type: ignore[attr-defined]
    known = {names[place] for place in np.flatnonzero(observation)}
    ours = tiny.observer.layout.feature_names  # type: ignore[attr-defined]
    plain = tiny.observer.observe(tiny.state, 0.0)
    assert known == {ours[place] for place in np.flatnonzero(plain)}
    assert known


def test_curriculum_share_of_steps_is_at_one_place() -> None:
    env = Curriculum([NetSecGameEnv("one_network"), NetSecGameEnv(STAGES[0])])
    place = NetSecGameEnv(STAGES[0]).observation_space.shape[0] - 1  # type: ignore[index]
    for stage, limit in enumerate((75, 50)):
        env.stage = stage
        _, info = env.reset(seed=1)
        observation, *_ = env.step(np.flatnonzero(info["action_mask"])[0])
        assert observation[place] == pytest.approx(1 / limit)


def test_curriculum_stage_won_often_enough_leads_to_the_next() -> None:
    env = Curriculum([small_env(9), small_env(8)], promote_at=0.5, window=2)
    stages = []
    for is_won in (False, True, True):
        _, info = env.reset(seed=1)
        stages.append(info["stage"])
        if is_won:
            *_, info = win(env)
        else:
            for _ in range(9):
                *_, truncated, info = env.step(number_of(env, WAY[3]))
            assert truncated
        stages.append(info["stage"])  # still that of the episode that has ended
    assert stages == [0, 0, 0, 0, 1, 1]
    assert list(env.wins) == [True]  # those of the first stage are forgotten


def test_curriculum_last_stage_stays() -> None:
    env = Curriculum([small_env(9)], promote_at=0.5, window=1)
    for _ in range(3):
        _, info = env.reset(seed=1)
        win(env)
    assert info["stage"] == 0


def test_curriculum_episodes_cut_off_do_not_count() -> None:
    env = Curriculum([small_env(9), small_env(9)], promote_at=0.0, window=1)
    for _ in range(3):
        _, info = env.reset(seed=1)
        env.step(number_of(env, WAY[0]))
    assert info["stage"] == 0


def test_curriculum_stage_set_by_hand_is_not_overruled() -> None:
    env = Curriculum([small_env(9)] * 3, promote_at=0.5, window=1)
    env.reset(seed=1)
    env.stage = 2
    assert env.stage == 0
    win(env)
    assert env.reset()[1]["stage"] == 2
    with pytest.raises(ValueError, match="stage is 3; expected 0 to 2"):
        env.stage = 3


def test_curriculum_same_seed_is_the_same_through_stages() -> None:
    def train() -> list[Any]:
        stages = [NetSecGameEnv("two_networks_random"), NetSecGameEnv("two_networks_random")]
        env = Curriculum(stages, promote_at=0.0, window=2)
        return play_random(env, 7, 350)

    told, again = train(), train()
    assert told[-1][-1]["stage"] == 1
    np.testing.assert_equal(told, again)


def test_curriculum_action_of_another_stage_costs_a_step_and_changes_nothing() -> None:
    other = IP("192.168.2.9")
    env = Curriculum([small_env(9), NetSecGameEnv(small_task(9, server=other))])
    before, info = env.reset(seed=1)
    ours = NetSecGameEnv(small_task(9, server=other))
    ours.reset(seed=1)
    foreign = ours.game.action_index(ours.role).find(
        Action(ActionType.FindServices, {"source_host": PC, "target_host": other}),
        ours.state.labels,
    )
    assert not info["action_mask"][foreign]

    after, reward, terminated, _, info = env.step(foreign)

    assert np.flatnonzero(after != before).tolist() == [
        ours.observation_space.shape[0] - 1  # type: ignore[index]
    ]
    assert (reward, terminated, info["steps"]) == (-1.0, False, 1)


@pytest.mark.parametrize("role", ["Attacker", "Defender"])
def test_idle_action_in_any_state_changes_nothing(role: str) -> None:
    env = NetSecGameEnv("two_networks_defended", role=role, attacker=None)
    rng = np.random.default_rng(1)
    _, info = env.reset(seed=1)
    for _ in range(25):
        known = env.state.knowledge
        number = idle_action(env.game.action_index(env.role), known)
        assert not info["action_mask"][number]
        action = env.action(number)
        assert action.type is ActionType.ExfiltrateData
        assert action.parameters["source_host"] == action.parameters["target_host"]
        *_, info = env.step(number)
        assert env.state.knowledge == known
        *_, info = env.step(rng.choice(np.flatnonzero(info["action_mask"])))


@pytest.mark.parametrize("number", [-1, 10**6])
def test_curriculum_number_out_of_range_raises(number: int) -> None:
    env = Curriculum([small_env(9)])
    env.reset(seed=1)
    with pytest.raises(UnknownActionError):
        env.step(number)


def test_curriculum_other_observations_of_one_network_are_left_alone() -> None:
    env = Curriculum(
        [
            NetSecGameEnv("two_networks", observation="dict"),
            NetSecGameEnv("two_networks_random", observation="dict"),
        ]
    )
    observation, _ = env.reset(seed=1)
    assert observation in env.observation_space


def test_curriculum_stages_that_do_not_fit_raise() -> None:
    arrays = [NetSecGameEnv(task, observation="dict") for task in STAGES]
    with pytest.raises(ConfigurationError, match="the same observation space"):
        Curriculum(arrays)
    roles = [NetSecGameEnv("two_networks_defended", role=role) for role in ("Attacker", "Defender")]
    with pytest.raises(ConfigurationError, match="one role, got Attacker, Defender"):
        Curriculum(roles)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"promote_at": 80}, "promote_at is 80; expected 0 to 1"),
        ({"window": 0}, "window is 0; expected at least 1"),
        ({"stages": []}, "expected at least one stage"),
    ],
)
def test_curriculum_wrong_option_raises(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Curriculum(**{"stages": [small_env()], **options})


def test_curriculum_below_shaping_is_measured_in_its_stage() -> None:
    tiny = NetSecGameEnv("two_networks_tiny")
    curriculum = Curriculum([small_env(9), tiny])
    env = PotentialShaping(curriculum, hosts_known, 1.0, scale=1.0)
    curriculum.stage = 1
    _, info = env.reset(seed=1)
    scans = [
        number
        for number in np.flatnonzero(info["action_mask"])
        if tiny.action(number).type is ActionType.ScanNetwork
    ]
    before = len(tiny.state.known_hosts)
    total = sum(env.step(number)[4]["shaping"] for number in scans)
    assert total == len(tiny.state.known_hosts) - before > 0


# --- outcomes -------------------------------------------------------------------------------------


def test_episode_outcome_won_is_told_with_the_statistics() -> None:
    env = EpisodeOutcome(small_env(9))
    env.reset(seed=1)
    *_, info = env.step(number_of(env, WAY[0]))
    assert "episode" not in info
    env.reset(seed=1)
    *_, info = win(env)
    told = info["episode"]
    assert told.pop("t") >= 0
    assert told == {
        "r": 95.0, "l": 5, "success": True, "detected": False, "end_reason": "goal_reached"
    }  # fmt: skip
    assert list(env.success_queue) == [True]


def test_episode_outcome_step_limit_is_told() -> None:
    env = EpisodeOutcome(small_env(1), stats_key="stats")
    env.reset(seed=1)
    *_, info = env.step(number_of(env, WAY[0]))
    assert info["stats"]["end_reason"] == "step_limit"
    assert (info["stats"]["success"], info["stats"]["detected"]) == (False, False)


def test_outcome_and_curriculum_cut_off_by_gymnasium_tell_no_success() -> None:
    stages = [
        gymnasium.make("netsecgame/TwoNetworksTiny-v0", max_episode_steps=2) for _ in range(2)
    ]
    curriculum = Curriculum(stages, promote_at=0.5, window=1)
    env = EpisodeOutcome(curriculum)
    env.reset(seed=1)
    env.step(0)
    *_, truncated, info = env.step(0)
    assert truncated
    assert (info["episode"]["success"], info["episode"]["end_reason"]) == (False, "step_limit")
    assert list(curriculum.wins) == [False]
    assert env.reset()[1]["stage"] == 0


def test_episode_outcome_caught_attacker_is_detected() -> None:
    rule = DetectionRule(probability=1.0, min_run=1)
    spec = small_task(9, detection={ActionType.ScanNetwork: rule}, detection_window=1)
    env = EpisodeOutcome(NetSecGameEnv(spec))
    env.reset(seed=1)
    *_, info = env.step(number_of(env, WAY[0]))
    assert info["episode"]["end_reason"] == "detected"
    assert info["episode"]["detected"]
    assert not info["episode"]["success"]


@pytest.mark.parametrize(
    ("attacker", "reason"), [("random", "attack_failed"), ("scripted", "attack_succeeded")]
)
def test_episode_outcome_defender_is_told_of_the_attack(attacker: str, reason: str) -> None:
    game = open_game("two_networks_defended")
    limits = {
        role: replace(part, max_steps=5 if attacker == "random" and role == "Attacker" else 90)
        for role, part in game.spec.task.roles.items()
    }
    spec = replace(game.spec, task=replace(game.spec.task, roles=limits))
    env = EpisodeOutcome(NetSecGameEnv(spec, role="Defender", attacker=attacker))
    env.reset(seed=1)
    idle = number_of(env, Action(ActionType.FindData, {"source_host": PC, "target_host": PC}))
    terminated = False
    while not terminated:
        _, _, terminated, truncated, info = env.step(idle)
        assert not truncated
    assert info["episode"]["end_reason"] == reason
    assert info["episode"]["success"] is (reason == "attack_failed")
    assert not info["episode"]["detected"]
