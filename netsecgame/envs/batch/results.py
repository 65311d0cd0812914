"""What came of a step: the memory that kernels write into, and what callers see of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from netsecgame.envs.batch.arrays import Envs
    from netsecgame.envs.batch.features import Floats
    from netsecgame.envs.batch.layout import Words


class Results(NamedTuple):
    """What came of the last step, one environment a row.

    What nobody wants to know has no rows: masks and observations that were not asked for, last
    states where environments do not begin anew in the same step, and what is the defender's unless
    it acts from outside.

    Attributes:
        rewards: (B,) float32.
        terminated: (B,) bool.
        truncated: (B,) bool.
        succeeded: (B,) bool.
        masks: Whether each action is legal, (B, N) bool.
        observations: See `StateLayout.flatten`, (B, F + 1) float32.
        final_states: Last states of episodes that ended, (B, W) uint64.
        final_observations: Likewise, (B, F + 1) float32.
        defender_rewards: (B,) float32.
        defender_terminated: (B,) bool.
        defender_truncated: (B,) bool.
        defender_done: Whether the defender acts no more, (B,) bool.
        defender_masks: Whether each of its actions is legal, (B, its N) bool.
        defender_observations: (B, F + 1) float32.
        final_defender_states: (B, W) uint64.
        final_defender_observations: (B, F + 1) float32.
    """

    rewards: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    succeeded: NDArray[np.bool_]
    masks: NDArray[np.bool_]
    observations: Floats
    final_states: Words
    final_observations: Floats
    defender_rewards: NDArray[np.float32]
    defender_terminated: NDArray[np.bool_]
    defender_truncated: NDArray[np.bool_]
    defender_done: NDArray[np.bool_]
    defender_masks: NDArray[np.bool_]
    defender_observations: Floats
    final_defender_states: Words
    final_defender_observations: Floats

    @classmethod
    def make(
        cls,
        count: int,
        *,
        words: int,
        masks: int,
        defender_masks: int,
        features: int,
        keeps_final: bool,
        has_agent: bool,
    ) -> Results:
        """Memory for that many environments.

        Args:
            count: B.
            words: W.
            masks: The number of the attacker's actions; 0 without masks.
            defender_masks: The number of the defender's.
            features: How long an observation is; 0 without them.
            keeps_final: Whether last states are kept.
            has_agent: Whether a defender acts from outside.
        """

        def rows(is_wanted: int) -> int:
            return count if is_wanted else 0

        final, agent = rows(keeps_final), rows(has_agent)
        observed = rows(features)
        return cls(
            rewards=np.zeros(count, np.float32),
            terminated=np.zeros(count, np.bool_),
            truncated=np.zeros(count, np.bool_),
            succeeded=np.zeros(count, np.bool_),
            masks=np.zeros((rows(masks), masks), np.bool_),
            observations=np.zeros((observed, features), np.float32),
            final_states=np.zeros((final, words), np.uint64),
            final_observations=np.zeros((min(final, observed), features), np.float32),
            defender_rewards=np.zeros(agent, np.float32),
            defender_terminated=np.zeros(agent, np.bool_),
            defender_truncated=np.zeros(agent, np.bool_),
            defender_done=np.zeros(agent, np.bool_),
            defender_masks=np.zeros((min(agent, rows(defender_masks)), defender_masks), np.bool_),
            defender_observations=np.zeros((min(agent, observed), features), np.float32),
            final_defender_states=np.zeros((min(agent, final), words), np.uint64),
            final_defender_observations=np.zeros(
                (min(agent, final, observed), features), np.float32
            ),
        )

    def forget(self, chosen: NDArray[np.int64]) -> None:
        """No reward and no end in some environments: they have just begun anew."""
        for array in (self.rewards, self.terminated, self.truncated, self.succeeded):
            array[chosen] = 0
        if len(self.defender_rewards):
            for array in (
                self.defender_rewards,
                self.defender_terminated,
                self.defender_truncated,
                self.defender_done,
            ):
                array[chosen] = 0


class BatchStep(NamedTuple):
    """What came of one step; the arrays are the world's own and change with the next step.

    What was not asked for is None: masks, observations, last states where environments do not begin
    anew in the same step, and what is the defender's unless it acts from outside.

    Attributes:
        states: What the attackers know, (B, W) uint64; `BatchedWorld.layout` says which bit is
            what.
        rewards: (B,) float32.
        terminated: Whether the goal was reached, or the attacker detected, (B,) bool.
        truncated: Whether the step limit ended the episode, (B,) bool.
        action_masks: Whether each action is legal, (B, N) bool.
        final_states: Last states of the episodes that ended in this step, (B, W) uint64; only rows
            that ended mean anything.
        observations: The states as numbers, and the share of the step limit that is used,
            (B, F + 1) float32; see `StateLayout.flatten`.
        final_observations: Likewise the last states, (B, F + 1) float32.
        defender_states: What the defenders know, (B, W) uint64.
        defender_rewards: What they gained in this round, (B,) float32: their action, and their
            final reward in the round that ends the episode.
        defender_terminated: Whether the defender's last action was in this round, because it
            reached its goal, or the attacker did or was detected, (B,) bool.
        defender_truncated: Likewise because of a step limit, its own or the attacker's, (B,) bool.
        defender_done: Whether it acts no more in the episode of this round, (B,) bool. Its final
            reward is still to come while the attacker plays on.
        defender_masks: Whether each of its actions is legal, (B, its N) bool.
        defender_observations: (B, F + 1) float32; the share is that of its own step limit.
        final_defender_states: (B, W) uint64.
        final_defender_observations: (B, F + 1) float32.
        succeeded: Whether the goal was reached, (B,) bool.
    """

    states: Words
    rewards: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    action_masks: NDArray[np.bool_] | None
    final_states: Words | None
    observations: Floats | None
    final_observations: Floats | None
    defender_states: Words | None
    defender_rewards: NDArray[np.float32] | None
    defender_terminated: NDArray[np.bool_] | None
    defender_truncated: NDArray[np.bool_] | None
    defender_done: NDArray[np.bool_] | None
    defender_masks: NDArray[np.bool_] | None
    defender_observations: Floats | None
    final_defender_states: Words | None
    final_defender_observations: Floats | None
    succeeded: NDArray[np.bool_]

    @classmethod
    def view(cls, envs: Envs, results: Results) -> BatchStep:
        """What the arrays of a batch say; it stays true."""
        kept: dict[str, Any] = {
            name: array if len(array) else None for name, array in results._asdict().items()
        }
        return cls(
            states=envs.states,
            action_masks=kept.pop("masks"),
            defender_states=None if kept["defender_rewards"] is None else envs.defender_states,
            **kept,
        )
