"""What a joined world's tensors say, in the environment's own terms.

A view of a server of ours is of one agent: the only one, one of several, or all of a vector at
once. Any other server shows one agent less well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netsecgame.errors import ProtocolViolationError, UnsupportedByServerError
from netsecgame.remote import described
from netsecgame.remote.answer_layout import AnswerLayout
from netsecgame.remote.binding import Binding
from netsecgame.remote.codec import extended_codec, plain_spec_codec
from netsecgame.remote.messages import State
from netsecgame.remote.remote_world import RENDERING, read_json
from netsecgame.remote.tensors import unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gymnasium import Space
    from numpy.typing import NDArray

    from netsecgame.remote.codec import Field
    from netsecgame.remote.remote_world import RemoteWorld

    #: Observation, reward, terminated, truncated, info.
    Outcome = tuple[Any, float, bool, bool, dict[str, Any]]

_TERMINATED: Final = 1
_TRUNCATED: Final = 2

_REWARD: Final = "reward"


class AgentView:
    """An agent on a server of ours."""

    def __init__(
        self,
        world: RemoteWorld,
        action_space: Space[Any],
        observation_space: Space[Any],
        prefix: str = "",
        num_envs: int | None = None,
    ) -> None:
        """Find the agent's tensors.

        Args:
            world: Where it plays.
            action_space: What it does; of a vector, what each of its environments does.
            observation_space: What it sees; likewise.
            prefix: Of the names of its tensors, if it is one of several agents.
            num_envs: Of a vector, whose arrays all have that many rows; None is no vector.

        Raises:
            ProtocolViolationError: If a tensor is not there.
        """
        uids = {field.name: uid for uid, field in world.observations.items()}
        try:
            self._reward_uid, self._flags_uid, self._info_uid = (
                uids[f"{prefix}{name}"] for name in (_REWARD, "flags", "info_json")
            )
        except KeyError as error:
            raise ProtocolViolationError(f"{world.address}: expected a tensor {error}") from None
        actions = extended_codec(action_space, f"{prefix}action", batch=num_envs)
        observations = extended_codec(observation_space, f"{prefix}observation", batch=num_envs)
        self._action = Binding.by_name(actions, world.actions)
        self._observation = Binding.by_name(observations, world.observations)
        found = [uids[field.name] for field in observations.fields]
        found += [self._reward_uid, self._flags_uid, self._info_uid]
        self._layout = AnswerLayout.find(
            observation_space, [(uid, world.observations[uid]) for uid in found]
        )

    def glance(self, answer: bytes) -> Outcome | None:
        """What a step gave the only agent, if that can be said without parsing the answer."""
        return None if self._layout is None else self._layout.read(answer)

    def write(self, action: Any) -> dict[int, Any]:
        """An action as tensors by uid.

        Raises:
            InvalidActionError: If the action space has nothing like it.
        """
        return self._action.write(action)

    def is_in(self, answer: Any) -> bool:
        """Whether the agent has taken part in a step."""
        return self._flags_uid in answer.observations

    def read(self, answer: Any) -> Outcome:
        """What a step gave the agent."""
        tensors = answer.observations
        observation = self._observation.read(tensors)
        # Two scalars at every step: what reads any tensor takes three times as long.
        reward = tensors[self._reward_uid].doubles.array
        flags = tensors[self._flags_uid].uint8s.array
        if len(reward) != 1 or len(flags) != 1:
            raise ProtocolViolationError(
                f"expected one reward (uid {self._reward_uid}) and one flags "
                f"(uid {self._flags_uid}), got {len(reward)} and {len(flags)}"
            )
        terminated, truncated = flags[0] & _TERMINATED != 0, flags[0] & _TRUNCATED != 0
        return observation, reward[0], terminated, truncated, self._read_info(tensors)

    def read_many(
        self, answer: Any
    ) -> tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """What a step gave the environments of a vector."""
        tensors = answer.observations
        observations = self._observation.read(tensors)
        rewards = _numbers(tensors, self._reward_uid)
        flags = _numbers(tensors, self._flags_uid)
        terminated, truncated = flags & _TERMINATED != 0, flags & _TRUNCATED != 0
        return observations, rewards, terminated, truncated, self._read_info(tensors)

    def _read_info(self, tensors: Any) -> dict[str, Any]:
        if self._info_uid not in tensors:
            return {}
        texts = tensors[self._info_uid].strings.array
        info = read_json(texts[0]) if texts and texts[0] else {}
        if not isinstance(info, dict):
            raise ProtocolViolationError(f"expected a dict as info, got {info!r}")
        return info


class PlainView:
    """The only agent on any server.

    Attributes:
        action_space: As the server's specs have it.
        observation_space: Likewise.
        reward_range: Likewise.
    """

    def __init__(self, world: RemoteWorld) -> None:
        """Find the agent's tensors.

        Raises:
            UnsupportedByServerError: If there are others besides.
        """
        uids = {field.name: uid for uid, field in world.observations.items()}
        self._reward_uid = uids.get(_REWARD)
        self._frame_uid = uids.get(RENDERING)
        seen = {
            uid: field
            for uid, field in world.observations.items()
            if uid not in (self._reward_uid, self._frame_uid)
        }
        self._action = _bind_only(world.actions, "action", world.address)
        self._observation = _bind_only(seen, "observation", world.address)
        self.action_space = self._action.space
        self.observation_space = self._observation.space
        self.reward_range = described.ANY_REWARD
        if self._reward_uid is not None:
            field = world.observations[self._reward_uid]
            if field.low is not None and field.high is not None:
                self.reward_range = float(np.min(field.low)), float(np.max(field.high))

    def glance(self, answer: bytes) -> None:
        """Nothing: every answer has to be parsed."""

    def write(self, action: Any) -> dict[int, Any]:
        """An action as tensors by uid.

        Raises:
            InvalidActionError: If the action space has nothing like it.
        """
        return self._action.write(action)

    def read(self, answer: Any) -> Outcome:
        """What a step gave the agent."""
        tensors = answer.observations
        observation = self._observation.read(tensors)
        has_reward = self._reward_uid is not None and self._reward_uid in tensors
        reward = float(_numbers(tensors, self._reward_uid)) if has_reward else 0.0
        state = answer.state
        return observation, reward, state == State.TERMINATED, state == State.INTERRUPTED, {}

    def read_frame(self, answer: Any) -> NDArray[Any] | None:
        """The frame that came with a step, if one did."""
        if self._frame_uid is None or self._frame_uid not in answer.observations:
            return None
        frame: NDArray[Any] = _numbers(answer.observations, self._frame_uid)
        return frame


def _bind_only(fields: Mapping[int, Field], name: str, address: str) -> Binding:
    if len(fields) != 1:
        names = ", ".join(field.name for field in fields.values()) or "none"
        raise UnsupportedByServerError(f"{address}: expected one tensor {name}, got {names}")
    ((uid, field),) = fields.items()
    return Binding(plain_spec_codec(field), [uid])


def _numbers(tensors: Any, uid: int | None) -> Any:
    """The array in a tensor."""
    if uid not in tensors:
        raise ProtocolViolationError(f"expected a tensor with uid {uid}")
    numbers = unpack(tensors[uid])
    if isinstance(numbers, str):
        raise ProtocolViolationError(f"tensor {uid}: expected numbers, got {numbers[:40]!r}")
    return numbers
