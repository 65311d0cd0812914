from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from gymnasium import spaces

from netsecgame.errors import (
    EntrypointError,
    NotAllowedError,
    ProtocolViolationError,
    RemoteConfigError,
)
from netsecgame.remote import messages
from netsecgame.remote.messages import Kind, State
from netsecgame.remote.reports import Reason
from netsecgame.remote.session import SessionOptions
from netsecgame.remote.settings import VectorSettings, WorldArgs
from tests.unit.remote.conversation import (
    Conversation,
    RefusedError,
    create_request,
    join_request,
    tagged,
    text,
    whole,
    world_settings,
)
from tests.unit.remote.environments import Counter, Pair

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "nsg1:0"


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def unknown_extension() -> bytes:
    request = messages.EnvironmentRequest()
    request.extension.type_url = "type.googleapis.com/somebody.Else"
    return messages.serialize(request)


def write_property() -> bytes:
    inner = messages.PropertyRequest()
    inner.write_property.key = "describe"
    inner.write_property.value.CopyFrom(text("x"))
    request = messages.parse_request(messages.list_property(""))
    request.extension.value = inner.SerializeToString()
    return messages.serialize(request)


REQUESTS: dict[str, bytes] = {
    "create_world": create_request({}),
    "join_world": join_request(NAME),
    "reset": messages.reset({}),
    "step": messages.step({}, [1]),
    "leave_world": messages.leave_world(),
    "reset_world": messages.reset_world(NAME, {}),
    "destroy_world": messages.destroy_world(NAME),
    "extension": messages.read_property("describe"),
    "join_world of another": join_request("nsg1:1"),
    "reset_world of another": messages.reset_world("nsg1:1", {}),
    "destroy_world of another": messages.destroy_world("nsg1:1"),
    "unknown extension": unknown_extension(),
    "write_property": write_property(),
}
#: The code of each answer without a world, with one, and joined; 0 is no error.
TABLE = {
    "create_world": (0, 9, 9),
    "join_world": (5, 0, 9),
    "reset": (9, 9, 0),
    "step": (9, 9, 0),
    "leave_world": (0, 0, 0),
    "reset_world": (5, 0, 0),
    "destroy_world": (5, 0, 9),
    "extension": (12, 0, 0),
    "join_world of another": (5, 5, 5),
    "reset_world of another": (5, 5, 5),
    "destroy_world of another": (5, 5, 5),
    "unknown extension": (12, 12, 12),
    "write_property": (12, 12, 12),
}


def conversation_in(state: str, make: Callable[[], Any] = Counter) -> Conversation:
    conversation = Conversation(make)
    if state != "no world":
        conversation.create()
    if state == "joined":
        conversation.join()
    return conversation


@pytest.mark.parametrize("state", ["no world", "world made", "joined"])
@pytest.mark.parametrize("name", REQUESTS)
def test_session_request_in_each_state_is_answered_as_the_table_says(name: str, state: str) -> None:
    code = TABLE[name][["no world", "world made", "joined"].index(state)]
    conversation = conversation_in(state)
    if code:
        assert conversation.refused(REQUESTS[name]).code == code
        assert conversation.refused(REQUESTS[name]).message
    else:
        response = conversation.send(REQUESTS[name])
        assert response.WhichOneof("payload") == name


def test_session_refused_request_leaves_everything_as_it_was() -> None:
    conversation = conversation_in("joined")
    conversation.step()
    for name, (_, _, code) in TABLE.items():
        if code:
            conversation.refused(REQUESTS[name])
    assert conversation.step({1: whole(1)}).values[1].tolist() == [1, -0.5]
    assert len(conversation.made) == 1


@pytest.mark.parametrize(
    "request_bytes",
    [b"", b"\x0a", b"\xff" * 40, b"\x1a\x02\x08", b"\x82\x01\x00", messages.reset({}) * 2],
    ids=["empty", "cut", "noise", "broken inside", "an error", "two in one"],
)
def test_session_bytes_that_are_no_request_are_answered_with_an_error(request_bytes: bytes) -> None:
    conversation = conversation_in("joined")
    assert conversation.reason(request_bytes) is Reason.BAD_TENSOR
    assert conversation.step().state is State.RUNNING


# Creating


def test_session_create_hands_the_arguments_to_the_maker() -> None:
    conversation = Conversation(Counter)
    name = conversation.create({"env_id": 7, "entrypoint": "x.py"})
    assert name == "nsg1:7"
    assert conversation.asked == [WorldArgs({"env_id": 7, "entrypoint": "x.py"}, None)]


def test_session_create_without_settings_makes_environment_zero() -> None:
    conversation = Conversation(Counter)
    assert conversation.create() == NAME
    assert conversation.asked == [WorldArgs({"env_id": 0}, None)]


def test_session_create_of_a_vector_hands_its_settings_to_the_maker() -> None:
    conversation = Conversation(Counter)
    conversation.create({}, {"num_envs": 64, "autoreset": "same_step"})
    assert conversation.asked[0].vector == VectorSettings(64, "same_step")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ZeroDivisionError("by zero"), Reason.ENV_RAISED),
        (SystemExit(3), Reason.ENV_RAISED),
        (EntrypointError("no such file"), Reason.ENTRYPOINT),
        (NotAllowedError("not you"), Reason.NOT_ALLOWED),
        (RemoteConfigError("no"), Reason.BAD_ARGS),
        (ProtocolViolationError("a second commit"), Reason.BAD_STATE),
    ],
)
def test_session_create_that_fails_says_why_and_can_be_tried_again(
    error: BaseException, reason: Reason
) -> None:
    def fail() -> Any:
        raise error

    conversation = Conversation(fail)
    told = conversation.refused(create_request({}))
    assert (told.reason, told.message) == (reason, str(error))
    assert told.phase == ("constructor" if reason is Reason.ENV_RAISED else "")
    conversation.make = Counter
    assert conversation.create() == NAME


def test_session_create_of_no_environment_is_refused() -> None:
    told = Conversation(lambda: 7).refused(create_request({}))
    assert told.reason is Reason.ENTRYPOINT
    assert "'int'" in told.message


# Episodes


def test_session_reset_answers_the_specs_byte_by_byte() -> None:
    conversation = conversation_in("world made")
    joined = conversation.session.handle(REQUESTS["join_world"])
    reset = conversation.session.handle(REQUESTS["reset"])
    specs = messages.parse_response(joined).join_world.specs
    assert specs.ByteSize() > 50
    # What differs is the number of the field around them.
    assert reset[1:] == joined[1:]
    assert messages.kind_of(reset) is Kind.RESET


def test_session_episode_begins_at_the_step_after_join_reset_and_end() -> None:
    conversation = conversation_in("joined", lambda: Counter(ends=2))
    seen = []
    for request in ["first", 0, 1, "after the end", 2, "reset", 0]:
        if request == "reset":
            conversation.reset()
        stepped = conversation.step({} if isinstance(request, str) else {1: whole(request)})
        seen.append((stepped.state, stepped.values[1][0], stepped.values[2]))
    running, over = State.RUNNING, State.TERMINATED
    assert seen == [
        (running, 0, 0),
        (running, 1, np.float32(0.1)),
        (over, 2, np.float32(0.2)),
        (running, 0, 0),
        (running, 1, np.float32(0.1)),
        (running, 0, 0),
        (running, 1, np.float32(0.1)),
    ]
    assert [entry[0] for entry in conversation.env.log].count("reset") == 3


def test_session_first_step_ignores_its_actions() -> None:
    conversation = conversation_in("joined")
    conversation.step({99: whole(1)})
    assert conversation.env.log == [("reset", None, None)]


@pytest.mark.parametrize(
    ("how", "state"),
    [
        ("terminated", State.TERMINATED),
        ("truncated", State.INTERRUPTED),
        ("both", State.TERMINATED),
    ],
)
def test_session_end_of_each_kind_has_its_state(how: str, state: State) -> None:
    conversation = conversation_in("joined", lambda: Counter(ends=1, how=how))
    conversation.step()
    assert conversation.step({1: whole(0)}).state is state
    assert conversation.step({1: whole(0)}).state is State.RUNNING


def test_session_step_answers_only_what_was_requested() -> None:
    conversation = conversation_in("joined")
    assert conversation.step(requested=[]).values == {}
    assert list(conversation.step({1: whole(0)}, [2, 2]).values) == [2]
    assert list(conversation.step({1: whole(0)}, [1]).values) == [1]


@pytest.mark.parametrize(
    ("actions", "requested", "uid", "reason"),
    [
        ({}, [1], "1", Reason.BAD_TENSOR),
        ({1: whole(0), 77: whole(0)}, [1], "77", Reason.BAD_TENSOR),
        ({1: text("0")}, [1], "1", Reason.BAD_TENSOR),
        ({1: whole([0])}, [1], "1", Reason.BAD_TENSOR),
        ({1: whole(3)}, [1], "1", Reason.BAD_ACTION),
        ({1: whole(0)}, [1, 66], "66", Reason.BAD_TENSOR),
    ],
    ids=["missing", "unknown", "dtype", "shape", "outside", "unknown observation"],
)
def test_session_step_with_a_wrong_tensor_is_refused_and_no_step(
    actions: dict[int, Any], requested: list[int], uid: str, reason: Reason
) -> None:
    conversation = conversation_in("joined")
    conversation.step()
    told = conversation.refused(messages.step(actions, requested))
    assert (told.code, told.reason) == (3, reason)
    assert uid in told.message
    assert conversation.env.log == [("reset", None, None)]
    assert conversation.step({1: whole(0)}).values[1][0] == 1


def test_session_unknown_observation_in_a_first_step_is_refused_and_begins_nothing() -> None:
    conversation = conversation_in("joined")
    assert "66" in conversation.refused(messages.step({}, [66])).message
    assert conversation.env.log == []


def test_session_without_check_of_actions_lets_the_environment_judge() -> None:
    conversation = Conversation(Counter, SessionOptions(check_actions=False)).start()
    conversation.step()
    conversation.step({1: whole(30)})
    assert conversation.env.log[-1] == ("step", 30)


def test_session_reset_settings_reach_the_environment_once() -> None:
    conversation = conversation_in("joined", lambda: Counter(ends=1))
    options = {"a": (1, b"x"), "b": np.arange(3)}
    conversation.reset(seed=whole(11), options=tagged(options))
    conversation.step()
    conversation.step({1: whole(0)})
    conversation.step()
    (_, seed, reached), _, later = conversation.env.log
    assert seed == 11
    assert type(seed) is int
    assert reached["a"] == (1, b"x")
    assert reached["b"].tolist() == [0, 1, 2]
    assert later == ("reset", None, None)


@pytest.mark.parametrize(
    "settings",
    [
        {"seed": tagged(1.5)},
        {"seed": whole([1, 2])},
        {"seed": text("no json")},
        {"options": tagged([1])},
        {"options": text('{"$nope": 1}')},
        {"mask": whole([1])},
    ],
    ids=["float seed", "many seeds", "no json", "list", "unknown tag", "mask"],
)
def test_session_reset_with_wrong_settings_is_refused(settings: dict[str, Any]) -> None:
    conversation = conversation_in("joined")
    assert conversation.refused(messages.reset(settings)).code == 3
    assert conversation.env.log == []


def test_session_seed_beyond_int64_arrives_as_tagged_json() -> None:
    conversation = conversation_in("joined")
    conversation.reset(seed=tagged(2**70))
    conversation.step()
    assert conversation.env.log == [("reset", 2**70, None)]


def test_session_step_known_from_before_is_what_it_was_the_first_time() -> None:
    conversation = conversation_in("joined", lambda: Counter(ends=4))
    conversation.step()
    seen = [conversation.step({1: whole(2)}, [1]) for _ in range(3)]
    assert [stepped.values[1][0] for stepped in seen] == [1, 2, 3]
    assert conversation.step({1: whole(2)}, [2]).state is State.TERMINATED
    assert conversation.step({1: whole(2)}, [1]).values[1][0] == 0
    assert list(conversation.step({1: whole(2)}, [1]).values) == [1]
    entries = conversation.env.log[1:]
    assert [entry[0] for entry in entries] == ["step"] * 4 + ["reset", "step"]
    assert {type(entry[1]) for entry in entries if entry[0] == "step"} == {np.int64}


def test_session_steps_known_from_before_answer_what_each_requested() -> None:
    conversation = conversation_in("joined", lambda: Counter(ends=9))
    conversation.step()
    for _ in range(3):
        for uids in ([1], [2], [1, 2]):
            assert sorted(conversation.step({1: whole(2)}, uids).values) == uids


def test_session_step_known_from_before_is_refused_where_steps_are() -> None:
    conversation = conversation_in("joined")
    request = messages.step({1: whole(1)}, [1])
    for _ in range(2):
        conversation.send(request)
    conversation.env.failing["step"] = ValueError("once")
    assert conversation.reason(request) is Reason.ENV_RAISED
    assert conversation.reason(request) is Reason.BAD_STATE
    conversation.env.failing.clear()
    conversation.reset()
    for _ in range(2):
        conversation.send(request)
    conversation.send(messages.leave_world())
    assert conversation.reason(request) is Reason.BAD_STATE


def test_session_steps_after_reset_world_go_to_the_new_environment() -> None:
    conversation = conversation_in("joined")
    request = messages.step({1: whole(1)}, [1])
    for _ in range(2):
        conversation.send(request)
    conversation.make = lambda: Counter(ends=1)
    conversation.send(messages.reset_world(NAME, {}))
    conversation.send(request)
    assert conversation.send(request).step.state == State.TERMINATED


# What the environment raises


@pytest.mark.parametrize(
    ("error", "type_name", "message"),
    [
        (ValueError("of its own"), "ValueError", "of its own"),
        (ProtocolViolationError("inner"), "ProtocolViolationError", "inner"),
        (SystemExit(2), "SystemExit", "2"),
        (UnprintableError(), "UnprintableError", "(an exception without a text)"),
        (KeyError(), "KeyError", "(no text)"),
    ],
)
def test_session_step_that_raises_is_told_with_type_text_and_phase(
    error: Exception, type_name: str, message: str
) -> None:
    conversation = conversation_in("joined")
    conversation.step()
    conversation.env.failing["step"] = error
    told = conversation.refused(messages.step({1: whole(0)}, [1]))
    assert (told.code, told.reason, told.phase) == (2, Reason.ENV_RAISED, "step")
    assert (told.type_name, told.message) == (type_name, message)
    assert told.traceback is None


def test_session_error_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    conversation = conversation_in("joined")
    conversation.env.failing["reset"] = ValueError("of its own")
    with caplog.at_level(logging.WARNING):
        assert conversation.refused(REQUESTS["step"]).phase == "reset"
    assert "environments.py" in caplog.text
    assert "of its own" in caplog.text


def test_session_that_may_tell_tracebacks_tells_them() -> None:
    options = SessionOptions(traceback_to_client=True)
    conversation = Conversation(Counter, options).start()
    conversation.env.failing["reset"] = ValueError("of its own")
    assert "environments.py" in str(conversation.refused(REQUESTS["step"]).traceback)


def test_session_after_a_raise_steps_wait_for_a_reset() -> None:
    conversation = conversation_in("joined")
    conversation.step()
    conversation.env.failing["step"] = ValueError("once")
    conversation.refused(messages.step({1: whole(0)}, [1]))
    conversation.env.failing.clear()
    told = conversation.refused(messages.step({1: whole(0)}, [1]))
    assert (told.code, told.reason) == (9, Reason.BAD_STATE)
    conversation.reset()
    assert conversation.step().values[1][0] == 0
    assert len(conversation.made) == 1
    assert [entry[0] for entry in conversation.env.log] == ["reset", "step", "reset"]


def test_session_reset_that_raises_twice_makes_the_environment_anew() -> None:
    conversation = conversation_in("joined")
    conversation.env.failing["reset"] = ValueError("always")
    assert conversation.refused(REQUESTS["step"]).phase == "reset"
    assert len(conversation.made) == 1
    conversation.reset(seed=whole(5))
    assert conversation.step().values[1][0] == 0
    first, second = conversation.made
    assert first.log[-1] == ("close",)
    assert second.log == [("reset", 5, None)]
    assert conversation.step({1: whole(0)}).values[1][0] == 1


def test_session_environment_that_cannot_be_made_anew_is_tried_again_at_each_reset() -> None:
    conversation = conversation_in("joined")
    conversation.env.failing["reset"] = ValueError("always")

    def fail() -> Any:
        raise OSError("no such device")

    conversation.make = fail
    conversation.refused(REQUESTS["step"])
    conversation.reset()
    assert conversation.refused(REQUESTS["step"]).phase == "constructor"
    assert conversation.reason(REQUESTS["step"]) is Reason.BAD_STATE
    assert conversation.reason(REQUESTS["extension"]) is Reason.BAD_STATE
    assert conversation.refused(REQUESTS["reset"]).phase == "constructor"
    assert conversation.reason(REQUESTS["step"]) is Reason.BAD_STATE
    conversation.make = Counter
    conversation.reset()
    assert conversation.step().state is State.RUNNING


def test_session_observation_that_is_none_of_its_space_is_the_environments_mistake() -> None:
    conversation = conversation_in("joined")
    conversation.step()
    conversation.env.step = None  # noted when it was made, so it still steps
    conversation.env._observation = lambda: "a text"
    told = conversation.refused(messages.step({1: whole(0)}, [1]))
    assert (told.reason, told.phase) == (Reason.ENV_RAISED, "step")
    assert conversation.reason(messages.step({1: whole(0)}, [1])) is Reason.BAD_STATE


def test_session_frame_that_cannot_be_drawn_is_told_with_its_phase() -> None:
    conversation = conversation_in("joined", lambda: Counter(render_mode="rgb_array"))
    conversation.step()
    conversation.env.failing["render"] = ValueError("no colours left")
    told = conversation.refused(messages.step({1: whole(0)}, [3]))
    assert (told.reason, told.phase, told.message) == (
        Reason.ENV_RAISED,
        "render",
        "no colours left",
    )


def test_session_join_that_needs_a_frame_and_gets_none_can_be_tried_again() -> None:
    conversation = conversation_in("world made", lambda: Counter(render_mode="rgb_array"))
    conversation.env.failing["render"] = ValueError("no colours left")
    assert conversation.refused(REQUESTS["join_world"]).phase == "render"
    assert conversation.env.log[-1] == ("close",)
    specs = conversation.join()
    assert list(specs.observations[3].shape) == [2, 3, 3]
    assert len(conversation.made) == 2


# Leaving


def test_session_leave_keeps_the_world_and_joining_begins_an_episode() -> None:
    conversation = conversation_in("joined")
    conversation.step()
    conversation.step({1: whole(0)})
    conversation.send(messages.leave_world())
    assert conversation.reason(REQUESTS["step"]) is Reason.BAD_STATE
    conversation.join("single")
    assert conversation.step().values[1][0] == 0
    assert len(conversation.made) == 1
    assert ("close",) not in conversation.env.log


def test_session_reset_world_makes_the_environment_anew_from_new_arguments() -> None:
    conversation = conversation_in("world made")
    settings = world_settings({"env_id": 0, "entrypoint_kwargs": {"ends": 1}})
    conversation.send(messages.reset_world(NAME, settings))
    assert conversation.made[0].log == [("close",)]
    assert conversation.asked[1].args["entrypoint_kwargs"] == {"ends": 1}
    conversation.send(messages.reset_world(NAME, {}))
    assert conversation.asked[2] == conversation.asked[1]


def test_session_reset_world_when_joined_begins_an_episode_and_shows_the_new_specs() -> None:
    conversation = conversation_in("joined")
    conversation.step()
    conversation.step({1: whole(0)})
    conversation.make = lambda: Counter(render_mode="rgb_array")
    conversation.send(messages.reset_world(NAME, {}))
    assert conversation.step({1: whole(0)}).values[1][0] == 0
    assert sorted(conversation.reset().observations) == [1, 2, 3]


def test_session_reset_world_that_fails_is_mended_by_the_next_reset() -> None:
    conversation = conversation_in("joined")

    def fail() -> Any:
        raise OSError("busy")

    conversation.make = fail
    assert conversation.refused(REQUESTS["reset_world"]).phase == "constructor"
    assert conversation.reason(REQUESTS["step"]) is Reason.BAD_STATE
    conversation.make = Counter
    conversation.reset()
    assert conversation.step().state is State.RUNNING


def test_session_destroy_closes_the_environment_and_another_can_be_made() -> None:
    conversation = conversation_in("world made")
    conversation.send(messages.destroy_world(NAME))
    assert conversation.env.log == [("close",)]
    assert conversation.create({"env_id": 3}) == "nsg1:3"


def test_session_destroy_whose_close_raises_is_told_and_the_world_is_gone() -> None:
    conversation = conversation_in("world made")
    conversation.env.failing["close"] = OSError("stuck")
    assert conversation.refused(REQUESTS["destroy_world"]).phase == "close"
    assert conversation.create() == NAME


def test_session_close_closes_the_environment_once_whatever_it_raises() -> None:
    conversation = conversation_in("joined")
    conversation.env.failing["close"] = OSError("stuck")
    conversation.session.close()
    conversation.session.close()
    assert conversation.env.log == [("close",)]
    assert conversation.reason(REQUESTS["step"]) is Reason.BAD_STATE


# Views


@pytest.mark.parametrize(
    ("make", "kind", "named"),
    [
        (Pair, None, "RemoteParallelEnv"),
        (Pair, "single", "RemoteParallelEnv"),
        (Counter, "parallel", "RemoteEnvironment"),
        (Counter, "vector", "RemoteEnvironment"),
    ],
)
def test_session_join_of_another_kind_is_refused_and_names_the_right_client(
    make: Callable[[], Any], kind: str | None, named: str
) -> None:
    conversation = conversation_in("world made", make)
    told = conversation.refused(join_request(NAME, kind))
    assert (told.code, told.reason) == (12, Reason.UNIMPLEMENTED)
    assert named in told.message


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ("nothing", 3),
        ("[]", 3),
        ('{"v": 1, "kind": "team"}', 3),
        ('{"v": 1, "kind": "single", "frames": 1}', 3),
        ('{"v": 2, "kind": "single"}', 12),
    ],
)
def test_session_join_with_a_wish_it_cannot_read_is_refused(wish: str, code: int) -> None:
    conversation = conversation_in("world made")
    request = messages.join_world(NAME, {"nsg_client": text(wish)})
    assert conversation.refused(request).code == code
    conversation.join("single")


def test_session_settings_of_other_clients_are_ignored() -> None:
    conversation = Conversation(Counter)
    conversation.send(messages.create_world({"difficulty": text("hard")}))
    conversation.send(messages.join_world(NAME, {"colour": text("red")}))
    conversation.send(messages.reset({"mood": text("good")}))


def test_session_strict_about_plain_spaces_refuses_what_must_be_adapted() -> None:
    def make() -> Counter:
        made = Counter()
        made.action_space = spaces.Discrete(3, start=4)
        return made

    assert Conversation(make).start().step().state is State.RUNNING
    strict = Conversation(make, SessionOptions(plain_spaces="strict"))
    strict.create()
    with pytest.raises(RefusedError, match="12"):
        strict.join()
