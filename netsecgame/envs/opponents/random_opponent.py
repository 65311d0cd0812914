"""Plays legal actions by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.core.legal_actions import legal_numbers
from netsecgame.core.rng import Stream, StreamRandom
from netsecgame.envs.opponents.seeding import opponent_seed
from netsecgame.game_components import ActionType, AgentRole

if TYPE_CHECKING:
    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import Knowledge, KnownState
    from netsecgame.envs.game import Game
    from netsecgame.game_components import AgentStatus

#: What people do all day: a benign agent attacks nothing and defends nothing.
BENIGN_ACTIONS = (ActionType.FindData, ActionType.FindServices, ActionType.ExfiltrateData)


class RandomOpponent:
    """Plays any legal action of its role, each as likely as the others.

    A benign agent plays `BENIGN_ACTIONS` only. With nothing to do, a defender does nothing; the
    others play in vain, because their episode has to come to an end.
    """

    def __init__(self, game: Game, role: AgentRole, seat: int = 0) -> None:
        self._index = game.action_index(role)
        self._role = role
        self._seat = seat
        self._known: Knowledge | None = None
        self._numbers: list[int] = []
        self._reseed(0)

    def begin(self, state: KnownState, goal: Goal, seed: int | None) -> None:  # noqa: ARG002
        """A new episode begins."""
        if seed is not None:
            self._reseed(seed)

    def act(self, state: KnownState) -> int | None:
        """The number of an action."""
        # Most actions change nothing, and to list what is legal takes nearly all the time.
        if state.knowledge is not self._known:
            self._known = state.knowledge
            self._numbers = self._list(state.knowledge)
        numbers = self._numbers
        if not numbers:
            return None if self._role is AgentRole.Defender else 0
        return numbers[self._rng.below(len(numbers))]

    def end(self, state: KnownState, reward: float, status: AgentStatus) -> None:
        """Nothing was learned."""

    def _reseed(self, seed: int) -> None:
        self._rng = StreamRandom(opponent_seed(seed, self._role, self._seat), Stream.DEFENDER)

    def _list(self, known: Knowledge) -> list[int]:
        numbers = legal_numbers(self._index, known)
        if self._role is not AgentRole.Benign:
            return numbers
        index = self._index
        allowed = [
            range(section.start, section.start + section.per_source * len(index.addresses))
            for section in map(index.section, BENIGN_ACTIONS)
        ]
        return [number for number in numbers if any(number in numbers_ for numbers_ in allowed)]
