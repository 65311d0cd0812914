"""The batched world equals the pure one, step by step."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from netsecgame.core import logs
from netsecgame.core.dynamics import compile_game
from netsecgame.core.scenario import Host, Interface, Scenario
from netsecgame.core.task import DetectionRule, Position, RoleTask, Word
from netsecgame.envs.batch import (
    Autoreset,
    Backend,
    BatchedWorld,
    BatchStep,
    Defender,
    numpy_backend,
    numpy_defenders,
)
from netsecgame.errors import ConfigurationError, UnknownActionError
from netsecgame.game.generation import write_game
from netsecgame.game.loading import load_game
from netsecgame.game_components import IP, ActionType, AgentRole, Data, Network, Service
from tests.unit.envs.reference import ATTACKER, DEFENDER, Outcome, ReferenceEnv, View

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netsecgame.core.knowledge import KnownState
    from netsecgame.core.task import GameSpec

ROOT = Path(__file__).resolve().parents[3]
TASKS = sorted((ROOT / "task_configs").glob("*.yaml"))
TASKS_WITH_DEFENDER = [
    ROOT / "task_configs" / f"two_networks_{name}.yaml" for name in ("team", "defended")
]
TASK_WITH_DEFENDER = ROOT / "task_configs" / "two_networks_team.yaml"
DEFENDERS = [None, *Defender]
ENVS, STEPS = 64, 1_000

# The first use of a machine compiles the numba backend.
pytestmark = pytest.mark.timeout(400)

each_backend = pytest.mark.parametrize("backend", Backend)
each_defender = pytest.mark.parametrize("defender", DEFENDERS)


class Legal(NamedTuple):
    """The legal actions of a state, as numbers and, where masks are compared, as flags."""

    numbers: list[int]
    flags: bytes


class Comparison:
    """A batch and as many pure worlds, played with the same actions.

    With several backends, the first is compared with the pure worlds, and the others with the
    first: pure worlds take much longer than batches.
    """

    def __init__(
        self,
        spec: GameSpec,
        *backends: Backend,
        envs: int,
        seed: int = 7,
        defender: Defender | None = None,
        include_blocks: bool = False,
        autoreset: Autoreset = Autoreset.NEXT_STEP,
        with_masks: bool = True,
    ) -> None:
        self.batch, *self.others = (
            BatchedWorld(
                spec,
                envs,
                seed=seed,
                autoreset=autoreset,
                defender=defender,
                include_blocks=include_blocks,
                with_masks=with_masks,
                with_observations=True,
                backend=backend,
            )
            for backend in backends
        )
        self.defender = defender
        self.has_agent = defender is Defender.AGENT
        self._with_masks = with_masks
        self.autoreset = autoreset
        topology = compile_game(spec)
        index = self.batch.action_index
        self.references = [
            ReferenceEnv(spec, seed + i, topology, index, autoreset, defender) for i in range(envs)
        ]
        self._rng = np.random.default_rng(seed)
        self._encoded: dict[tuple[str, int], tuple[KnownState, NDArray[np.uint64]]] = {}
        self._legal: dict[tuple[str, bytes], Legal] = {}

    def play(self, steps: int) -> int:
        """Compare that many steps; returns how many episodes ended."""
        result = self.batch.reset()
        self._compare_others([other.reset() for other in self.others], result, "reset")
        for i, env in enumerate(self.references):
            env.reset()
            self._check(result, i, f"reset, environment {i}")
        return sum(self._step(f"step {step}") for step in range(steps))

    def _step(self, step: str) -> int:
        batch, envs = self.batch, self.references
        sampled = batch.sample_actions()
        for i, env in enumerate(envs):
            expected = env.sample(self._legal_of(ATTACKER, i).numbers)
            assert sampled[i] == expected, f"{step}, environment {i}"
        for other in self.others:
            assert np.array_equal(sampled, other.sample_actions()), f"{step}, {other.backend}"
        actions = self._stray(sampled, batch.num_actions)
        theirs = self._defender_actions(step)
        result = batch.step(actions, theirs)
        self._compare_others([other.step(actions, theirs) for other in self.others], result, step)
        over = np.zeros(len(envs), np.bool_)
        for i, env in enumerate(envs):
            outcome = env.step(int(actions[i]), 0 if theirs is None else int(theirs[i]))
            place = f"{step}, environment {i}, action {actions[i]}"
            self._check(result, i, place)
            assert result.rewards[i] == outcome.reward, place
            assert result.terminated[i] == outcome.terminated, place
            assert result.succeeded[i] == outcome.succeeded, place
            assert result.truncated[i] == outcome.truncated, place
            if outcome.final is not None:
                states, observed = result.final_states, result.final_observations
                self._check_view(outcome.final, states, observed, i, f"last state, {place}")
            if theirs is not None:
                self._check_answer(result, outcome, i, f"{place}, {theirs[i]}")
            over[i] = outcome.terminated or outcome.truncated
        if self.autoreset is Autoreset.DISABLED and over.any():
            result = batch.reset(mask=over)
            results = [other.reset(mask=over) for other in self.others]
            self._compare_others(results, result, f"reset after {step}")
            for i in np.flatnonzero(over).tolist():
                self.references[i].reset()
                self._check(result, i, f"reset after {step}, environment {i}")
                if self.has_agent:
                    self._check_answer(result, Outcome(), i, f"reset after {step}")
        return int(over.sum())

    def _defender_actions(self, step: str) -> NDArray[np.int32] | None:
        """What the defenders play who act from outside."""
        if not self.has_agent:
            return None
        sampled = self.batch.sample_defender_actions()
        for i, env in enumerate(self.references):
            expected = env.sample_for_defender(self._legal_of(DEFENDER, i).numbers)
            assert sampled[i] == expected, f"{step}, environment {i}"
        for other in self.others:
            assert np.array_equal(sampled, other.sample_defender_actions()), step
        return self._stray(sampled, self.batch.defender_index.size)

    def _stray(self, legal: NDArray[np.int32], size: int) -> NDArray[np.int32]:
        """Some of the actions replaced by any, legal or not."""
        anything = self._rng.integers(0, size, len(legal), dtype=np.int32)
        return np.where(self._rng.random(len(legal)) < 0.9, legal, anything)

    def _compare_others(self, theirs: list[BatchStep], ours: BatchStep, place: str) -> None:
        for other, result in zip(self.others, theirs, strict=True):
            for name, one, another in zip(BatchStep._fields, ours, result, strict=True):
                is_same = one is not None and another is not None and np.array_equal(one, another)
                assert is_same or one is another is None, f"{name} of {other.backend}, {place}"
            assert np.array_equal(self.batch.defender_states, other.defender_states), place

    def _check(self, result: BatchStep, i: int, place: str) -> None:
        """Compare what the agents of one environment know, and what is legal."""
        env = self.references[i]
        self._check_view(env.view(ATTACKER), result.states, result.observations, i, place)
        if self.defender is not None:
            states, observed = self.batch.defender_states, result.defender_observations
            self._check_view(env.view(DEFENDER), states, observed, i, f"defender, {place}")
        for agent, masks in ((ATTACKER, result.action_masks), (DEFENDER, result.defender_masks)):
            if masks is not None:
                assert masks[i].tobytes() == self._legal_of(agent, i).flags, f"{agent}, {place}"

    def _check_view(
        self,
        view: View,
        states: NDArray[np.uint64] | None,
        observations: NDArray[np.float32] | None,
        i: int,
        place: str,
    ) -> None:
        """Compare a row of states, and of observations if there are any."""
        words = self._encode(view.agent, view.state, i)
        assert states is not None
        assert states[i].tobytes() == words.tobytes(), place
        if observations is not None:
            expected = self.batch.layout.flatten(words, view.share)
            assert observations[i].tobytes() == expected.tobytes(), place

    def _check_answer(self, result: BatchStep, outcome: Outcome, i: int, place: str) -> None:
        """Compare what the defender got who acts from outside."""
        answer = outcome.defender
        assert result.defender_states is self.batch.defender_states
        assert result.defender_rewards is not None
        assert result.defender_terminated is not None
        assert result.defender_truncated is not None
        assert result.defender_done is not None
        assert result.defender_rewards[i] == answer.reward, place
        assert result.defender_terminated[i] == answer.terminated, place
        assert result.defender_truncated[i] == answer.truncated, place
        assert result.defender_done[i] == answer.is_done, place
        if outcome.final_defender is not None:
            states, observed = result.final_defender_states, result.final_defender_observations
            self._check_view(outcome.final_defender, states, observed, i, f"last state, {place}")

    def _encode(self, agent: str, state: KnownState, i: int) -> NDArray[np.uint64]:
        """The words of a state in a pure world, which mostly is the one of before."""
        seen = self._encoded.get((agent, i))
        if seen is None or seen[0] is not state:
            seen = self._encoded[agent, i] = state, self.batch.layout.encode(state.knowledge)
        return seen[1]

    def _legal_of(self, agent: str, i: int) -> Legal:
        """What is legal for an agent in a pure world."""
        env, batch = self.references[i], self.batch
        key = agent, self._encode(agent, env.view(agent).state, i).tobytes()
        if key not in self._legal:
            index = batch.action_index if agent == ATTACKER else batch.defender_index
            numbers = env.legal_numbers(agent)
            flags = np.zeros(index.size if self._with_masks else 0, np.bool_)
            if self._with_masks:
                flags[numbers] = True
            self._legal[key] = Legal(numbers, flags.tobytes())
        return self._legal[key]


@pytest.mark.parametrize("task", TASKS, ids=lambda path: path.stem)
def test_step_on_every_task_equals_the_pure_world(task: Path) -> None:
    assert Comparison(load_game(task), *Backend, envs=ENVS).play(STEPS) > 0


@pytest.mark.parametrize("include_blocks", [False, True], ids=["no_blocks", "blocks"])
@pytest.mark.parametrize("autoreset", Autoreset)
@pytest.mark.parametrize("task", TASKS_WITH_DEFENDER, ids=lambda path: path.stem)
def test_step_with_a_defender_from_outside_equals_the_pure_world(
    task: Path, autoreset: Autoreset, include_blocks: bool
) -> None:
    comparison = Comparison(
        load_game(task),
        *Backend,
        envs=ENVS,
        autoreset=autoreset,
        include_blocks=include_blocks,
        defender=Defender.AGENT,
    )
    assert comparison.play(300) > 0


@each_backend
@each_defender
@pytest.mark.parametrize("include_blocks", [False, True], ids=["no_blocks", "blocks"])
@pytest.mark.parametrize("autoreset", Autoreset)
def test_step_with_every_option_equals_the_pure_world(
    autoreset: Autoreset, include_blocks: bool, defender: Defender | None, backend: Backend
) -> None:
    spec = load_game(TASK_WITH_DEFENDER)
    comparison = Comparison(
        spec,
        backend,
        envs=8,
        autoreset=autoreset,
        include_blocks=include_blocks,
        defender=defender,
    )
    assert comparison.play(150) > 0


def _with_everything() -> GameSpec:
    """A task with every kind of draw, of goal and of limit."""
    spec = load_game(TASK_WITH_DEFENDER)
    client, command, server = IP("192.168.2.4"), IP("213.47.23.195"), IP("192.168.1.3")
    unknown_there = Service("ssh", "passive", "0.0.1", is_local=False)
    attacker = RoleTask(
        start=Position(
            known_networks=(Word.RANDOM,),
            known_hosts=(client, Word.RANDOM, Word.RANDOM),
            # More than there are start places: the last ones are drawn from all again.
            controlled_hosts=(command, *(Word.RANDOM,) * 7),
            known_services={client: (Word.RANDOM, unknown_there), server: (Word.ALL,)},
            known_data={client: (Word.RANDOM,)},
            known_blocks={client: (client, server), Word.ALL_ROUTERS: (command,)},
        ),
        goal=Position(
            known_networks=(Word.ALL_LOCAL,),
            known_hosts=(Word.RANDOM, Word.RANDOM),
            known_services={server: (Word.RANDOM,)},
            known_data={command: (Word.RANDOM,)},
        ),
        max_steps=60,
    )
    defender = RoleTask(
        start=Position(controlled_hosts=(Word.ALL_LOCAL, command)),
        goal=Position(known_hosts=(client,), known_blocks={server: (Word.ALL_ATTACKERS,)}),
        max_steps=40,
    )
    rules = {
        ActionType.ScanNetwork: DetectionRule(0.2, min_share=0.5),
        ActionType.FindServices: DetectionRule(0.2, min_run=2),
        ActionType.ExploitService: DetectionRule(0.2, min_repeats=2),
        ActionType.FindData: DetectionRule(0.05, min_share=0.75, min_run=3, min_repeats=6),
    }
    chances = dict.fromkeys(spec.task.success_probability, 0.75) | {ActionType.FindServices: 1.0}
    roles = {**spec.task.roles, AgentRole.Attacker: attacker, AgentRole.Defender: defender}
    return replace(
        spec,
        task=replace(
            spec.task,
            roles=roles,
            detection=rules,
            detection_window=4,
            success_probability=chances,
        ),
    )


@each_backend
@each_defender
def test_step_on_a_task_with_everything_equals_the_pure_world(
    defender: Defender | None, backend: Backend
) -> None:
    comparison = Comparison(
        _with_everything(), backend, envs=16, include_blocks=True, defender=defender
    )
    assert comparison.play(300) > 0


@pytest.fixture(scope="module")
def big_spec(tmp_path_factory: pytest.TempPathFactory) -> GameSpec:
    """200 hosts: masks of addresses and of data take several words."""
    task = tmp_path_factory.mktemp("big") / "big.yaml"
    write_game(task, networks=20, clients=150, servers=50, seed=1)
    return load_game(task)


@each_backend
@each_defender
def test_step_on_200_hosts_equals_the_pure_world(
    big_spec: GameSpec, defender: Defender | None, backend: Backend
) -> None:
    steps = 400 if defender is None else 40
    comparison = Comparison(
        big_spec, backend, envs=4, include_blocks=True, defender=defender, with_masks=False
    )
    comparison.play(steps)


@each_backend
def test_action_masks_on_200_hosts_equal_the_pure_ones(
    big_spec: GameSpec, backend: Backend
) -> None:
    comparison = Comparison(big_spec, backend, envs=2, with_masks=False)
    comparison.play(60)
    masks = comparison.batch.action_masks()
    for mask, env in zip(masks, comparison.references, strict=True):
        assert np.flatnonzero(mask).tolist() == env.legal_numbers(ATTACKER)


def _with_two_hosts() -> GameSpec:
    """Fewer actions than the bits of a word."""
    spec = load_game(TASK_WITH_DEFENDER)
    network = Network("10.0.0.0", 24)
    first, second = IP("10.0.0.1"), IP("10.0.0.2")
    hosts = (
        Host("first", (Interface(first, network),), data=(Data("User1", "Notes"),)),
        Host("second", (Interface(second, network),), (Service("ssh", "passive", "1", False),)),
    )
    attacker = RoleTask(
        Position(controlled_hosts=(first,)),
        Position(known_data={second: (Data("User1", "Notes"),)}),
        max_steps=30,
    )
    return replace(
        spec,
        task=replace(spec.task, roles={AgentRole.Attacker: attacker}),
        scenario=Scenario("two hosts", hosts, ()),
    )


@each_backend
def test_step_with_fewer_actions_than_bits_of_a_word_equals_the_pure_world(
    backend: Backend,
) -> None:
    comparison = Comparison(_with_two_hosts(), backend, envs=8, include_blocks=True)
    assert comparison.batch.num_actions < 64
    assert comparison.play(120) > 0


@pytest.mark.parametrize("task", ["two_networks_tiny", "two_networks_small"])
def test_action_masks_of_numba_are_written_whole(task: str) -> None:
    spec = load_game(ROOT / "task_configs" / f"{task}.yaml")
    world = BatchedWorld(spec, 3, backend=Backend.NUMBA, with_masks=True)
    masks = world.step(world.sample_actions()).action_masks
    assert masks is not None
    for was_legal in (False, True):
        masks[:] = was_legal
        written = world.step(world.sample_actions()).action_masks
        assert written is masks
        assert np.array_equal(masks, world.action_masks())


@each_backend
@pytest.mark.parametrize("task", ["two_networks_tiny", "two_networks_small", "two_networks"])
def test_observations_of_a_step_are_written_whole(task: str, backend: Backend) -> None:
    spec = load_game(ROOT / "task_configs" / f"{task}.yaml")
    world = BatchedWorld(spec, 3, backend=backend, with_observations=True)
    observations = world.step(world.sample_actions()).observations
    assert observations is world.observations
    for _ in range(2):
        observations[:] = 7
        states = world.step(world.sample_actions()).states
        shares = observations[:, -1].astype(np.float64)
        assert ((shares > 0) & (shares < 1)).all()
        assert np.array_equal(observations, world.layout.flatten(states, shares))


def test_observations_of_a_world_that_writes_none_are_made_anew() -> None:
    spec = load_game(TASK_WITH_DEFENDER)
    writes, does_not = (
        BatchedWorld(spec, 3, seed=1, with_observations=with_observations)
        for with_observations in (True, False)
    )
    actions = writes.sample_actions()
    assert writes.step(actions).observations is not None
    assert does_not.step(actions).observations is None
    assert np.array_equal(writes.observations, does_not.observations)


def test_observations_of_a_task_without_a_step_limit_use_none_of_it() -> None:
    spec = load_game(TASK_WITH_DEFENDER)
    attacker = replace(spec.task.roles[AgentRole.Attacker], max_steps=None)
    roles = {**spec.task.roles, AgentRole.Attacker: attacker}
    spec = replace(spec, task=replace(spec.task, roles=roles))
    for backend in Backend:
        world = BatchedWorld(spec, 2, backend=backend, with_observations=True)
        world.step(world.sample_actions())
        assert world.observations[:, -1].tolist() == [0, 0]


@each_backend
def test_defender_against_an_attacker_with_one_host_goes_on(backend: Backend) -> None:
    spec = load_game(TASK_WITH_DEFENDER)
    server = IP("192.168.1.3")
    roles = {
        **spec.task.roles,
        AgentRole.Attacker: RoleTask(Position(controlled_hosts=(server,)), max_steps=20),
        AgentRole.Defender: RoleTask(
            Position(controlled_hosts=(Word.ALL_LOCAL,)),
            Position(known_blocks={server: (Word.ALL_ATTACKERS,)}),
        ),
    }
    spec = replace(spec, task=replace(spec.task, roles=roles))
    Comparison(spec, backend, envs=4, defender=Defender.RANDOM).play(60)


def test_scripted_defender_of_numpy_with_short_logs_misses_old_entries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logs, "MAX_LOG_ENTRIES", 3)
    monkeypatch.setattr(numpy_defenders, "MAX_LOG_ENTRIES", 3)
    spec = load_game(TASK_WITH_DEFENDER)
    Comparison(spec, Backend.NUMPY, envs=16, defender=Defender.SCRIPTED).play(200)


def test_step_of_numpy_in_several_blocks_equals_the_pure_world(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numpy_backend, "_MAX_BLOCK", 5)
    monkeypatch.setattr(numpy_backend, "_MASK_BYTES", 10_000)
    spec = load_game(ROOT / "task_configs" / "two_networks_tiny.yaml")
    comparison = Comparison(spec, Backend.NUMPY, envs=13, autoreset=Autoreset.DISABLED)
    assert comparison.play(100) > 0


def test_batched_world_of_numpy_with_threads_is_refused() -> None:
    spec = load_game(ROOT / "task_configs" / "two_networks_tiny.yaml")
    with pytest.raises(ConfigurationError, match="only the numba backend"):
        BatchedWorld(spec, 1, backend=Backend.NUMPY, threads=2)


@pytest.mark.parametrize("defender", [None, Defender.RANDOM])
def test_step_with_actions_of_a_defender_that_is_not_asked_is_refused(
    defender: Defender | None,
) -> None:
    world = BatchedWorld(load_game(TASK_WITH_DEFENDER), 2, defender=defender)
    with pytest.raises(ValueError, match='only the defender "agent"'):
        world.step([0, 0], [0, 0])
    for ask in (world.sample_defender_actions, world.defender_action_masks):
        with pytest.raises(ConfigurationError, match='only the defender "agent"'):
            ask()
    assert world.step([0, 0]).defender_states is None


def test_step_with_wrong_actions_of_a_defender_from_outside_is_refused() -> None:
    world = BatchedWorld(load_game(TASK_WITH_DEFENDER), 2, defender="agent")
    before = world.states.copy(), world.defender_states.copy()
    with pytest.raises(ValueError, match="actions of the defenders too"):
        world.step([0, 0])
    with pytest.raises(ValueError, match="expected 2 integers"):
        world.step([0, 0], [0])
    with pytest.raises(UnknownActionError):
        world.step([0, 0], [0, world.defender_index.size])
    assert np.array_equal(before[0], world.states)
    assert np.array_equal(before[1], world.defender_states)


@each_backend
@pytest.mark.parametrize("include_blocks", [False, True], ids=["no_blocks", "blocks"])
def test_defender_action_masks_equal_those_of_a_step(
    include_blocks: bool, backend: Backend
) -> None:
    world = BatchedWorld(
        load_game(TASK_WITH_DEFENDER),
        5,
        defender="agent",
        include_blocks=include_blocks,
        with_masks=True,
        backend=backend,
    )
    for _ in range(20):
        step = world.step(world.sample_actions(), world.sample_defender_actions())
    assert step.defender_masks is not None
    assert step.defender_masks.shape == (5, world.defender_index.size)
    assert np.array_equal(step.defender_masks, world.defender_action_masks())
    assert step.defender_masks.any()


@each_backend
def test_rewards_of_a_defender_that_ended_before_the_attacker_come_in_two_rounds(
    backend: Backend,
) -> None:
    spec = load_game(TASK_WITH_DEFENDER)
    roles = {
        **spec.task.roles,
        AgentRole.Attacker: replace(spec.task.roles[AgentRole.Attacker], max_steps=4),
        AgentRole.Defender: replace(spec.task.roles[AgentRole.Defender], max_steps=2),
    }
    spec = replace(spec, task=replace(spec.task, roles=roles))
    world = BatchedWorld(spec, 1, defender="agent", backend=backend)
    nothing = np.array([world.num_actions - 1])  # a scan from a host that nobody controls
    told = []
    for _ in range(5):
        step = world.step(nothing, [world.defender_index.size - 1])
        assert step.defender_rewards is not None
        assert step.defender_truncated is not None
        assert step.defender_done is not None
        told.append(
            (
                step.defender_rewards[0],
                step.defender_truncated[0],
                step.defender_done[0],
                step.truncated[0],
            )
        )
    assert told == [
        (-1, False, False, False),
        (-1, True, True, False),
        (0, False, True, False),
        (100, False, True, True),
        (0, False, False, False),
    ]


def test_batched_world_without_numba_takes_numpy() -> None:
    code = f"""
import sys
sys.modules["numba"] = None  # importing it fails
from pathlib import Path
from netsecgame.envs.batch import BatchedWorld
from netsecgame.errors import ConfigurationError
from netsecgame.game.loading import load_game
spec = load_game(Path({str(ROOT / "task_configs" / "two_networks_tiny.yaml")!r}))
world = BatchedWorld(spec, 3, with_masks=True)
for _ in range(10):
    result = world.step(world.sample_actions())
print(world.backend, result.rewards.tolist(), result.action_masks.any())
try:
    BatchedWorld(spec, 3, backend="numba")
except ImportError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "numpy [-1.0, -1.0, -1.0] True"
    assert "batch" in second
