"""The batch in array operations, on one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsecgame.core.rng import Stream
from netsecgame.envs.batch.arrays import AGENT, RANDOM, SCRIPTED
from netsecgame.envs.batch.numpy_actions import Rules, groups_of, numbers_of
from netsecgame.envs.batch.numpy_agents import Agents
from netsecgame.envs.batch.numpy_block import Block
from netsecgame.envs.batch.numpy_defenders import Defenders
from netsecgame.envs.batch.numpy_detection import Detection
from netsecgame.envs.batch.numpy_episodes import Episodes, RoleRules
from netsecgame.envs.batch.numpy_legal import LegalActions
from netsecgame.envs.batch.numpy_masks import ActionMasks
from netsecgame.envs.batch.numpy_observations import Observations
from netsecgame.envs.batch.tables import BLOCK_IP, DETECTED, PLAYING, SUCCESS, TIMEOUT
from netsecgame.errors import ConfigurationError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netsecgame.envs.batch.arrays import Envs, Rewards, Roles
    from netsecgame.envs.batch.numpy_words import Ints
    from netsecgame.envs.batch.results import Results
    from netsecgame.envs.batch.tables import Tables

#: Environments that are worked on together. With fewer, calls cost more than the work; with more,
#: what is worked on does not stay in the cache.
_MAX_BLOCK = 16_384

#: In big networks fewer: so many bytes of what agents know, because calls make several copies.
_MAX_BLOCK_BYTES = 1 << 24

#: Bytes of flags that are written together.
_MASK_BYTES = 1 << 20


class NumpyKernel:
    """Carries out steps on whole arrays; see `Kernel` in `batched_world`."""

    def __init__(
        self,
        tables: Tables,
        roles: Roles,
        envs: Envs,
        results: Results,
        rewards: Rewards,
        threads: int | None,
    ) -> None:
        if threads is not None:
            raise ConfigurationError("only the numba backend has threads", path="threads")
        attacker, defender, self._who = roles
        self._tables = tables
        self._envs = envs
        self._rewards = rewards.attacker.astype(np.float32)
        self._rules = Rules(tables, writes_logs=self._who == SCRIPTED)
        self._legal = LegalActions(tables)
        self._masks = ActionMasks(tables, tables.numbering)
        self._defender_masks = ActionMasks(tables, tables.defender_numbering)
        self._detection = Detection(tables)
        self._attacker = RoleRules(tables, attacker)
        defender_rules = RoleRules(tables, defender)
        self._episodes = Episodes(tables, self._attacker, defender_rules, self._who)
        self._defenders = Defenders(tables, defender_rules, self._who, self._rules, self._legal)
        self._agents = Agents(tables, defender_rules, self._rules, rewards)
        self._observations = Observations(tables, attacker.max_steps, defender.max_steps)
        count, words = envs.states.shape
        per_block = max(1, min(_MAX_BLOCK, _MAX_BLOCK_BYTES // (8 * words)))
        self._blocks = [
            Block(envs, results, first, min(first + per_block, count))
            for first in range(0, count, per_block)
        ]

    def begin(self, chosen: NDArray[np.int64]) -> None:
        """Begin new episodes in the chosen environments."""
        for block in self._blocks:
            rows = chosen[(chosen >= block.first) & (chosen < block.end)] - block.first
            self._episodes.begin(block, rows)
            self._observations.write(block, rows)

    def step(
        self,
        actions: NDArray[np.int32],
        defender_actions: NDArray[np.int32],
        *,
        resets_at_once: bool,
    ) -> None:
        """Play one round in each environment; those that have ended begin anew instead."""
        for block in self._blocks:
            part = slice(block.first, block.end)
            self._step(block, actions[part], defender_actions[part], resets_at_once)

    def sample(self, actions: NDArray[np.int32], *, for_defenders: bool) -> None:
        """Write a random legal action for each environment; 0 where there is none."""
        t = self._tables
        numbering = t.defender_numbering if for_defenders else t.numbering
        for block in self._blocks:
            sampled = actions[block.first : block.end]
            sampled[:] = 0
            for group in self._legal.choose(
                block,
                block.defender_states if for_defenders else block.states,
                np.arange(len(sampled)),
                Stream.DEFENDER if for_defenders else Stream.CHOICE,
                with_blocks=bool(numbering.per_source[BLOCK_IP]),
            ):
                sampled[group.rows] = numbers_of(t, numbering, group)

    def write_masks(
        self, masks: NDArray[np.bool_], chosen: NDArray[np.int64], *, for_defenders: bool
    ) -> None:
        """Write the flags of the legal actions of the chosen environments."""
        writer = self._defender_masks if for_defenders else self._masks
        states = self._envs.defender_states if for_defenders else self._envs.states
        at_once = max(1, _MASK_BYTES // masks.shape[1])
        flags = np.empty((min(at_once, len(chosen)), masks.shape[1]), np.bool_)
        for first in range(0, len(chosen), at_once):
            rows = chosen[first : first + at_once]
            writer.write(states[rows], flags[: len(rows)])
            masks[rows] = flags[: len(rows)]

    def _step(
        self,
        block: Block,
        actions: NDArray[np.int32],
        defender_actions: NDArray[np.int32],
        resets_at_once: bool,
    ) -> None:
        envs, results = block.envs, block.results
        over = np.flatnonzero(envs.status != PLAYING)
        rows = np.flatnonzero(envs.status == PLAYING)
        self._play(block, rows, actions)
        if self._who == AGENT:
            self._agents.answer(block, rows, defender_actions)
        results.rewards[:] = self._rewards[envs.status]
        results.terminated[:] = (envs.status == SUCCESS) | (envs.status == DETECTED)
        results.truncated[:] = envs.status == TIMEOUT
        results.succeeded[:] = envs.status == SUCCESS
        self._episodes.begin(block, over)
        results.forget(over)
        if resets_at_once:
            ended = np.flatnonzero(envs.status != PLAYING)
            self._keep_final(block, ended)
            self._episodes.begin(block, ended)
        for masks, writer, states in (
            (results.masks, self._masks, envs.states),
            (results.defender_masks, self._defender_masks, envs.defender_states),
        ):
            at_once = max(1, _MASK_BYTES // max(1, masks.shape[1]))
            for first in range(0, len(masks), at_once):
                piece = slice(first, first + at_once)
                writer.write(states[piece], masks[piece])
        self._observations.write_all(block)

    def _keep_final(self, block: Block, rows: Ints) -> None:
        """Keep the last states of episodes, and the last observations if they are wanted."""
        envs, results = block.envs, block.results
        results.final_states[rows] = envs.states[rows]
        if self._who == AGENT:
            results.final_defender_states[rows] = envs.defender_states[rows]
        self._observations.write_final(block, rows)

    def _play(self, block: Block, rows: Ints, actions: NDArray[np.int32]) -> None:
        """One action of each attacker, and what their world answers."""
        t, envs = self._tables, block.envs
        kinds = np.zeros(len(envs.status), np.int64)
        for group in groups_of(t, t.numbering, rows, actions[rows]):
            kinds[group.rows] = group.kind
            done = self._rules.attempt(block, block.states, group)
            self._rules.apply(block, block.states, done, t.blocked_bit)
        envs.steps[rows] += 1
        is_won = self._attacker.is_reached(envs.goals, envs.states, envs.states)[rows]
        envs.status[rows[is_won]] = SUCCESS
        rows = rows[~is_won]
        if t.is_watched:
            is_detected = self._detection.is_detected(block, rows, kinds[rows], actions[rows])
            envs.status[rows[is_detected]] = DETECTED
            rows = rows[~is_detected]
        if self._attacker.max_steps:
            is_late = envs.steps[rows] >= self._attacker.max_steps
            envs.status[rows[is_late]] = TIMEOUT
            rows = rows[~is_late]
        if self._who in (RANDOM, SCRIPTED):
            self._defenders.act(block, rows[envs.defender_plays[rows]])
