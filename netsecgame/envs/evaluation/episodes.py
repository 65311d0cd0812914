"""Plays the episodes of a plan, one after another, in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from netsecgame.agents.episodic_agent import IDLE
from netsecgame.envs.evaluation.agents import NOBODY, make_attacker
from netsecgame.envs.evaluation.plan import episode_seed
from netsecgame.envs.game import Game
from netsecgame.envs.opponents import make_opponent
from netsecgame.envs.rounds import Rounds, Seat
from netsecgame.game_components import AgentRole, AgentStatus

if TYPE_CHECKING:
    from netsecgame.envs.evaluation.plan import LoadedPlan

_ATTACKER, _DEFENDER = "attacker_0", "defender_0"


class Chunk(NamedTuple):
    """Some episodes of one seed that follow each other.

    Attributes:
        seed: Which.
        episodes: Their numbers.
    """

    seed: int
    episodes: range


class EpisodeRecord(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"total_reward": "return"}
):
    """How one episode went for the attacker.

    Attributes:
        episode: Its number among those of its seed, from 0.
        seed: What the game was reset with.
        won: Whether the attacker reached its goal.
        total_reward: The sum of its rewards; ``return`` in JSON.
        steps: Actions it played.
        detected: Whether the global defender ended it.
        false_positives: Connections of others that the defender's blocks refused.
        end_reason: ``Success``, ``Fail`` or ``TimeoutReached``.
    """

    episode: int
    seed: int
    won: bool
    total_reward: float
    steps: int
    detected: bool
    false_positives: int
    end_reason: str


class EpisodePlayer:
    """Plays any episodes of a plan, in any order: none depends on another."""

    def __init__(self, plan: LoadedPlan) -> None:
        """Get the game and the agents ready.

        Raises:
            ConfigurationError: If an agent cannot play that task.
            RoleNotAvailableError: If the task has no such role.
        """
        game = Game(plan.spec)
        self._attacker = make_attacker(plan.attacker, game)
        seats = [Seat(_ATTACKER, AgentRole.Attacker)]
        self._has_defender = plan.defender != NOBODY
        if self._has_defender:
            defender = make_opponent(plan.defender, AgentRole.Defender, game)
            seats.append(Seat(_DEFENDER, AgentRole.Defender, defender))
        for i in range(plan.benign):
            benign = make_opponent("random", AgentRole.Benign, game, i)
            seats.append(Seat(f"benign_{i}", AgentRole.Benign, benign))
        self._rounds = Rounds(game, seats, 0)

    def play_chunk(self, chunk: Chunk) -> list[EpisodeRecord]:
        """Play all episodes of a chunk."""
        return [self.play(chunk.seed, episode) for episode in chunk.episodes]

    def play(self, seed: int, episode: int) -> EpisodeRecord:
        """Play one episode."""
        world_seed = episode_seed(seed, episode)
        rounds, attacker = self._rounds, self._attacker
        # With a seed, all agents begin as if new; tasks without dynamic addresses keep theirs.
        state = rounds.reset(world_seed, randomize_topology=True)[_ATTACKER]
        attacker.begin(state, rounds.goal(_ATTACKER), world_seed)
        total_reward, is_over = 0.0, False
        while not is_over:
            action = attacker.act(state)
            # To play nothing costs no step: two that wait for each other would never end.
            turn = rounds.step({_ATTACKER: IDLE if action is None else action})[_ATTACKER]
            state = turn.state
            total_reward += turn.reward
            is_over = turn.terminated or turn.truncated
        world = rounds.world
        return EpisodeRecord(
            episode=episode,
            seed=world_seed,
            won=turn.status is AgentStatus.Success,
            total_reward=total_reward,
            steps=world.player(_ATTACKER).steps,
            detected=turn.status is AgentStatus.Fail,
            false_positives=(world.player(_DEFENDER).false_positives if self._has_defender else 0),
            end_reason=turn.status.to_string(),
        )
