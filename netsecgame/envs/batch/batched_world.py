"""Many copies of one game, stepped by one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from netsecgame.core.action_index import ActionIndex
from netsecgame.core.addressing import Labels
from netsecgame.core.dynamics import compile_game
from netsecgame.core.knowledge import KnownState
from netsecgame.core.world import default_seed
from netsecgame.envs.batch.arrays import (
    AGENT,
    NOBODY,
    RANDOM,
    SCRIPTED,
    Envs,
    Rewards,
    Role,
    Roles,
)
from netsecgame.envs.batch.draws import first_words
from netsecgame.envs.batch.layout import StateLayout
from netsecgame.envs.batch.options import Autoreset, Backend, Defender, read_option
from netsecgame.envs.batch.positions import compile_position
from netsecgame.envs.batch.results import BatchStep, Results
from netsecgame.envs.batch.tables import PLAYING, compile_tables
from netsecgame.errors import (
    ConfigurationError,
    EpisodeOverError,
    RoleNotAvailableError,
    UnknownActionError,
    missing_extra,
)
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from netsecgame.core.task import GameSpec, RoleTask
    from netsecgame.envs.batch.features import Floats
    from netsecgame.envs.batch.layout import Words


#: Actions are 32-bit integers.
_MAX_ACTIONS = 2**31 - 1

_NO_ACTIONS = np.zeros(0, np.int32)

_OPPONENTS = {Defender.RANDOM: RANDOM, Defender.SCRIPTED: SCRIPTED, Defender.AGENT: AGENT}


class Kernel(Protocol):
    """What a backend does with the arrays of a batch."""

    def begin(self, chosen: NDArray[np.int64]) -> None:
        """Begin new episodes in the chosen environments, and write their observations."""

    def step(
        self,
        actions: NDArray[np.int32],
        defender_actions: NDArray[np.int32],
        *,
        resets_at_once: bool,
    ) -> None:
        """Play one round in each environment; those that have ended begin anew instead.

        There are no actions of defenders unless they act from outside.
        """

    def sample(self, actions: NDArray[np.int32], *, for_defenders: bool) -> None:
        """Write a random legal action for each environment; 0 where there is none."""

    def write_masks(
        self, masks: NDArray[np.bool_], chosen: NDArray[np.int64], *, for_defenders: bool
    ) -> None:
        """Write the flags of the legal actions of the chosen environments."""


class BatchedWorld:
    """B independent games of one attacker each, and maybe a defender.

    Environment `i` plays exactly as a `World` of seed `i` of the batch, in which the attacker acts
    first in every round.

    Attributes:
        spec: The task and its scenario.
        num_envs: B.
        action_index: What action numbers mean; without BlockIP unless it was asked for.
        defender_index: What the defenders' action numbers mean; always with BlockIP.
        layout: What the bits of the states mean.
        autoreset: What happens when an episode ends.
        backend: What carries out the steps.
    """

    def __init__(  # noqa: PLR0913 - options, by name only
        self,
        spec: GameSpec,
        num_envs: int,
        *,
        seed: int | Sequence[int] | None = None,
        autoreset: Autoreset | str = Autoreset.NEXT_STEP,
        defender: Defender | str | None = None,
        include_blocks: bool = False,
        with_masks: bool = False,
        with_observations: bool = False,
        backend: Backend | str | None = None,
        threads: int | None = None,
    ) -> None:
        """Set up a batch and begin the first episodes.

        Args:
            spec: The task and its scenario. Addresses are those of the scenario: dynamic ones would
                change no bit.
            num_envs: B, at least 1.
            seed: Environment `i` has seed + i; or one seed for each. None takes the task's, or 42
                if the task wants a random one.
            autoreset: What happens when an episode ends.
            defender: Who plays against the attackers, if anybody.
            include_blocks: Whether attackers may play BlockIP.
            with_masks: Whether each step writes `BatchStep.action_masks`; those of defenders too,
                if they act from outside.
            with_observations: Likewise `BatchStep.observations`.
            backend: None takes numba where it is installed.
            threads: Of the numba backend; None takes as many as there are processors.

        Raises:
            ConfigurationError: If an option makes no sense, or the backend is not installed.
            RoleNotAvailableError: If the task has no such defender.
        """
        if num_envs < 1:
            raise ConfigurationError(f"expected at least 1, got {num_envs}", path="num_envs")
        self.spec = spec
        self.num_envs = num_envs
        self.autoreset = read_option(Autoreset, autoreset, "autoreset")
        who = None if defender is None else read_option(Defender, defender, "defender")
        self._has_agent = who is Defender.AGENT
        topology = compile_game(spec)
        self.action_index = ActionIndex(topology, include_blocks=include_blocks)
        self.defender_index = topology.action_index
        size = (self.defender_index if self._has_agent else self.action_index).size
        if size > _MAX_ACTIONS:
            raise ConfigurationError(
                f"expected at most {_MAX_ACTIONS:,} actions, the task has {size:,}; a smaller"
                " network, or no BlockIP, has fewer",
                path="spec",
            )
        roles = _roles(spec, who)
        positions = [position for role in roles for position in (role.start, role.goal)]
        self.layout = StateLayout.of_positions(
            self.action_index, positions, can_block=include_blocks or who is not None
        )
        self._labels = Labels.original(topology)
        self._tables = compile_tables(
            spec, self.action_index, self.layout, counts_false_positives=self._has_agent
        )
        opponent = NOBODY if who is None else _OPPONENTS[who]
        self._envs = Envs.make(num_envs, self.layout.words, self._tables, opponent)
        self._results = Results.make(
            num_envs,
            words=self.layout.words,
            masks=self.action_index.size if with_masks else 0,
            defender_masks=self.defender_index.size if with_masks else 0,
            features=self.layout.num_features + 1 if with_observations else 0,
            keeps_final=self.autoreset is Autoreset.SAME_STEP,
            has_agent=self._has_agent,
        )
        self._shown = BatchStep.view(self._envs, self._results)
        compiled = [
            Role.of(
                compile_position(role.start, topology, self.layout),
                compile_position(role.goal, topology, self.layout),
                role.max_steps,
            )
            for role in roles
        ]
        self.backend, make = _find_kernel(backend)
        self._kernel: Kernel = make(
            self._tables,
            Roles(compiled[0], compiled[-1], opponent),
            self._envs,
            self._results,
            Rewards.of(spec.task.rewards),
            threads,
        )
        self.reset(default_seed(spec) if seed is None else seed)

    @property
    def num_actions(self) -> int:
        """N, how many actions there are."""
        return self.action_index.size

    @property
    def states(self) -> Words:
        """What the attackers know, (B, W) uint64; the world's own."""
        return self._envs.states

    @property
    def defender_states(self) -> Words:
        """What the defenders know, (B, W) uint64; no columns without defenders."""
        return self._envs.defender_states

    @property
    def observations(self) -> Floats:
        """The states as numbers, (B, F + 1) float32; the world's own if it writes them, else new.

        See `StateLayout.flatten`.
        """
        if len(self._results.observations):
            return self._results.observations
        limit = self.spec.task.roles[AgentRole.Attacker].max_steps
        share = self._envs.steps / limit if limit else 0.0
        return self.layout.flatten(self._envs.states, share)

    @property
    def bytes_per_env(self) -> float:
        """Memory of one environment, and of all that is written for it in a step."""
        arrays = (*self._envs, *self._results)
        return sum(array.nbytes for array in arrays) / self.num_envs

    def reset(
        self, seed: int | Sequence[int] | None = None, mask: ArrayLike | None = None
    ) -> BatchStep:
        """Begin new episodes.

        Args:
            seed: Re-seeds every random choice of the environments that begin anew: seed + i, or one
                for each of the B. None goes on with their streams as they are.
            mask: Which environments begin anew, (B,) bool; None is all.

        Returns:
            The states, with reward 0 and no end in the environments that began anew.
        """
        if mask is None:
            chosen = np.arange(self.num_envs)
        else:
            flags = np.asarray(mask)
            if flags.shape != (self.num_envs,) or flags.dtype != np.bool_:
                raise ConfigurationError(
                    f"expected {self.num_envs} booleans, got {flags.dtype} {flags.shape}",
                    path="mask",
                )
            chosen = np.flatnonzero(flags)
        if seed is not None:
            seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
            if len(seeds) != self.num_envs:
                raise ConfigurationError(
                    f"expected {self.num_envs} seeds, got {len(seeds)}", path="seed"
                )
            self._envs.streams[chosen] = first_words([int(seeds[i]) for i in chosen.tolist()])
        self._kernel.begin(chosen)
        results = self._results
        results.forget(chosen)
        if len(results.masks):
            self._kernel.write_masks(results.masks, chosen, for_defenders=False)
        if len(results.defender_masks):
            self._kernel.write_masks(results.defender_masks, chosen, for_defenders=True)
        return self._shown

    def step(self, actions: ArrayLike, defender_actions: ArrayLike | None = None) -> BatchStep:
        """Play one round in each environment: an action of the attacker, one of the defender.

        Args:
            actions: Numbers of `action_index`, (B,) of integers; those of environments that begin a
                new episode instead are not looked at.
            defender_actions: Numbers of `defender_index`, likewise; nor are those of defenders that
                act no more. Given if, and only if, the defender is `Defender.AGENT`.

        Raises:
            UnknownActionError: If a number is not in the index; nothing is played then.
            ValueError: If there is not one integer for each environment.
            EpisodeOverError: If an episode has ended and was not reset by hand, where it has to be.
        """
        numbers, theirs = self._check(actions, self.num_actions), _NO_ACTIONS
        if self._has_agent:
            if defender_actions is None:
                raise ValueError("expected actions of the defenders too, got None")
            theirs = self._check(defender_actions, self.defender_index.size)
        elif defender_actions is not None:
            raise ValueError('only the defender "agent" takes actions')
        if self.autoreset is Autoreset.DISABLED:
            over = np.flatnonzero(self._envs.status != PLAYING)
            if len(over):
                raise EpisodeOverError(f"the episode of environment {over[0]} has ended")
        self._kernel.step(numbers, theirs, resets_at_once=self.autoreset is Autoreset.SAME_STEP)
        return self._shown

    def sample_actions(self, out: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
        """A random legal action for each environment, (B,) int32; 0 where there is none.

        Args:
            out: Where to write them; None makes a new array.
        """
        actions = np.empty(self.num_envs, np.int32) if out is None else out
        self._kernel.sample(actions, for_defenders=False)
        return actions

    def sample_defender_actions(self, out: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
        """As `sample_actions`, for defenders of the kind `Defender.AGENT`."""
        self._check_agent()
        actions = np.empty(self.num_envs, np.int32) if out is None else out
        self._kernel.sample(actions, for_defenders=True)
        return actions

    def action_masks(self, out: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """Whether each action is legal now, (B, N) bool.

        Legal is what `generate_valid_actions` lists: it goes by what the attacker knows.

        Args:
            out: Where to write them; None makes a new array.
        """
        masks = np.empty((self.num_envs, self.num_actions), np.bool_) if out is None else out
        self._kernel.write_masks(masks, np.arange(self.num_envs), for_defenders=False)
        return masks

    def defender_action_masks(self, out: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        """As `action_masks`, (B, its N), for defenders of the kind `Defender.AGENT`."""
        self._check_agent()
        size = self.defender_index.size
        masks = np.empty((self.num_envs, size), np.bool_) if out is None else out
        self._kernel.write_masks(masks, np.arange(self.num_envs), for_defenders=True)
        return masks

    def game_state(self, env: int) -> KnownState:
        """What the attacker of one environment knows, as a `GameState`; logs are empty."""
        return KnownState(self.layout.decode(self._envs.states[env]), self._labels)

    def _check(self, actions: ArrayLike, size: int) -> NDArray[np.int32]:
        """Actions as the kernel takes them."""
        numbers = np.ascontiguousarray(actions)
        if numbers.shape != (self.num_envs,) or numbers.dtype.kind not in "iu":
            raise ValueError(
                f"expected {self.num_envs} integers, got {numbers.dtype} of shape {numbers.shape}"
            )
        lowest, highest = int(numbers.min()), int(numbers.max())
        if lowest < 0 or highest >= size:
            raise UnknownActionError(lowest if lowest < 0 else highest, size)
        return numbers.astype(np.int32, copy=False)

    def _check_agent(self) -> None:
        if not self._has_agent:
            raise ConfigurationError('only the defender "agent" is asked to act', path="defender")


def _roles(spec: GameSpec, defender: Defender | None) -> list[RoleTask]:
    wanted = [AgentRole.Attacker] if defender is None else [AgentRole.Attacker, AgentRole.Defender]
    for role in wanted:
        if role not in spec.task.roles:
            raise RoleNotAvailableError(role, map(str, spec.task.roles))
    return [spec.task.roles[role] for role in wanted]


def _find_kernel(backend: Backend | str | None) -> tuple[Backend, Callable[..., Kernel]]:
    chosen = None if backend is None else read_option(Backend, backend, "backend")
    if chosen is not Backend.NUMPY:
        try:
            from netsecgame.envs.batch.numba_backend import NumbaKernel  # noqa: PLC0415
        except ImportError as error:
            if chosen is Backend.NUMBA:
                raise missing_extra(error, "batch") from error
        else:
            return Backend.NUMBA, NumbaKernel
    from netsecgame.envs.batch.numpy_backend import NumpyKernel  # noqa: PLC0415

    return Backend.NUMPY, NumpyKernel
