"""Defenders of many environments at once whose actions come from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsecgame.envs.batch.numpy_actions import groups_of
from netsecgame.envs.batch.tables import DETECTED, PLAYING, SUCCESS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netsecgame.envs.batch.arrays import Rewards
    from netsecgame.envs.batch.numpy_actions import Rules
    from netsecgame.envs.batch.numpy_block import Block
    from netsecgame.envs.batch.numpy_episodes import RoleRules
    from netsecgame.envs.batch.numpy_words import Ints
    from netsecgame.envs.batch.tables import Tables


class Agents:
    """Carries out what they do, and settles what they get."""

    def __init__(self, tables: Tables, role: RoleRules, rules: Rules, rewards: Rewards) -> None:
        self._tables = tables
        self._role = role
        self._rules = rules
        self._rewards = rewards

    def answer(self, block: Block, rows: Ints, numbers: NDArray[np.int32]) -> None:
        """Their turn in the environments that were just played in, after the attackers'."""
        envs, results, rewards = block.envs, block.results, self._rewards
        acting = rows[envs.defender_plays[rows]]
        self._play(block, acting, numbers)
        envs.defender_steps[acting] += 1
        status = envs.status[acting]
        is_terminated = self._role.is_reached(
            envs.defender_goals[acting], envs.defender_states[acting], envs.states[acting]
        )
        is_terminated |= (status == SUCCESS) | (status == DETECTED)
        is_over = is_terminated | (status != PLAYING)
        if self._role.max_steps:
            is_over |= envs.defender_steps[acting] >= self._role.max_steps
        envs.defender_plays[acting[is_over]] = False
        gained = np.zeros(len(envs.status))
        gained[acting] = rewards.step
        ended = rows[envs.status[rows] != PLAYING]
        blamed = envs.false_positives[ended] * rewards.false_positive
        gained[ended] += rewards.defender[envs.status[ended]] + blamed
        results.defender_rewards[:] = gained
        results.defender_terminated[:] = False
        results.defender_terminated[acting] = is_terminated
        results.defender_truncated[:] = False
        results.defender_truncated[acting] = is_over & ~is_terminated
        results.defender_done[:] = ~envs.defender_plays

    def _play(self, block: Block, rows: Ints, numbers: NDArray[np.int32]) -> None:
        t, rules, known = self._tables, self._rules, block.defender_states
        for group in groups_of(t, t.defender_numbering, rows, numbers[rows]):
            done = rules.attempt(block, known, group)
            block.envs.false_positives[done.rows] += rules.count_refused(block, known, done)
            rules.apply(block, known, done, t.defended_bit)
