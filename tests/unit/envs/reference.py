"""One environment of a batch, played by the pure world on the same draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netsecgame.core.legal_actions import legal_numbers
from netsecgame.core.rng import Stream, StreamRandom
from netsecgame.core.world import World
from netsecgame.envs.batch import Autoreset, Defender
from netsecgame.envs.batch.defenders import RandomDefender, ScriptedDefender
from netsecgame.game_components import AgentRole, AgentStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netsecgame.core.action_index import ActionIndex
    from netsecgame.core.knowledge import KnownState
    from netsecgame.core.task import GameSpec
    from netsecgame.core.topology import Topology

ATTACKER, DEFENDER = "attacker", "defender"


class Answer(NamedTuple):
    """What came of one step for the defender, as a row of `BatchStep`."""

    reward: float = 0
    terminated: bool = False
    truncated: bool = False
    is_done: bool = False


class View(NamedTuple):
    """What an agent knows, and the share of its step limit that is used."""

    agent: str
    state: KnownState
    share: float


class Outcome(NamedTuple):
    """What came of one step, as a row of `BatchStep`."""

    reward: float = 0
    terminated: bool = False
    truncated: bool = False
    final: View | None = None
    defender: Answer = Answer()
    final_defender: View | None = None
    succeeded: bool = False


class ReferenceEnv:
    """Plays and resets like one environment of a `BatchedWorld`."""

    def __init__(
        self,
        spec: GameSpec,
        seed: int,
        topology: Topology,
        index: ActionIndex,
        autoreset: Autoreset,
        defender: Defender | None,
    ) -> None:
        self.world = World(spec, seed, topology, index)
        self.choice = StreamRandom(seed, Stream.CHOICE)
        self.autoreset = autoreset
        full = topology.action_index
        self.full_index = full
        self.defender: RandomDefender | ScriptedDefender | None = None
        if defender is Defender.RANDOM:
            self.defender = RandomDefender(full, StreamRandom(seed, Stream.DEFENDER))
        elif defender is Defender.SCRIPTED:
            self.defender = ScriptedDefender(full)
        self.has_agent = defender is Defender.AGENT
        self.defender_choice = StreamRandom(seed, Stream.DEFENDER)
        self.state = self._known(self.world.register(ATTACKER, AgentRole.Attacker).state)
        if defender is not None:
            self.world.register(DEFENDER, AgentRole.Defender)
        self.is_over = False

    @property
    def defender_state(self) -> KnownState:
        return self._known(self.world.player(DEFENDER).state)

    def view(self, agent: str) -> View:
        player = self.world.player(agent)
        share = player.steps / player.max_steps if player.max_steps else 0.0
        return View(agent, self._known(player.state), share)

    def step(self, number: int, defender_number: int = 0) -> Outcome:
        if self.is_over:
            self.reset()
            return Outcome()
        defended = self.world.player(DEFENDER).reward if self.has_agent else 0
        played = self.world.step_number(ATTACKER, number)
        self.state = self._known(played.state)
        status = played.status
        is_won_or_detected = status in (AgentStatus.Success, AgentStatus.Fail)
        is_late = status is AgentStatus.TimeoutReached
        self.is_over = is_won_or_detected or is_late
        answer = Answer()
        if self.has_agent:
            answer = self._answer(defender_number, defended, is_won_or_detected)
        elif not self.is_over:
            self._defend()
        final = theirs = None
        if self.is_over and self.autoreset is Autoreset.SAME_STEP:
            final = self.view(ATTACKER)
            theirs = self.view(DEFENDER) if self.has_agent else None
            self.reset()
        is_won = status is AgentStatus.Success
        return Outcome(played.reward, is_won_or_detected, is_late, final, answer, theirs, is_won)

    def reset(self) -> None:
        self.state = self._known(self.world.reset()[ATTACKER].state)
        if self.defender is not None:
            self.defender.begin()
        self.is_over = False

    def legal_numbers(self, agent: str) -> list[int]:
        index = self.world.action_index if agent == ATTACKER else self.full_index
        return legal_numbers(index, self.view(agent).state.knowledge)

    def sample(self, numbers: Sequence[int]) -> int:
        """One of the legal numbers, drawn like `BatchedWorld.sample_actions`."""
        return numbers[self.choice.below(len(numbers))] if numbers else 0

    def sample_for_defender(self, numbers: Sequence[int]) -> int:
        """The same, like `BatchedWorld.sample_defender_actions`."""
        return numbers[self.defender_choice.below(len(numbers))] if numbers else 0

    def _defend(self) -> None:
        if self.defender is None or not self.world.player(DEFENDER).is_playing:
            return
        number = self.defender.act(self.defender_state)
        if number is not None:
            labels = self.world.dynamics.labels
            self.world.step(DEFENDER, self.full_index.action(number, labels))

    def _answer(self, number: int, reward_before: float, is_won_or_detected: bool) -> Answer:
        """The turn of the defender from outside.

        `reward_before` was its last reward before the attacker's turn, which may have settled it.
        """
        player = self.world.player(DEFENDER)
        if not player.is_playing:
            return Answer(player.reward - reward_before, is_done=True)
        action = self.full_index.action(number, self.world.dynamics.labels)
        played = self.world.step(DEFENDER, action)
        assert played.is_settled == self.is_over
        is_done = not player.is_playing
        attackers = self.world.episode.attacker_states()
        terminated = is_won_or_detected or player.goal.is_reached(player.state, attackers)
        return Answer(played.reward, terminated, is_done and not terminated, is_done)

    @staticmethod
    def _known(state: object) -> KnownState:
        return state  # type: ignore[return-value]
