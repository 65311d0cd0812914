"""What the settings of requests say: how to make an environment, to see it, to begin an episode."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from netsecgame.errors import (
    ProtocolViolationError,
    RemoteConfigError,
    UnsupportedByServerError,
)
from netsecgame.remote import array_json
from netsecgame.remote.tensors import unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

KINDS: Final = ("single", "vector", "parallel")
AUTORESETS: Final = ("next_step", "same_step", "disabled")
VIEW_VERSION: Final = 1

#: Longest array that a setting may hold: one value an environment of a vector.
_MAX_ELEMENTS = 1 << 20


class VectorSettings(NamedTuple):
    """That many environments are wanted."""

    num_envs: int
    autoreset: str  # one of AUTORESETS


class WorldArgs(NamedTuple):
    """How to make an environment."""

    args: dict[str, Any]  # RemoteArgs, merged and checked; with env_id
    vector: VectorSettings | None = None


class View(NamedTuple):
    """How a client wants to see the world that it joins."""

    kind: str | None = None  # one of KINDS; None sees plain tensors
    has_frames: bool = False  # whether a frame may come with every step


class ResetSettings(NamedTuple):
    """With what the next episode begins."""

    seed: int | list[int | None] | None = None
    options: dict[str, Any] | None = None
    mask: NDArray[np.bool_] | None = None  # (num_envs,) which of a vector to reset; None is all


def read_world_args(settings: Mapping[str, Any], kept: WorldArgs | None = None) -> WorldArgs:
    """How to make the environment of create_world, or of reset_world.

    Args:
        settings: Tensors by name.
        kept: What holds where the settings say nothing.

    Raises:
        RemoteConfigError: If they cannot be understood.
    """
    text = _text(settings, "args")
    if text is None and kept is not None:
        args = kept.args
    else:
        args = {"env_id": kept.args["env_id"] if kept else 0, **_object("args", text or "{}")}
    env_id = args["env_id"]
    if not isinstance(env_id, int) or env_id < 0:
        raise RemoteConfigError(f"args: env_id: expected an integer from 0, got {env_id!r}")
    text = _text(settings, "nsg_vector")
    if text is None:
        return WorldArgs(args, kept.vector if kept else None)
    return WorldArgs(args, _read_vector(_object("nsg_vector", text)))


def read_view(settings: Mapping[str, Any]) -> View:
    """How to see the world of join_world.

    Raises:
        RemoteConfigError: If that cannot be understood.
        UnsupportedByServerError: If it is of a later version.
    """
    text = _text(settings, "nsg_client")
    if text is None:
        return View()
    wanted = _object("nsg_client", text)
    if wanted.get("v") != VIEW_VERSION:
        raise UnsupportedByServerError(
            f"nsg_client: version {wanted.get('v')!r} is not known here, {VIEW_VERSION} is"
        )
    kind, frames = wanted.get("kind"), wanted.get("frames", False)
    if kind not in KINDS:
        raise RemoteConfigError(
            f"nsg_client: kind: expected one of {', '.join(KINDS)}, got {kind!r}"
        )
    if not isinstance(frames, bool):
        raise RemoteConfigError(f"nsg_client: frames: expected true or false, got {frames!r}")
    return View(kind, frames)


def read_reset(settings: Mapping[str, Any], num_envs: int | None) -> ResetSettings:
    """With what to begin the episode after a reset.

    Args:
        settings: Tensors by name.
        num_envs: Of a vector; None is none.

    Raises:
        ProtocolViolationError: If they cannot be understood.
    """
    if not settings:
        return ResetSettings()
    text = _text(settings, "options")
    options = None if text is None else _tagged("options", text)
    if options is not None and not isinstance(options, dict):
        raise ProtocolViolationError(f"options: expected an object, got {options!r}")
    seed = _read_seed(settings["seed"], num_envs) if "seed" in settings else None
    mask = _read_mask(settings["mask"], num_envs) if "mask" in settings else None
    return ResetSettings(seed, options, mask)


def _read_vector(wanted: dict[str, Any]) -> VectorSettings:
    num_envs, autoreset = wanted.get("num_envs"), wanted.get("autoreset", AUTORESETS[0])
    if not isinstance(num_envs, int) or isinstance(num_envs, bool) or num_envs < 1:
        raise RemoteConfigError(
            f"nsg_vector: num_envs: expected an integer from 1, got {num_envs!r}"
        )
    if autoreset not in AUTORESETS:
        raise RemoteConfigError(
            f"nsg_vector: autoreset: expected one of {', '.join(AUTORESETS)}, got {autoreset!r}"
        )
    return VectorSettings(num_envs, autoreset)


def _read_seed(tensor: Any, num_envs: int | None) -> int | list[int | None] | None:
    """A seed: INT64, or as tagged JSON what that cannot hold; a vector may have one for each."""
    value = unpack(tensor, _MAX_ELEMENTS)
    if isinstance(value, str):
        seed = _tagged("seed", value)
    elif value.dtype == np.int64:
        seed = value.tolist()
    else:
        raise ProtocolViolationError(f"seed: expected INT64 or STRING, got {value.dtype}")
    seeds = seed if isinstance(seed, list) else [seed]
    if not all(each is None or type(each) is int for each in seeds):
        raise ProtocolViolationError(f"seed: expected integers, got {seed!r}")
    if isinstance(seed, list) and len(seed) != num_envs:
        expected = "one" if num_envs is None else f"one, or {num_envs}"
        raise ProtocolViolationError(f"seed: expected {expected}, got {len(seed)}")
    return seeds if isinstance(seed, list) else seeds[0]


def _read_mask(tensor: Any, num_envs: int | None) -> NDArray[np.bool_]:
    value = unpack(tensor, _MAX_ELEMENTS)
    if isinstance(value, str) or value.dtype != np.bool_ or value.shape != (num_envs,):
        raise ProtocolViolationError(
            "mask: expected BOOL, one for each environment of a vector"
            + ("; this is none" if num_envs is None else f" ({num_envs})")
        )
    return value


def _text(settings: Mapping[str, Any], name: str) -> str | None:
    """A setting that is one string; None if it is not there."""
    if name not in settings:
        return None
    value = unpack(settings[name], _MAX_ELEMENTS)
    if not isinstance(value, str):
        raise RemoteConfigError(f"{name}: expected one STRING, got {value.dtype} {value.shape}")
    return value


def _object(name: str, text: str) -> dict[str, Any]:
    """A JSON object."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RemoteConfigError(f"{name}: no JSON: {error}") from None
    if not isinstance(value, dict):
        raise RemoteConfigError(f"{name}: expected a JSON object, got {value!r}")
    return value


def _tagged(name: str, text: str) -> Any:
    """What tagged JSON stands for."""
    try:
        return array_json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProtocolViolationError(f"{name}: no tagged JSON: {error}") from None
