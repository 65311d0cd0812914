"""What can be asked about an environment beside playing it.

| name          | tensor          | what                                                    |
|---------------|-----------------|---------------------------------------------------------|
| `describe`    | STRING          | JSON: all that a client needs to look like it           |
| `frame`       | UINT8 (h, w, 3) | what it draws now; of a vector (num_envs, h, w, 3)      |
| `frame.png`   | UINT8 (bytes,)  | the same as a PNG file, a vector's frames in one column |
| `attr/<name>` | STRING          | an attribute that the server exposes, as tagged JSON    |
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from gymnasium.vector import AutoresetMode

from netsecgame.errors import UnsupportedByServerError
from netsecgame.remote import array_json, messages
from netsecgame.remote.guard import EnvironmentCode
from netsecgame.remote.hosted import HostedParallel, HostedSingle, HostedVector
from netsecgame.remote.messages import DType
from netsecgame.remote.png import to_png
from netsecgame.remote.refusals import Refusal
from netsecgame.remote.reports import Reason
from netsecgame.remote.space_json import space_to_json
from netsecgame.remote.tensors import pack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gymnasium import Space

    from netsecgame.remote.hosted import Hosted

DESCRIBE: Final = "describe"
FRAME: Final = "frame"
FRAME_PNG: Final = "frame.png"
ATTRIBUTES: Final = "attr/"

DESCRIPTION_VERSION: Final = 1

#: A description belongs to no phase.
_DESCRIBING = EnvironmentCode("", passed=(UnsupportedByServerError,))
#: A missing attribute is the client's mistake, not the environment's.
_READING = EnvironmentCode("", passed=(AttributeError,))


class Properties:
    """The properties of one environment.

    Args:
        hosted: The environment.
        env_id: Its number.
        exposed: The attributes that clients may read.
    """

    def __init__(self, hosted: Hosted, env_id: int, exposed: Sequence[str]) -> None:
        self._hosted = hosted
        self._env_id = env_id
        self._exposed = tuple(exposed)

    def answer(self, request: Any) -> bytes:
        """The response to a PropertyRequest.

        Raises:
            Refusal: If there is no such property, or nobody may have it.
            EnvironmentRaisedError: If the environment's own code did.
        """
        match request.WhichOneof("payload"):
            case "read_property":
                return messages.property_read(self._read(request.read_property.key))
            case "list_property":
                return self._list(request.list_property.key)
            case "write_property":
                raise Refusal(
                    Reason.UNIMPLEMENTED,
                    f"property {request.write_property.key!r}: none can be written",
                )
            case _:
                raise Refusal(Reason.UNIMPLEMENTED, "a request about properties that is empty")

    def _read(self, key: str) -> Any:
        if key == DESCRIBE:
            return pack(describe(self._hosted, self._env_id), DType.STRING)
        if key in (FRAME, FRAME_PNG):
            frame = self._hosted.frame()
            if key == FRAME:
                return pack(frame, DType.UINT8)
            picture = frame.reshape(-1, *frame.shape[-2:])
            return pack(np.frombuffer(to_png(picture), np.uint8), DType.UINT8)
        if key.startswith(ATTRIBUTES):
            return self._read_attribute(key.removeprefix(ATTRIBUTES))
        raise Refusal(Reason.NOT_FOUND, f"property {key!r} is unknown{self._known()}")

    def _read_attribute(self, name: str) -> Any:
        if name not in self._exposed:
            raise Refusal(Reason.NOT_ALLOWED, f"attribute {name!r} is not exposed{self._known()}")
        try:
            with _READING:
                value = self._hosted.attribute(name)
        except AttributeError as error:
            raise Refusal(Reason.NOT_FOUND, f"attribute {name!r}: {error}") from None
        return pack(array_json.dumps(value), DType.STRING)

    def _list(self, key: str) -> bytes:
        names = self._names()
        below = [name for name in names if not key or name.rpartition("/")[0] == key]
        if not below and key not in names:
            raise Refusal(Reason.NOT_FOUND, f"property {key!r} is unknown{self._known()}")
        return messages.properties_listed(
            messages.PropertySpec(spec=_value_spec(name), is_readable=True) for name in below
        )

    def _names(self) -> list[str]:
        frames = [FRAME, FRAME_PNG] if self._hosted.is_rendering else []
        return [DESCRIBE, *frames, *(ATTRIBUTES + name for name in self._exposed)]

    def _known(self) -> str:
        return f"; there are {', '.join(self._names())}"


def describe(hosted: Hosted, env_id: int) -> str:
    """What a client of ours needs to look like the environment, as JSON.

    Spaces are as `space_json` has them; metadata and what else an environment chose is tagged.

    Raises:
        UnsupportedByServerError: If a space cannot be described.
        EnvironmentRaisedError: If the environment's own code raised.
    """
    with _DESCRIBING:
        spec = getattr(hosted.env, "spec", None)
        description = {
            "version": DESCRIPTION_VERSION,
            "kind": hosted.kind,
            "env_id": env_id,
            **_of_kind(hosted),
            "metadata": array_json.tag(_metadata(hosted.env)),
            "spec": None
            if spec is None
            else {"id": spec.id, "max_episode_steps": spec.max_episode_steps},
            "reward_range": array_json.tag(hosted.reward_range),
            "render_mode": hosted.render_mode,
        }
        return json.dumps(description, separators=(",", ":"))


def _of_kind(hosted: Hosted) -> dict[str, Any]:
    """Spaces and agents."""
    if isinstance(hosted, HostedVector):
        mode = hosted.env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        return {
            "action_space": space_to_json(hosted.single_action_space),
            "observation_space": space_to_json(hosted.single_observation_space),
            "agents": None,
            "num_envs": hosted.num_envs,
            "autoreset": AutoresetMode(mode).name.lower(),
        }
    if isinstance(hosted, HostedParallel):
        return {
            "action_space": _spaces_to_json(hosted.action_spaces),
            "observation_space": _spaces_to_json(hosted.observation_spaces),
            "agents": list(hosted.agents),
        }
    assert isinstance(hosted, HostedSingle)
    return {
        "action_space": space_to_json(hosted.action_space),
        "observation_space": space_to_json(hosted.observation_space),
        "agents": None,
    }


def _spaces_to_json(spaces: Mapping[str, Space[Any]]) -> dict[str, Any]:
    return {agent: space_to_json(space) for agent, space in spaces.items()}


def _metadata(env: Any) -> dict[str, Any]:
    """What the environment says about itself; the mode of a vector is told by its name instead."""
    metadata = dict(getattr(env, "metadata", None) or {})
    metadata.pop("autoreset_mode", None)
    return metadata


def _value_spec(name: str) -> Any:
    """The spec of a property's value; the shape of a frame is known only when there is one."""
    if name == FRAME:
        return messages.TensorSpec(name=name)
    if name == FRAME_PNG:
        return messages.TensorSpec(name=name, dtype=DType.UINT8, shape=[-1])
    return messages.TensorSpec(name=name, dtype=DType.STRING)
