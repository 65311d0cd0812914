from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from netsecgame.remote import array_json, messages
from netsecgame.remote.messages import DType, State
from netsecgame.remote.reports import Reason
from netsecgame.remote.tensors import pack
from tests.unit.remote.conversation import Conversation, tagged, whole
from tests.unit.remote.environments import Counter, Nested, Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def started(make: Callable[[], Any], kind: str | None = None, **view: bool) -> Conversation:
    return Conversation(make).start(kind, **view)


def shape_of(spec: Any) -> tuple[str, DType, list[int]]:
    return spec.name, DType(spec.dtype), list(spec.shape)


def shown(specs: Mapping[int, Any]) -> dict[int, tuple[str, DType, list[int]]]:
    return {uid: shape_of(spec) for uid, spec in specs.items()}


def doubles(value: Any) -> Any:
    return pack(value, DType.DOUBLE)


def info_in(text: str) -> Any:
    return array_json.loads(text) if text else {}


# Plain


def test_plain_world_has_observation_and_reward_with_bounds() -> None:
    specs = started(Counter).specs
    assert shown(specs.actions) == {1: ("action", DType.INT64, [])}
    assert shown(specs.observations) == {
        1: ("observation", DType.FLOAT, [2]),
        2: ("reward", DType.FLOAT, []),
    }
    for spec in specs.observations.values():
        assert spec.HasField("min")
        assert spec.HasField("max")
    assert list(specs.observations[2].min.floats.array) == [-np.inf]
    assert list(specs.observations[2].max.floats.array) == [np.inf]


def test_plain_world_tells_the_reward_range_of_a_wrapped_environment() -> None:
    def make() -> Any:
        env = Counter()
        env.reward_range = (-1, 2.5)  # type: ignore[attr-defined]
        return gymnasium.wrappers.OrderEnforcing(env)

    reward = started(make).specs.observations[2]
    assert list(reward.min.floats.array) == [-1]
    assert list(reward.max.floats.array) == [2.5]


def test_plain_world_of_a_drawing_environment_has_frames_of_now() -> None:
    conversation = started(lambda: Counter(render_mode="rgb_array"))
    rendering = conversation.specs.observations[3]
    assert shape_of(rendering) == ("rendering", DType.UINT8, [2, 3, 3])
    assert (rendering.min.uint8s.array, rendering.max.uint8s.array) == (b"\0", b"\xff")
    assert conversation.step().values[3].tolist() == np.zeros((2, 3, 3)).tolist()
    assert conversation.step({1: whole(0)}).values[3].max() == 1


def test_world_draws_only_when_a_frame_is_requested() -> None:
    conversation = started(lambda: Counter(render_mode="rgb_array"))
    conversation.env.log.clear()
    conversation.step(requested=[1, 2])
    conversation.step({1: whole(0)}, [1, 2])
    assert ("render",) not in conversation.env.log
    conversation.step({1: whole(0)}, [3])
    assert conversation.env.log[-1] == ("render",)


def test_plain_world_of_an_environment_that_draws_text_has_no_frames() -> None:
    assert sorted(started(lambda: Counter(render_mode="ansi")).specs.observations) == [1, 2]


def test_frame_of_another_shape_than_the_first_is_the_environments_mistake() -> None:
    conversation = started(lambda: Counter(render_mode="rgb_array"))
    conversation.step()
    conversation.env.render = lambda: np.zeros((1, 3, 3), np.uint8)
    told = conversation.refused(messages.step({1: whole(0)}, [3]))
    assert (told.reason, told.phase) == (Reason.ENV_RAISED, "render")
    assert "(1, 3, 3)" in told.message


@pytest.mark.parametrize(
    "frame", [np.zeros((2, 3)), np.zeros((2, 3, 3)), np.zeros((2, 3, 4), np.uint8), None]
)
def test_frame_that_is_no_picture_is_the_environments_mistake(frame: Any) -> None:
    conversation = Conversation(lambda: Counter(render_mode="rgb_array"))
    conversation.create()
    conversation.env.render = lambda: frame
    told = conversation.refused(messages.join_world(conversation.name, {}))
    assert (told.reason, told.phase) == (Reason.ENV_RAISED, "render")


# Extended, single


def test_single_world_has_everything_the_environment_says() -> None:
    specs = started(Counter, "single").specs
    assert shown(specs.actions) == {1: ("action", DType.INT64, [])}
    assert shown(specs.observations) == {
        1: ("observation", DType.FLOAT, [2]),
        2: ("reward", DType.DOUBLE, []),
        4: ("flags", DType.UINT8, []),
        5: ("info_json", DType.STRING, []),
    }


def test_single_world_step_has_the_exact_reward_and_info() -> None:
    conversation = started(lambda: Counter(ends=5), "single")
    conversation.reset(seed=whole(4))
    first = conversation.step()
    assert first.values[2].dtype == np.float64
    assert array_json.loads(first.values[5]) == {"seed": 4}
    for _ in range(3):
        stepped = conversation.step({1: whole(2)})
    assert stepped.values[2] == 0.1 * 3
    info = array_json.loads(stepped.values[5])
    assert info == {"action": 2, "text": ("ü", b"\0", float("inf"))}
    assert type(info["action"]) is np.int64


def test_single_world_empty_info_is_an_empty_text() -> None:
    assert started(Counter, "single").step().values[5] == ""


@pytest.mark.parametrize(
    ("how", "flags", "state"),
    [
        ("terminated", 1, State.TERMINATED),
        ("truncated", 2, State.INTERRUPTED),
        ("both", 3, State.TERMINATED),
    ],
)
def test_single_world_flags_tell_both_ends_apart(how: str, flags: int, state: State) -> None:
    conversation = started(lambda: Counter(ends=2, how=how), "single")
    seen = [conversation.step(actions) for actions in ({}, {1: whole(0)}, {1: whole(0)})]
    assert [stepped.values[4] for stepped in seen] == [0, 0, flags]
    assert seen[-1].state is state


def test_single_world_has_frames_only_if_the_client_wants_them() -> None:
    make = partial(Counter, render_mode="rgb_array")
    without = started(make, "single")
    assert 3 not in without.specs.observations
    assert without.env.log == []
    assert 3 in started(make, "single", frames=True).specs.observations
    assert 3 not in started(Counter, "single", frames=True).specs.observations


def test_single_world_leaves_of_a_dict_have_uids_in_the_order_of_their_names() -> None:
    specs = started(Nested, "single").specs
    assert shown(specs.actions) == {
        1000: ("action/move", DType.INT64, []),
        1001: ("action/push/0", DType.DOUBLE, [2]),
        1002: ("action/push/1", DType.INT8, [3]),
    }
    assert sorted(specs.observations) == [2, 4, 5, 1000, 1001, 1002]
    assert specs.observations[1002].name == "observation/push/1"


def test_single_world_nested_action_arrives_as_it_was_and_comes_back() -> None:
    conversation = started(Nested, "single")
    conversation.step()
    tensors = {
        1000: whole(6),
        1001: doubles([0.5, -0.25]),
        1002: pack(np.array([1, 0, 1], np.int8), DType.INT8),
    }
    values = conversation.step(tensors).values
    (action,) = conversation.env.actions
    assert conversation.env.action_space.contains(action)
    assert (values[1000], values[1001].tolist()) == (6, [0.5, -0.25])
    assert values[1002].tolist() == [1, 0, 1]


def test_single_world_part_of_an_action_missing_is_refused_by_its_uid() -> None:
    conversation = started(Nested, "single")
    conversation.step()
    told = conversation.refused(messages.step({1000: whole(6), 1001: doubles([0, 0])}, []))
    assert "1002" in told.message
    assert "action/push/1" in told.message
    assert conversation.env.actions == []


# Extended, vector


def vector(count: int = 2, mode: AutoresetMode = AutoresetMode.NEXT_STEP, **options: Any) -> Any:
    return SyncVectorEnv([partial(Counter, **options)] * count, autoreset_mode=mode)


def test_vector_world_has_num_envs_in_front_of_every_shape() -> None:
    specs = started(vector, "vector").specs
    assert shown(specs.actions) == {1: ("action", DType.INT64, [2])}
    assert shown(specs.observations) == {
        1: ("observation", DType.FLOAT, [2, 2]),
        2: ("reward", DType.DOUBLE, [2]),
        4: ("flags", DType.UINT8, [2]),
        5: ("info_json", DType.STRING, []),
    }


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
@pytest.mark.parametrize("how", ["terminated", "truncated", "both"])
def test_vector_world_equals_the_vector_itself_step_by_step(how: str, mode: AutoresetMode) -> None:
    make = partial(vector, 3, mode, ends=2, how=how)
    conversation, local = started(make, "vector"), make()
    conversation.reset(seed=whole(9))
    stepped = conversation.step()
    observation, info = local.reset(seed=9)
    assert stepped.values[1].tolist() == observation.tolist()
    assert repr(info_in(stepped.values[5])) == repr(info)
    generator = np.random.default_rng(1)
    for _ in range(7):
        actions = generator.integers(0, 3, 3)
        state, values = conversation.step({1: whole(actions)})
        observation, reward, terminated, truncated, info = local.step(actions)
        assert state is State.RUNNING
        assert values[1].tolist() == observation.tolist()
        assert values[2].tolist() == reward.tolist()
        assert (values[4] & 1).tolist() == terminated.tolist()
        assert (values[4] >> 1).tolist() == truncated.tolist()
        assert repr(info_in(values[5])) == repr(info)


def test_vector_world_resets_only_the_environments_of_the_mask() -> None:
    conversation = started(partial(vector, 2, AutoresetMode.DISABLED, ends=9), "vector")
    conversation.step()
    conversation.step({1: whole([0, 0])})
    conversation.reset(mask=pack(np.array([False, True]), DType.BOOL), options=tagged({"a": 1}))
    assert conversation.step().values[1][:, 0].tolist() == [1, 0]
    first, second = conversation.env.envs
    assert [entry[0] for entry in first.log] == ["reset", "step"]
    assert second.log[-1] == ("reset", None, {"a": 1})


def test_vector_world_made_anew_is_reset_as_a_whole() -> None:
    conversation = started(partial(vector, 2, AutoresetMode.DISABLED), "vector")
    conversation.env.envs[1].failing["reset"] = ValueError("always")
    mask = pack(np.array([False, True]), DType.BOOL)
    conversation.reset(mask=mask)
    assert conversation.refused(messages.step({}, [1])).phase == "reset"
    conversation.reset(mask=mask)
    assert conversation.step().values[1][:, 0].tolist() == [0, 0]
    assert len(conversation.made) == 2


def test_vector_world_takes_a_seed_for_each_environment() -> None:
    conversation = started(vector, "vector")
    conversation.reset(seed=whole([4, 8]))
    conversation.step()
    conversation.reset(seed=tagged([None, 5]))
    conversation.step()
    logs = [[entry[1] for entry in env.log] for env in conversation.env.envs]
    assert logs == [[4, None], [8, 5]]


@pytest.mark.parametrize("mask", [[True], [True, True, True]])
def test_vector_world_mask_of_another_length_is_refused(mask: list[bool]) -> None:
    conversation = started(vector, "vector")
    request = messages.reset({"mask": pack(np.array(mask), DType.BOOL)})
    assert "(2)" in conversation.refused(request).message


def test_vector_world_action_outside_its_space_is_refused() -> None:
    conversation = started(vector, "vector")
    conversation.step()
    assert conversation.reason(messages.step({1: whole([0, 3])}, [])) is Reason.BAD_ACTION


def test_vector_world_has_the_frames_of_all_environments() -> None:
    conversation = started(partial(vector, render_mode="rgb_array"), "vector", frames=True)
    assert shape_of(conversation.specs.observations[3]) == ("rendering", DType.UINT8, [2, 2, 3, 3])
    conversation.step()
    frames = conversation.step({1: whole([0, 0])}).values[3]
    assert frames.shape == (2, 2, 3, 3)
    assert frames.min() == 1


# Extended, parallel


def test_parallel_world_has_everything_of_every_agent_in_the_order_of_names() -> None:
    specs = started(Pair, "parallel").specs
    assert shown(specs.actions) == {
        1000: ("a/action", DType.INT64, []),
        1001: ("b/action", DType.FLOAT, [2]),
    }
    names = [specs.observations[uid].name for uid in sorted(specs.observations)]
    assert names == [
        "a/flags",
        "a/info_json",
        "a/observation/mask",
        "a/observation/x",
        "a/reward",
        "b/flags",
        "b/info_json",
        "b/observation",
        "b/reward",
    ]
    assert min(specs.observations) == 1000


def steer(value: float) -> Any:
    return pack(np.full(2, value, np.float32), DType.FLOAT)


def test_parallel_world_agents_that_are_gone_are_absent() -> None:
    conversation = started(Pair, "parallel")
    uid = conversation.uids()
    conversation.reset(seed=whole(3), options=tagged({"k": 1}))
    first = conversation.step()
    assert conversation.env.log == [("reset", 3, {"k": 1})]
    assert set(first.values) == set(uid.values())
    assert array_json.loads(first.values[uid["b/info_json"]]) == {"seed": 3}
    assert (first.values[uid["a/reward"]], first.values[uid["a/flags"]]) == (0, 0)
    second = conversation.step({1000: whole(1), 1001: steer(0.5)})
    assert second.state is State.RUNNING
    assert (second.values[uid["a/reward"]], second.values[uid["a/flags"]]) == (1.25, 1)
    assert (second.values[uid["b/reward"]], second.values[uid["b/flags"]]) == (1.5, 0)
    assert second.values[uid["a/observation/x"]] == 1
    third = conversation.step({1001: steer(0.5)})
    assert set(third.values) == {uid[name] for name in uid if name.startswith("b/")}
    assert third.values[uid["b/observation"]].tolist() == [2]


@pytest.mark.parametrize(
    ("how", "state"), [("terminated", State.TERMINATED), ("truncated", State.INTERRUPTED)]
)
def test_parallel_world_episode_ends_with_its_last_agent(how: str, state: State) -> None:
    conversation = started(partial(Pair, how), "parallel")
    conversation.step()
    conversation.step({1000: whole(1), 1001: steer(0)})
    assert conversation.step({1001: steer(0)}).state is State.RUNNING
    assert conversation.step({1001: steer(0)}).state is state
    again = conversation.step()
    assert again.state is State.RUNNING
    assert conversation.uids()["a/reward"] in again.values


def test_parallel_world_agent_alive_without_an_action_is_refused() -> None:
    conversation = started(Pair, "parallel")
    conversation.step()
    told = conversation.refused(messages.step({1000: whole(1)}, []))
    assert told.reason is Reason.BAD_TENSOR
    assert "1001 (b/action)" in told.message
    assert [entry[0] for entry in conversation.env.log] == ["reset"]


def test_parallel_world_action_of_an_agent_that_is_gone_is_for_the_environment_to_judge() -> None:
    conversation = started(Pair, "parallel")
    conversation.step()
    conversation.step({1000: whole(1), 1001: steer(0)})
    conversation.step({1000: whole(0), 1001: steer(0)})
    assert sorted(conversation.env.log[-1][1]) == ["a", "b"]


def test_parallel_world_action_of_one_outside_its_space_is_refused_by_its_uid() -> None:
    conversation = started(Pair, "parallel")
    conversation.step()
    told = conversation.refused(messages.step({1000: whole(1), 1001: steer(7)}, []))
    assert told.reason is Reason.BAD_ACTION
    assert "1001" in told.message


def test_parallel_world_agent_nobody_heard_of_is_the_environments_mistake() -> None:
    conversation = started(Pair, "parallel")
    conversation.env.possible_agents = ["b", "a", "c"]
    conversation.env._observations = lambda: {"c": 1}
    told = conversation.refused(messages.step({}, []))
    assert (told.reason, told.phase) == (Reason.ENV_RAISED, "reset")
    assert "'c'" in told.message


def test_parallel_world_with_agents_that_are_no_strings_is_not_made() -> None:
    class Numbered(Pair):
        def __init__(self) -> None:
            super().__init__()
            self.possible_agents = [1]  # type: ignore[list-item]

    conversation = Conversation(Numbered)
    told = conversation.refused(messages.create_world({}))
    assert (told.reason, told.phase) == (Reason.ENV_RAISED, "constructor")


def test_parallel_world_has_frames_if_the_client_wants_them() -> None:
    conversation = started(partial(Pair, render_mode="rgb_array"), "parallel", frames=True)
    assert conversation.step().values[3].shape == (2, 2, 3)


class Odd(spaces.Space[Any]):
    """A space of somebody's own."""


@pytest.mark.parametrize("kind", [None, "single"])
def test_world_of_a_space_that_nobody_knows_is_refused(kind: str | None) -> None:
    def make() -> Counter:
        env = Counter()
        env.observation_space = Odd()
        return env

    conversation = Conversation(make)
    conversation.create()
    with pytest.raises(AssertionError, match="12"):
        conversation.join(kind)
