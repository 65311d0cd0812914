"""What the environments of one agent have in common, wherever the game is played."""

from __future__ import annotations

from abc import abstractmethod
from operator import index as as_int
from typing import TYPE_CHECKING, Any, Final, SupportsIndex

import gymnasium
import numpy as np
from gymnasium import spaces

from netsecgame.core.knowledge import Knowledge
from netsecgame.core.legal_actions import legal_flags, legal_numbers
from netsecgame.envs.action_text import explain_illegal, parse_action
from netsecgame.envs.observations import make_observer
from netsecgame.envs.observations.observer import says_the_same
from netsecgame.errors import ConfigurationError, UnknownActionError, suggest_nearest
from netsecgame.game_components import AgentStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.envs.game import Game
    from netsecgame.game_components import Action, AgentRole

_RENDER_MODES: Final = ("ansi", "rgb_array")
_OPTIONS: Final = ("randomize_topology",)


class AgentEnv(gymnasium.Env[Any, np.int64]):
    """One agent's view of a game, and the numbers of its actions.

    Attributes:
        game: What is played.
        role: What the agent plays.
        observer: What makes the observations; it knows what the numbers in them mean.
    """

    metadata: dict[str, Any] = {"render_modes": list(_RENDER_MODES), "render_fps": 2}  # noqa: RUF012
    action_space: spaces.Discrete

    def __init__(
        self,
        game: Game,
        role: AgentRole,
        observation: str,
        *,
        has_others: bool,
        render_mode: str | None,
    ) -> None:
        """Lay out spaces.

        Args:
            game: What is played.
            role: What the agent plays.
            observation: ``flat``, ``dict``, ``graph`` or ``text``.
            has_others: Whether anybody else plays, so that observations tell of blocks.
            render_mode: ``ansi``, ``rgb_array`` or None.

        Raises:
            ConfigurationError: If an option makes no sense.
            RoleNotAvailableError: If the task has no such role.
        """
        if render_mode is not None and render_mode not in _RENDER_MODES:
            raise not_among("render_mode", render_mode, _RENDER_MODES)
        self.render_mode = render_mode
        self.game = game
        self.role = role
        self.observer = make_observer(observation, game, role, has_others=has_others)
        self.observation_space = self.observer.space
        self._max_steps = game.role_task(role).max_steps
        self._index = game.action_index(role)
        self.action_space = spaces.Discrete(self._index.size)
        self._masked = Knowledge()  # what the mask goes by
        self._mask = self._make_mask(self._masked)

    @property
    @abstractmethod
    def state(self) -> KnownState:
        """What the agent knows."""

    @property
    @abstractmethod
    def goal(self) -> Goal:
        """What the agent has to reach in this episode."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """Actions played in this episode."""

    def action_masks(self) -> NDArray[np.bool_]:
        """Whether each action is legal now, (N,) bool: what `generate_valid_actions` lists."""
        return self._mask_of(self.state).astype(np.bool_)

    def action(self, number: SupportsIndex) -> Action:
        """The action of a number, under the addresses of this episode.

        Raises:
            UnknownActionError: If there is no such number.
        """
        return self._index.action(as_int(number), self.state.labels)

    def legal_actions(self) -> list[Action]:
        """The legal actions, in the order of their numbers."""
        labels = self.state.labels
        numbers = legal_numbers(self._index, self.state.knowledge)
        return [self._index.action(number, labels) for number in numbers]

    def find_action(self, text: str) -> int:
        """The number of a legal action that is given as text, see `netsecgame.envs.parse_action`.

        Raises:
            ActionTextError: If the text stands for no action, or for none that is legal. It says
                what is legal in its place, and nothing that the agent does not know.
        """
        action = parse_action(text)
        number = self._index.find(action, self.state.labels)
        if number < 0 or not self._mask_of(self.state)[number]:
            raise explain_illegal(action, self.legal_actions())
        return number

    def render(self) -> str | NDArray[np.uint8] | None:
        """What the agent knows: as text, or as a picture (600, 800, 3)."""
        if self.render_mode is None:
            gymnasium.logger.warn(
                'render() draws nothing without render_mode="ansi" or "rgb_array"'
            )
            return None
        # Only who draws needs it.
        from netsecgame.envs.rendering import View, render_ansi, render_rgb  # noqa: PLC0415

        title = f"{self.role.lower()}_0 in {self.game.spec.task.scenario}"
        view = View(self.state, self.goal, self.steps, self._max_steps, title)
        return render_ansi(view) if self.render_mode == "ansi" else render_rgb(view)

    def _read_number(self, action: SupportsIndex) -> int:
        number = as_int(action)
        if not 0 <= number < self._index.size:
            raise UnknownActionError(number, self._index.size)
        return number

    def _observe(self, state: KnownState) -> Any:
        share = self.steps / self._max_steps if self._max_steps else 0.0
        return self.observer.observe(state, share)

    def _tell(self, state: KnownState, status: AgentStatus, *, has_ended: bool) -> dict[str, Any]:
        """The info of a step."""
        mask = self._mask_of(state).copy()
        info = {"action_mask": mask, "status": status.to_string(), "steps": self.steps}
        if has_ended:
            info["is_success"] = status is AgentStatus.Success
        return info

    def _mask_of(self, state: KnownState) -> NDArray[np.int8]:
        """The mask of a state; kept, because most actions change nothing."""
        known = state.knowledge
        if known is not self._masked:
            if not says_the_same(known, self._masked):
                self._mask = self._make_mask(known)
            self._masked = known
        return self._mask

    def _make_mask(self, known: Knowledge) -> NDArray[np.int8]:
        return np.frombuffer(legal_flags(self._index, known), np.int8)


def read_relabel(options: dict[str, Any] | None) -> bool:
    """Whether the options of a reset ask for new addresses.

    Raises:
        ConfigurationError: If there is another option.
    """
    given = options or {}
    for name in given:
        if name not in _OPTIONS:
            raise not_among("options", name, _OPTIONS)
    return bool(given.get("randomize_topology", False))


def not_among(path: str, given: object, known: Iterable[str]) -> ConfigurationError:
    """The error for an option that is none of those there are."""
    names = list(known)
    hint = suggest_nearest(str(given), names)
    return ConfigurationError(f"expected {' or '.join(names)}, got {given!r}{hint}", path=path)
