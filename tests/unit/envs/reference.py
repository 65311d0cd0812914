"""One environment of a batch, played by the pure world on the same draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netsecgame.core.legal_actions import legal_numbers
from netsecgame.core.rng import Stream, StreamRandom
from netsecgame.core.world import World
from netsecgame.envs.batch.batched_world import Autoreset, Defender
from netsecgame.envs.batch.defenders import RandomDefender, ScriptedDefender
from netsecgame.game_components import AgentRole, AgentStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netsecgame.core.action_index import ActionIndex
    from netsecgame.core.knowledge import KnownState
    from netsecgame.core.task import GameSpec
    from netsecgame.core.topology import Topology
    from netsecgame.envs.batch.layout import StateLayout

ATTACKER, DEFENDER = "attacker", "defender"


class Outcome(NamedTuple):
    """What came of one step, as a row of `BatchStep`."""

    state: KnownState
    reward: float
    terminated: bool
    truncated: bool
    final_state: KnownState | None


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
        self.state = self._known(self.world.register(ATTACKER, AgentRole.Attacker).state)
        if self.defender is not None:
            self.world.register(DEFENDER, AgentRole.Defender)
        self.is_over = False

    @property
    def defender_state(self) -> KnownState:
        return self._known(self.world.player(DEFENDER).state)

    def step(self, number: int) -> Outcome:
        if self.is_over:
            self.reset()
            return Outcome(self.state, 0, False, False, None)
        played = self.world.step_number(ATTACKER, number)
        self.state = self._known(played.state)
        status = played.status
        is_won_or_detected = status in (AgentStatus.Success, AgentStatus.Fail)
        is_late = status is AgentStatus.TimeoutReached
        self.is_over = is_won_or_detected or is_late
        final = None
        if not self.is_over:
            self._defend()
        elif self.autoreset is Autoreset.SAME_STEP:
            final = self.state
            self.reset()
        return Outcome(self.state, played.reward, is_won_or_detected, is_late, final)

    def reset(self) -> None:
        self.state = self._known(self.world.reset()[ATTACKER].state)
        if self.defender is not None:
            self.defender.begin()
        self.is_over = False

    def words(self, layout: StateLayout) -> bytes:
        return layout.encode(self.state.knowledge).tobytes()

    def legal_numbers(self) -> list[int]:
        return legal_numbers(self.world.action_index, self.state.knowledge)

    def sample(self, numbers: Sequence[int]) -> int:
        """One of the legal numbers, drawn like `BatchedWorld.sample_actions`."""
        return numbers[self.choice.below(len(numbers))] if numbers else 0

    def _defend(self) -> None:
        if self.defender is None or not self.world.player(DEFENDER).is_playing:
            return
        number = self.defender.act(self.defender_state)
        if number is not None:
            labels = self.world.dynamics.labels
            self.world.step(DEFENDER, self.full_index.action(number, labels))

    @staticmethod
    def _known(state: object) -> KnownState:
        return state  # type: ignore[return-value]
