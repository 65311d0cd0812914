"""What one agent did and saw in one episode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from netsecgame.core.knowledge import KnownState, encode_state
from netsecgame.game_components import Data, Service

if TYPE_CHECKING:
    from netsecgame.game_components import Action, AgentRole, AgentStatus, GameState

#: Steps kept per agent and episode; what follows is played but not recorded.
MAX_STEPS = 10_000

#: Text in actions and logs kept per agent and episode, in characters; likewise.
MAX_TEXT = 64 * 1024 * 1024

#: States in the JSON of one trajectory, in bytes: every step has the whole state once more.
MAX_JSON_BYTES = 32 * 1024 * 1024


class Trajectory:
    """The states, actions and rewards of one agent: n + 1 states for n actions.

    Attributes:
        states: Start state first.
        actions: In the order they were played.
        rewards: The reward of each action; the last one includes the final reward.
        is_cut: Whether steps were left out because there were too many.
    """

    def __init__(self, start: GameState) -> None:
        self.states: list[GameState] = [start]
        self.actions: list[Action] = []
        self.rewards: list[float] = []
        self.is_cut = False
        self._text = 0

    def __len__(self) -> int:
        return len(self.actions)

    def append(self, action: Action, reward: float, state: GameState) -> None:
        """Record one step."""
        before = self.states[-1]
        if state is not before and isinstance(before, KnownState):
            before.forget_json()
        self._text += _count_text(action, before, state)
        if self.is_cut or len(self.actions) >= MAX_STEPS or self._text > MAX_TEXT:
            self.is_cut = True
            return
        self.actions.append(action)
        self.rewards.append(reward)
        self.states.append(state)

    def add_to_last_reward(self, reward: float) -> None:
        """Add a reward that became known only after the step."""
        if self.rewards and not self.is_cut:
            self.rewards[-1] += reward

    def as_json(self, name: str, role: AgentRole, end_reason: AgentStatus | None) -> bytes:
        """The form in which trajectories are stored and sent, as UTF-8.

        The states' parts are those of the wire; `end_reason` is None when the episode did not end.
        The first steps are in it, as many as fit; `is_cut` is there if some were left out.
        """
        states = self._encode_states()
        steps = len(states) - 1
        stored: dict[str, Any] = {
            "trajectory": {
                "states": states,
                "actions": [action.as_dict for action in self.actions[:steps]],
                "rewards": self.rewards[:steps],
            },
            "end_reason": None if end_reason is None else str(end_reason),
            "agent_role": str(role),
            "agent_name": name,
        }
        if self.is_cut or steps < len(self):
            stored["is_cut"] = True
        return msgspec.json.encode(stored)

    def _encode_states(self) -> list[msgspec.Raw]:
        encoded: list[msgspec.Raw] = []
        size = 0
        before = None
        for state in self.states:
            text = encoded[-1] if state is before else msgspec.Raw(encode_state(state))
            if isinstance(state, KnownState):
                state.forget_json()
            size += len(text)
            if encoded and size > MAX_JSON_BYTES:
                break
            encoded.append(text)
            before = state
        return encoded


def _count_text(action: Action, before: GameState, state: GameState) -> int:
    """Characters that this step adds: those an agent may choose, and logs that were read."""
    count = 0
    for value in action.parameters.values():
        if isinstance(value, Data):
            count += len(value.owner) + len(value.id) + len(value.type) + len(value.content)
        elif isinstance(value, Service):
            count += len(value.name) + len(value.type) + len(value.version)
    if state is before or not isinstance(state, KnownState) or not isinstance(before, KnownState):
        return count
    known = before.knowledge.logs
    for address, log in state.knowledge.logs.items():
        if log is not known.get(address):
            count += len(log.content)
    return count
