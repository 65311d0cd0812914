"""A random attacker that does not play anything twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.core.legal_actions import legal_numbers
from netsecgame.core.rng import Stream, StreamRandom
from netsecgame.envs.opponents.seeding import opponent_seed
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import Knowledge, KnownState
    from netsecgame.envs.game import Game
    from netsecgame.game_components import AgentStatus


class NoRepeatRandom:
    """Plays a legal action that it has not played in this episode, each as likely as the others.

    When there is none left, it plays any legal one.
    """

    def __init__(self, game: Game, role: AgentRole = AgentRole.Attacker, seat: int = 0) -> None:
        self._index = game.action_index(role)
        self._role = role
        self._seat = seat
        self._known: Knowledge | None = None
        self._legal: list[int] = []
        self._left: list[int] = []  # of the legal ones, those not played
        self._played: set[int] = set()
        self._reseed(0)

    def begin(self, state: KnownState, goal: Goal, seed: int | None) -> None:  # noqa: ARG002
        """A new episode begins."""
        if seed is not None:
            self._reseed(seed)
        self._known = None
        self._played = set()

    def act(self, state: KnownState) -> int | None:
        """The number of an action; None if nothing is legal."""
        if state.knowledge is not self._known:  # most actions change nothing
            self._known = state.knowledge
            self._legal = legal_numbers(self._index, state.knowledge)
            self._left = [number for number in self._legal if number not in self._played]
        left = self._left
        if not left:
            return self._rng.choice(self._legal) if self._legal else None
        number = left.pop(self._rng.below(len(left)))
        self._played.add(number)
        return number

    def end(self, state: KnownState, reward: float, status: AgentStatus) -> None:
        """Nothing was learned."""

    def _reseed(self, seed: int) -> None:
        self._rng = StreamRandom(opponent_seed(seed, self._role, self._seat), Stream.CHOICE)
