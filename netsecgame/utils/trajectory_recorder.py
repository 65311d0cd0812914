"""Collects what one agent saw and did, episode by episode."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsecgame.utils.utils import clean_agent_name, store_trajectories_to_jsonl

if TYPE_CHECKING:
    import os

    from netsecgame.game_components import Action, AgentRole, AgentStatus, GameState


class TrajectoryRecorder:
    """Records the states, actions and rewards of one episode at a time.

    Args:
        agent_name: As it joined; cleaned before it becomes part of a file name.
        agent_role: The part it plays.
    """

    def __init__(self, agent_name: str, agent_role: AgentRole | str) -> None:
        self.agent_name = agent_name
        self.agent_role = agent_role
        self.reset()

    def reset(self) -> None:
        """Forget the episode."""
        self._states: list[GameState] = []
        self._actions: list[Action] = []
        self._rewards: list[float] = []
        self._end_reason: AgentStatus | str | None = None

    def add_initial_state(self, state: GameState) -> None:
        """Begin a new episode with what the agent knows at its start."""
        self.reset()
        self._states.append(state)

    def add_step(
        self,
        action: Action,
        reward: float,
        next_state: GameState,
        end_reason: AgentStatus | str | None = None,
    ) -> None:
        """Add one step; `end_reason` with the last one."""
        self._actions.append(action)
        self._rewards.append(reward)
        self._states.append(next_state)
        if end_reason is not None:
            self._end_reason = end_reason

    def get_trajectory(self) -> dict[str, Any]:
        """The episode so far, as JSON takes it; with n actions there are n + 1 states."""
        return {
            "trajectory": {
                "states": [state.as_dict for state in self._states],
                "actions": [action.as_dict for action in self._actions],
                "rewards": list(self._rewards),
            },
            "end_reason": None if self._end_reason is None else str(self._end_reason),
            "agent_role": str(self.agent_role),
            "agent_name": self.agent_name,
        }

    def save_to_file(
        self,
        location: str | os.PathLike[str] = "./logs/trajectories",
        filename: str | None = None,
    ) -> Path:
        """Append the episode as one line of JSON to ``location/filename.jsonl``.

        Args:
            location: A folder; it is made if need be.
            filename: Without the suffix; None is ``<YYYY-MM-DD>_<agent name>_<role>``.

        Returns:
            The file.
        """
        if filename is None:
            today = datetime.datetime.now().astimezone().date()
            filename = f"{today}_{clean_agent_name(self.agent_name)}_{self.agent_role}"
        store_trajectories_to_jsonl(self.get_trajectory(), location, filename)
        return Path(location) / f"{filename}.jsonl"
