from __future__ import annotations

import json
import zlib
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from netsecgame.remote import array_json, messages
from netsecgame.remote.reports import Reason
from netsecgame.remote.session import SessionOptions
from netsecgame.remote.space_json import space_from_json
from tests.unit.remote.conversation import Conversation, whole
from tests.unit.remote.environments import Counter, Pair

EXPOSED = SessionOptions(exposed_attributes=("secret", "broken_attribute", "nobody", "log"))


def listed(conversation: Conversation, key: str = "") -> list[str]:
    inner = messages.property_response_of(conversation.send(messages.list_property(key)))
    assert inner is not None
    specs = list(inner.list_property.values)
    assert all(each.is_readable and not each.is_writable for each in specs)
    return [each.spec.name for each in specs]


def described(make: Any, args: dict[str, Any] | None = None) -> dict[str, Any]:
    conversation = Conversation(make)
    conversation.create(args)
    description: dict[str, Any] = json.loads(conversation.read("describe"))
    return description


def test_describe_tells_all_that_a_client_needs() -> None:
    env = Counter()
    description = described(Counter, {"env_id": 12})
    assert space_from_json(description.pop("observation_space")) == env.observation_space
    assert space_from_json(description.pop("action_space")) == env.action_space
    assert array_json.untag(description.pop("metadata")) == Counter.metadata
    assert description == {
        "version": 1,
        "kind": "single",
        "env_id": 12,
        "agents": None,
        "spec": None,
        "reward_range": None,
        "render_mode": None,
    }


def test_describe_registered_environment_has_its_id_and_limit() -> None:
    description = described(lambda: gymnasium.make("CartPole-v1", render_mode="rgb_array"))
    assert description["spec"] == {"id": "CartPole-v1", "max_episode_steps": 500}
    assert description["render_mode"] == "rgb_array"


def test_describe_environment_with_a_reward_range_tells_it() -> None:
    def make() -> Counter:
        env = Counter()
        env.reward_range = (-np.inf, 3)  # type: ignore[attr-defined]
        return env

    assert array_json.untag(described(make)["reward_range"]) == (-np.inf, 3)


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        (AutoresetMode.NEXT_STEP, "next_step"),
        (AutoresetMode.SAME_STEP, "same_step"),
        (AutoresetMode.DISABLED, "disabled"),
    ],
)
def test_describe_vector_has_the_spaces_of_one_and_its_mode(mode: AutoresetMode, name: str) -> None:
    description = described(lambda: SyncVectorEnv([Counter] * 3, autoreset_mode=mode))
    assert (description["kind"], description["num_envs"]) == ("vector", 3)
    assert description["autoreset"] == name
    assert space_from_json(description["action_space"]) == Counter().action_space
    assert array_json.untag(description["metadata"]) == Counter.metadata


def test_describe_parallel_has_spaces_by_agent() -> None:
    env, description = Pair(), described(Pair)
    assert (description["kind"], description["agents"]) == ("parallel", ["b", "a"])
    for agent in env.possible_agents:
        assert space_from_json(description["action_space"][agent]) == env.action_space(agent)
        observed = space_from_json(description["observation_space"][agent])
        assert observed == env.observation_space(agent)


def test_frame_is_the_one_of_now() -> None:
    conversation = Conversation(lambda: Counter(render_mode="rgb_array")).start("single")
    assert conversation.reason(messages.read_property("frame")) is Reason.BAD_STATE
    conversation.step()
    assert conversation.read("frame").tolist() == np.zeros((2, 3, 3)).tolist()
    conversation.step({1: whole(0)})
    frame = conversation.read("frame")
    assert (frame.dtype, frame.shape, frame.max()) == (np.uint8, (2, 3, 3), 1)


@pytest.mark.parametrize("mode", [None, "ansi"])
@pytest.mark.parametrize("key", ["frame", "frame.png"])
def test_frame_of_an_environment_that_draws_none_is_refused(key: str, mode: str | None) -> None:
    conversation = Conversation(lambda: Counter(render_mode=mode)).start("single")
    conversation.step()
    told = conversation.refused(messages.read_property(key))
    assert told.reason is Reason.UNIMPLEMENTED
    assert repr(mode) in told.message


def test_frame_that_cannot_be_drawn_does_not_end_the_episode() -> None:
    conversation = Conversation(lambda: Counter(render_mode="rgb_array")).start("single")
    conversation.step()
    conversation.env.failing["render"] = ValueError("no colours left")
    told = conversation.refused(messages.read_property("frame"))
    assert (told.reason, told.phase) == (Reason.ENV_RAISED, "render")
    assert conversation.step({1: whole(0)}).values[1][0] == 1


def test_frame_png_is_the_frame_as_a_file() -> None:
    conversation = Conversation(lambda: Counter(render_mode="rgb_array")).start("single")
    conversation.step()
    conversation.step({1: whole(0)})
    png = conversation.read("frame.png").tobytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))
    assert (width, height) == (3, 2)
    data = png[png.index(b"IDAT") + 4 : png.index(b"IEND") - 8]
    assert zlib.decompress(data) == 2 * (b"\0" + b"\1" * 9)


def test_frame_png_of_a_vector_is_one_column() -> None:
    make = partial(SyncVectorEnv, [partial(Counter, render_mode="rgb_array")] * 4)
    conversation = Conversation(make).start("vector")
    conversation.step()
    assert conversation.read("frame").shape == (4, 2, 3, 3)
    png = conversation.read("frame.png").tobytes()
    assert int.from_bytes(png[20:24], "big") == 8


def test_attribute_that_is_exposed_is_read_through_wrappers() -> None:
    def make() -> Any:
        return gymnasium.wrappers.OrderEnforcing(Counter())

    conversation = Conversation(make, EXPOSED).start("single")
    assert array_json.loads(conversation.read("attr/secret")) == {"numbers": (1, 2)}


def test_attribute_of_a_vector_is_that_of_each_environment() -> None:
    conversation = Conversation(lambda: SyncVectorEnv([Counter] * 2), EXPOSED).start("vector")
    assert array_json.loads(conversation.read("attr/secret")) == ({"numbers": (1, 2)},) * 2
    assert conversation.reason(messages.read_property("attr/nobody")) is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("attr/action_space", Reason.NOT_ALLOWED),
        ("attr/", Reason.NOT_ALLOWED),
        ("attr/nobody", Reason.NOT_FOUND),
        ("attr/broken_attribute", Reason.ENV_RAISED),
        ("nothing", Reason.NOT_FOUND),
        ("", Reason.NOT_FOUND),
    ],
)
def test_property_that_cannot_be_read_is_refused(key: str, reason: Reason) -> None:
    conversation = Conversation(Counter, EXPOSED).start()
    assert conversation.reason(messages.read_property(key)) is reason


def test_attribute_of_a_parallel_environment_is_read() -> None:
    conversation = Conversation(Pair, EXPOSED).start("parallel")
    assert array_json.loads(conversation.read("attr/log")) == []


def test_list_names_what_can_be_read() -> None:
    plain = Conversation(Counter).start()
    assert listed(plain) == ["describe"]
    drawing = Conversation(lambda: Counter(render_mode="rgb_array"), EXPOSED).start()
    attributes = [f"attr/{name}" for name in EXPOSED.exposed_attributes]
    assert listed(drawing) == ["describe", "frame", "frame.png", *attributes]
    assert listed(drawing, "attr") == attributes
    assert listed(drawing, "describe") == []
    assert drawing.reason(messages.list_property("nothing")) is Reason.NOT_FOUND


def test_request_about_properties_that_says_nothing_is_refused() -> None:
    request = messages.parse_request(messages.list_property(""))
    request.extension.value = b""
    conversation = Conversation(Counter).start()
    assert conversation.reason(messages.serialize(request)) is Reason.UNIMPLEMENTED
