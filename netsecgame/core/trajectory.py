"""What one agent did and saw in one episode."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from netsecgame.core.knowledge import KnownState, encode_state
from netsecgame.game_components import IP, Data, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netsecgame.game_components import Action, AgentRole, AgentStatus, GameState

#: Steps kept per agent and episode; what follows is played but not recorded.
MAX_STEPS = 10_000

#: Text in actions kept per agent and episode, in characters; likewise.
MAX_TEXT = 64 * 1024 * 1024

#: Actions with more parameters than that have a service or a datum, whose texts agents may choose.
_MAX_PARAMETERS_WITHOUT_TEXT = 2

#: States in the JSON of one trajectory, in bytes: every step has the whole state once more.
MAX_JSON_BYTES = 32 * 1024 * 1024

#: What a step keeps in memory beside text: an action, and now and then a state.
_STEP_BYTES = 2_000

#: Encoded in one go, which takes a fraction of a millisecond.
_ACTIONS_PER_PIECE = 250

_encode = msgspec.json.Encoder().encode


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

    @property
    def kept_bytes(self) -> int:
        """About how much memory the steps take; 0 if there are none. Their JSON is far longer."""
        return self._text + _STEP_BYTES * len(self.actions)

    def append(self, action: Action, reward: float, state: GameState) -> None:
        """Record one step."""
        before = self.states[-1]
        if state is not before and isinstance(before, KnownState):
            before.forget_json()
        is_fixed = len(action.parameters) <= _MAX_PARAMETERS_WITHOUT_TEXT
        self.add(action, reward, state, 0 if is_fixed else count_text(action))

    def add(self, action: Action, reward: float, state: GameState, text: int) -> None:
        """As `append`, for `text` that is counted; earlier states keep their JSON."""
        self._text += text
        actions = self.actions
        if len(actions) >= MAX_STEPS or self._text > MAX_TEXT or self.is_cut:
            self.is_cut = True
            return
        actions.append(action)
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
        return b"".join(self.json_pieces(name, role, end_reason))

    def json_pieces(
        self, name: str, role: AgentRole, end_reason: AgentStatus | None
    ) -> Iterator[bytes]:
        """`as_json` bit by bit, each piece made when it is asked for.

        The whole is far longer than what the trajectory keeps, and takes long to make: who sends or
        writes it piece by piece needs no memory for it, and can look after others in between. No
        piece ends inside a string. A state that lasted for several steps is one object each time.

        Nothing may be recorded until the last piece is made.
        """
        piece = _encode_once(self.states[0])
        yield b'{"trajectory":{"states":[' + piece
        piece = b"," + piece
        size = len(piece) - 1
        before = self.states[0]
        steps = 0
        for state in islice(self.states, 1, None):
            if state is not before:
                piece = b"," + _encode_once(state)
                before = state
            size += len(piece) - 1
            if size > MAX_JSON_BYTES:
                break
            yield piece
            steps += 1
        yield b'],"actions":['
        made: dict[int, bytes] = {}  # agents ask for the same again and again
        for first in range(0, steps, _ACTIONS_PER_PIECE):
            actions = self.actions[first : min(first + _ACTIONS_PER_PIECE, steps)]
            for action in actions:
                if id(action) not in made:
                    made[id(action)] = _encode(_action_form(action))
            yield (b"," if first else b"") + b",".join([made[id(action)] for action in actions])
        about: dict[str, Any] = {
            "end_reason": None if end_reason is None else str(end_reason),
            "agent_role": str(role),
            "agent_name": name,
        }
        if self.is_cut or steps < len(self):
            about["is_cut"] = True
        yield b'],"rewards":%s},%s' % (_encode(self.rewards[:steps]), _encode(about)[1:])


def _encode_once(state: GameState) -> bytes:
    """The JSON of a state, which does not keep it."""
    text = encode_state(state)
    if isinstance(state, KnownState):
        state.forget_json()
    return text


def _action_form(action: Action) -> dict[str, Any]:
    """As `Action.as_dict`; the values are left to the encoder, which halves the time."""
    return {
        "action_type": f"ActionType.{action.action_type._name_}",
        "parameters": action.parameters,
    }


def count_text(action: Action) -> int:
    """Characters in an action that an agent may choose."""
    parameters = action.parameters
    if len(parameters) <= _MAX_PARAMETERS_WITHOUT_TEXT:
        return 0
    count = 0
    for value in parameters.values():
        if type(value) is IP:  # most are, and this is the cheaper question
            continue
        if isinstance(value, Data):
            count += len(value.owner) + len(value.id) + len(value.type) + len(value.content)
        elif isinstance(value, Service):
            count += len(value.name) + len(value.type) + len(value.version)
    return count
