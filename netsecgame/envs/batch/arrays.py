"""The memory of a batch of environments, what their roles start from, and what ends are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from netsecgame.core.reward import final_reward, final_status
from netsecgame.envs.batch.draws import STREAMS
from netsecgame.envs.batch.tables import PLAYING, SUCCESS
from netsecgame.game_components import AgentRole, AgentStatus

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netsecgame.core.task import Rewards as TaskRewards
    from netsecgame.envs.batch.layout import Words
    from netsecgame.envs.batch.positions import PositionProgram
    from netsecgame.envs.batch.tables import Tables

#: Who defends.
NOBODY, RANDOM, SCRIPTED, AGENT = range(4)


class Role(NamedTuple):
    """Where the agents of one role start and what they have to reach.

    Attributes:
        start_base: Words of every start position, (W,); likewise those of the goal.
        start_operations: See `PositionProgram`; likewise those of the goal.
        start_bits: See `PositionProgram`; likewise those of the goal.
        goal_attackers: By address rank, whether its known blocks must name every attacker, (A,).
        has_attackers: Whether there is such an address.
        max_steps: The step limit; 0 is none.
    """

    start_base: Words
    start_operations: NDArray[np.int64]
    start_bits: NDArray[np.int64]
    goal_base: Words
    goal_operations: NDArray[np.int64]
    goal_bits: NDArray[np.int64]
    goal_attackers: NDArray[np.bool_]
    has_attackers: bool
    max_steps: int

    @classmethod
    def of(cls, start: PositionProgram, goal: PositionProgram, max_steps: int | None) -> Role:
        """A role from its two positions."""
        return cls(
            start.base,
            start.operations,
            start.bits,
            goal.base,
            goal.operations,
            goal.bits,
            goal.all_attackers,
            bool(goal.all_attackers.any()),
            max_steps or 0,
        )


class Roles(NamedTuple):
    """Who plays.

    Attributes:
        attacker: The attacker's role.
        defender: The defender's; the attacker's once more without one.
        who: Who defends.
    """

    attacker: Role
    defender: Role
    who: int


class Rewards(NamedTuple):
    """What steps and ends are worth.

    Attributes:
        step: An action of the defender.
        false_positive: What the defender's final reward gets for each of its false positives.
        attacker: An action of the attacker by how its episode stands afterwards, its final reward
            included, (4,): PLAYING and so on.
        defender: The defender's final reward by how the attacker's episode stands, (4,).
    """

    step: float
    false_positive: float
    attacker: NDArray[np.float64]
    defender: NDArray[np.float64]

    @classmethod
    def of(cls, rewards: TaskRewards) -> Rewards:
        """Those of a task."""
        ends = (AgentStatus.Success, AgentStatus.Fail, AgentStatus.TimeoutReached)
        attacker = np.zeros(PLAYING + 1 + len(ends))
        defender = np.zeros_like(attacker)
        for place, status in enumerate(ends, PLAYING + 1):
            attacker[place] = final_reward(AgentRole.Attacker, status, 0, rewards)
            theirs = final_status(
                AgentRole.Defender, AgentStatus.Playing, attack_succeeded=place == SUCCESS
            )
            defender[place] = final_reward(AgentRole.Defender, theirs, 0, rewards)
        return cls(
            float(rewards.step), float(rewards.false_positive), rewards.step + attacker, defender
        )


class Envs(NamedTuple):
    """What is true in every environment; B of them, one a row.

    Attributes:
        states: What the attacker knows, (B, W) uint64.
        goals: What it has to reach, (B, W) uint64.
        truth: See `Tables`, (B, truth words) uint64.
        streams: Where the random streams are, (B, streams) uint64.
        steps: Actions of the attacker, (B,) int32.
        status: PLAYING, SUCCESS, DETECTED or TIMEOUT, (B,) uint8.
        recent: Types of the newest actions, in a ring, (B, window) uint8.
        repeats: How often actions were played, (B, repeat words) uint64.
        defender_states: What the defender knows, (B, W) uint64; no columns without one.
        defender_goals: What it has to reach, likewise.
        defender_steps: Its actions, (B,) int32.
        defender_plays: Whether it still acts, (B,) bool.
        false_positives: How often its blocks refused its own connections, (B,) int32. Only a
            defender that acts from outside needs it.
        searched: Address rank where a scripted defender read the log last; -1 before, (B,) int32.
        suspects: Address rank that it has found there and not yet blocked; -1 for none, (B,) int32.
        intruders: Address rank that acted last on a device from another one, (B, devices) int16;
            -1 for none. Only a scripted defender needs it.
        intruder_ages: Log entries since then on the device, that one included, (B, devices) int32.
    """

    states: Words
    goals: Words
    truth: Words
    streams: Words
    steps: NDArray[np.int32]
    status: NDArray[np.uint8]
    recent: NDArray[np.uint8]
    repeats: Words
    defender_states: Words
    defender_goals: Words
    defender_steps: NDArray[np.int32]
    defender_plays: NDArray[np.bool_]
    false_positives: NDArray[np.int32]
    searched: NDArray[np.int32]
    suspects: NDArray[np.int32]
    intruders: NDArray[np.int16]
    intruder_ages: NDArray[np.int32]

    @classmethod
    def make(cls, count: int, words: int, tables: Tables, defender: int) -> Envs:
        """Memory for that many environments, all zero."""
        devices = len(tables.device_of) and int(tables.device_of.max()) + 1
        defended = 0 if defender == NOBODY else words
        patrolled = devices if defender == SCRIPTED else 0
        return cls(
            states=np.zeros((count, words), np.uint64),
            goals=np.zeros((count, words), np.uint64),
            truth=np.zeros((count, tables.truth_words), np.uint64),
            streams=np.zeros((count, len(STREAMS)), np.uint64),
            steps=np.zeros(count, np.int32),
            status=np.zeros(count, np.uint8),
            recent=np.zeros((count, tables.window if tables.is_watched else 0), np.uint8),
            repeats=np.zeros((count, tables.repeat_words), np.uint64),
            defender_states=np.zeros((count, defended), np.uint64),
            defender_goals=np.zeros((count, defended), np.uint64),
            defender_steps=np.zeros(count, np.int32),
            defender_plays=np.zeros(count, np.bool_),
            false_positives=np.zeros(count if defender == AGENT else 0, np.int32),
            searched=np.zeros(count, np.int32),
            suspects=np.zeros(count, np.int32),
            intruders=np.zeros((count, patrolled), np.int16),
            intruder_ages=np.zeros((count, patrolled), np.int32),
        )
