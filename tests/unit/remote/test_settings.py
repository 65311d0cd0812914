from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from netsecgame.errors import (
    ProtocolViolationError,
    RemoteConfigError,
    UnsupportedByServerError,
)
from netsecgame.remote.messages import DType
from netsecgame.remote.settings import (
    ResetSettings,
    VectorSettings,
    View,
    WorldArgs,
    read_reset,
    read_view,
    read_world_args,
)
from netsecgame.remote.tensors import pack
from tests.unit.remote.conversation import tagged, text, whole, world_settings

KEPT = WorldArgs({"env_id": 4, "entrypoint": "x.py"}, VectorSettings(2, "disabled"))


def test_world_args_without_settings_are_those_kept() -> None:
    assert read_world_args({}) == WorldArgs({"env_id": 0})
    assert read_world_args({}, KEPT) == KEPT


def test_world_args_of_reset_world_replace_those_kept() -> None:
    assert read_world_args(world_settings({"reference": "v1"}), KEPT) == WorldArgs(
        {"env_id": 4, "reference": "v1"}, KEPT.vector
    )
    assert read_world_args(world_settings(None, {"num_envs": 3}), KEPT) == WorldArgs(
        KEPT.args, VectorSettings(3, "next_step")
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"args": text("{")},
        {"args": text("[" * 100_000)},
        {"args": text("7")},
        {"args": whole(7)},
        {"args": pack(np.array(["{}", "{}"], object), DType.STRING)},
        world_settings({"env_id": -1}),
        world_settings({"env_id": "0"}),
        world_settings({}, []),
        world_settings({}, {}),
        world_settings({}, {"num_envs": 0}),
        world_settings({}, {"num_envs": True}),
        world_settings({}, {"num_envs": 2.0}),
        world_settings({}, {"num_envs": 2, "autoreset": "NextStep"}),
    ],
)
def test_world_args_that_cannot_be_read_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(RemoteConfigError, match=r"args|nsg_vector"):
        read_world_args(settings)


def test_view_without_a_wish_is_plain() -> None:
    assert read_view({}) == View(None, has_frames=False)


@pytest.mark.parametrize("kind", ["single", "vector", "parallel"])
@pytest.mark.parametrize("frames", [True, False])
def test_view_is_as_wished(kind: str, frames: bool) -> None:
    wish = {"v": 1, "kind": kind, "frames": frames, "later": "ignored"}
    assert read_view({"nsg_client": text(json.dumps(wish))}) == View(kind, frames)


def test_view_of_a_later_version_is_unknown() -> None:
    with pytest.raises(UnsupportedByServerError, match="version 2"):
        read_view({"nsg_client": text('{"v": 2, "kind": "single"}')})


@pytest.mark.parametrize("wish", ["{}", '{"v": 1}', '{"v": 1, "kind": ["single"]}', "null"])
def test_view_that_cannot_be_read_is_refused(wish: str) -> None:
    with pytest.raises((RemoteConfigError, UnsupportedByServerError), match="nsg_client"):
        read_view({"nsg_client": text(wish)})


def test_reset_without_settings_is_an_ordinary_one() -> None:
    assert read_reset({}, None) == ResetSettings(None, None, None)
    assert read_reset({"mood": text("good")}, None) == ResetSettings(None, None, None)


@pytest.mark.parametrize(
    ("tensor", "num_envs", "seed"),
    [
        (whole(-3), None, -3),
        (whole(5), 2, 5),
        (whole([5, 6]), 2, [5, 6]),
        (whole([5]), 1, [5]),
        (tagged(2**80), None, 2**80),
        (tagged([None, 2**80]), 2, [None, 2**80]),
        (tagged(None), None, None),
    ],
)
def test_reset_seed_is_read(tensor: Any, num_envs: int | None, seed: Any) -> None:
    assert read_reset({"seed": tensor}, num_envs).seed == seed


@pytest.mark.parametrize(
    ("tensor", "num_envs"),
    [
        (whole([5]), None),
        (whole([5, 6, 7]), 2),
        (whole([[5], [6]]), 2),
        (tagged(True), None),
        (tagged("7"), None),
        (tagged([1, "2"]), 2),
        (pack(1.0, DType.DOUBLE), None),
        (pack(np.array(["1", "2"], object), DType.STRING), 2),
    ],
)
def test_reset_seed_that_is_none_is_refused(tensor: Any, num_envs: int | None) -> None:
    with pytest.raises(ProtocolViolationError, match="seed"):
        read_reset({"seed": tensor}, num_envs)


def test_reset_options_are_tagged_json() -> None:
    options = {"a": (1, 2), "b": np.arange(2)}
    read = read_reset({"options": tagged(options)}, None).options
    assert read is not None
    assert read["a"] == (1, 2)
    assert read["b"].tolist() == [0, 1]
    assert read_reset({"options": tagged(None)}, None).options is None


@pytest.mark.parametrize(
    ("tensor", "num_envs"),
    [
        (pack([True], DType.BOOL), None),
        (pack(True, DType.BOOL), 1),
        (pack([True, False], DType.BOOL), 3),
        (whole([1, 0]), 2),
        (text("[true, false]"), 2),
    ],
)
def test_reset_mask_that_is_none_is_refused(tensor: Any, num_envs: int | None) -> None:
    with pytest.raises(ProtocolViolationError, match="mask"):
        read_reset({"mask": tensor}, num_envs)


def test_settings_that_would_be_huge_are_refused_before_anything_is_allocated() -> None:
    mask = pack(True, DType.BOOL)
    mask.shape.append(1 << 27)
    with pytest.raises(ProtocolViolationError, match="at most"):
        read_reset({"mask": mask}, 4)
