"""What clients are told when something goes wrong, and that the stream goes on."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from netsecgame.remote import messages
from netsecgame.remote.reports import Reason
from tests.integration.remote.entrypoints.obedient import EXIT, GO, HANG, KILL, RAISE, REFUSE_TO_END
from tests.integration.remote.peer import (
    Peer,
    creating,
    creating_with,
    making_anew,
    observation_of,
    stepping,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.remote.conftest import Hosting

MODES = ["process", "thread", "inline"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("phase", ["constructor", "reset", "step"])
def test_errors_environment_raises_reported_and_others_go_on(
    host: Hosting, mode: str, phase: str
) -> None:
    server = host(mode=mode)
    with Peer(server.port) as peer, Peer(server.port) as other:
        other.play()
        if phase == "step":
            peer.play()
            error = peer.refuse(stepping(RAISE))
            expected = ("ValueError", "told to raise")
        elif phase == "reset":
            peer.create(resets_to_fail=1)
            peer.join()
            error = peer.refuse(stepping(GO))
            expected = ("RuntimeError", "told to raise in reset")
        else:
            error = peer.refuse(creating(raise_in="constructor"))
            expected = ("RuntimeError", "told to raise in constructor")

        assert (error.code, error.reason, error.phase) == (2, Reason.ENV_RAISED, phase)
        assert (error.type_name, error.message) == expected
        assert error.traceback is None
        assert other.step(GO)[2] == 1
        if phase == "constructor":
            peer.create()
            peer.join()
        else:
            assert peer.refuse(stepping(GO)).reason is Reason.BAD_STATE
            peer.take(messages.reset({}))
        assert peer.step(GO)[2] == 0
        assert server.stats()["errors"]["ENV_RAISED"] == 1


def test_errors_traceback_asked_for_is_sent(host: Hosting) -> None:
    with Peer(host(traceback_to_client=True).port) as peer:
        peer.play()

        error = peer.refuse(stepping(RAISE))

        assert error.traceback is not None
        assert 'raise ValueError("told to raise")' in error.traceback


@pytest.mark.parametrize(("action", "exit_code"), [(EXIT, 7), (KILL, -signal.SIGKILL)])
def test_errors_process_dies_in_step_next_reset_makes_another(
    host: Hosting, action: int, exit_code: int
) -> None:
    server = host(mode="process")
    with Peer(server.port) as peer, Peer(server.port) as other:
        first = peer.play(secret=1)
        other.play()

        error = peer.refuse(stepping(action))

        assert (error.code, error.reason, error.exit_code) == (13, Reason.ENV_DIED, exit_code)
        assert server.environments[0].state == "gone"
        assert peer.refuse(stepping(GO)).reason is Reason.BAD_STATE
        peer.take(messages.reset({}))
        again = peer.step(GO)
        assert again[:3] == first[:3]
        assert again[3] != first[3]
        assert other.step(GO)[2] == 1


def test_errors_process_dies_between_steps_reported_at_the_next(
    host: Hosting, wait_until: Callable[[Callable[[], object]], None]
) -> None:

    server = host(mode="process")
    with Peer(server.port) as peer:
        pid = peer.play()[3]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not psutil.pid_exists(pid))

        error = peer.refuse(stepping(GO))

        assert (error.reason, error.exit_code) == (Reason.ENV_DIED, -signal.SIGKILL)


def test_errors_process_dies_in_constructor_number_is_free(host: Hosting) -> None:
    server = host(mode="process")
    with Peer(server.port) as peer:
        error = peer.refuse(creating(exit_in="constructor"))

        assert (error.reason, error.exit_code) == (Reason.ENV_DIED, 7)
        assert server.environments == []
        assert peer.play()[0] == 0


@pytest.mark.parametrize("action", [HANG, REFUSE_TO_END])
def test_errors_endless_step_ends_at_the_limit(host: Hosting, action: int) -> None:
    server = host(mode="process", step_timeout_s=0.3)
    with Peer(server.port) as peer:
        first = peer.play()

        error = peer.refuse(stepping(action))

        assert (error.code, error.reason, error.phase) == (4, Reason.ENV_TIMEOUT, "step")
        assert "0.3 s" in error.message
        peer.take(messages.reset({}))
        assert peer.step(GO)[3] != first[3]


def test_errors_endless_step_in_thread_leaves_others_alone(
    host: Hosting, tmp_path: Path, wait_until: Callable[[Callable[[], object]], None]
) -> None:
    server = host(mode="thread", step_timeout_s=0.3)
    with Peer(server.port) as peer, Peer(server.port) as other:
        peer.play(hangs=str(tmp_path / "hangs"))
        other.play()
        peer.send(stepping(HANG))
        wait_until((tmp_path / "hangs").exists)

        assert other.step(GO)[2] == 1
        assert peer.receive().WhichOneof("payload") == "error"
        peer.take(messages.reset({}))
        assert peer.step(GO)[:3] == [0, 1, 0]


def test_errors_endless_constructor_ends_at_its_own_limit(host: Hosting) -> None:
    server = host(mode="process", create_timeout_s=0.5)
    with Peer(server.port) as peer:
        error = peer.refuse(creating(hang_in="constructor"))

        assert (error.reason, error.phase) == (Reason.ENV_TIMEOUT, "create")
        assert server.stats()["refusals"] == {"ENV_TIMEOUT": 1}
        assert peer.play()[0] == 0


def test_errors_environment_cannot_be_made_anew_tried_at_each_reset(host: Hosting) -> None:
    server = host(mode="process")
    with Peer(server.port) as peer:
        peer.play()
        broken = making_anew(peer.world_name, exit_in="constructor")
        for request in (broken, messages.reset({}), messages.reset({})):
            assert peer.refuse(request).reason is Reason.ENV_DIED
        assert peer.refuse(stepping(GO)).reason is Reason.BAD_STATE
        assert peer.refuse(messages.read_property("describe")).reason is Reason.BAD_STATE

        peer.take(making_anew(peer.world_name))

        assert peer.step(GO)[:3] == [0, 1, 0]


@pytest.mark.parametrize(
    ("args", "code", "reason"),
    [
        ([], 3, Reason.BAD_ARGS),
        ({"entrypoints": "obedient.py"}, 3, Reason.BAD_ARGS),
        ({"repo": None}, 7, Reason.NOT_ALLOWED),
        ({"entrypoint": "cartpole.py"}, 7, Reason.NOT_ALLOWED),
        ({"entrypoint": "../peer.py"}, 7, Reason.NOT_ALLOWED),
    ],
)
def test_errors_arguments_refused_by_reason(
    host: Hosting, args: object, code: int, reason: Reason
) -> None:
    server = host()
    with Peer(server.port) as peer:
        error = peer.refuse(creating_with(args))

        assert (error.code, error.reason) == (code, reason)
        assert server.stats()["refusals"] == {reason.value: 1}
        assert peer.play()[0] == 0


def test_errors_arguments_of_reset_world_refused_world_is_kept(host: Hosting) -> None:
    with Peer(host().port) as peer:
        peer.play()

        request = messages.reset_world(
            peer.world_name,
            {
                "args": messages.parse_request(creating_with({"repo": "x"})).create_world.settings[
                    "args"
                ]
            },
        )

        assert peer.refuse(request).reason is Reason.NOT_ALLOWED
        assert peer.step(GO)[:3] == [0, 1, 1]


def test_errors_requests_in_wrong_order_refused(host: Hosting) -> None:
    with Peer(host().port) as peer:
        name = "nsg1:0"
        for request, code in [
            (messages.join_world(name, {}), 5),
            (messages.reset_world(name, {}), 5),
            (messages.destroy_world(name), 5),
            (messages.reset({}), 9),
            (stepping(GO), 9),
            (messages.read_property("describe"), 12),
        ]:
            assert peer.refuse(request).code == code
        peer.take(messages.leave_world())
        peer.create()
        assert peer.refuse(creating()).code == 9
        assert peer.refuse(messages.reset({})).code == 9
        assert peer.refuse(stepping(GO)).code == 9
        for request in (
            messages.join_world("nsg1:1", {}),
            messages.reset_world("nsg1:1", {}),
            messages.destroy_world("nsg1:1"),
        ):
            assert peer.refuse(request).code == 5
        peer.join()
        assert peer.refuse(messages.join_world(peer.world_name, {})).code == 9
        assert peer.refuse(messages.destroy_world(peer.world_name)).code == 9
        assert peer.step(GO)[:3] == [0, 1, 0]


def test_errors_request_of_two_kinds_changes_nothing(host: Hosting) -> None:
    """The last member of a oneof counts, so a step could carry arguments past the gate."""
    with Peer(host().port) as peer:
        peer.play()
        smuggled = stepping(GO) + messages.reset_world(
            peer.world_name,
            {
                "args": messages.parse_request(creating_with({"repo": "x"})).create_world.settings[
                    "args"
                ]
            },
        )

        assert peer.refuse(smuggled).reason is Reason.BAD_TENSOR
        assert peer.step(GO)[:3] == [0, 1, 1]


def test_errors_bad_action_and_bad_tensor_take_no_step(host: Hosting) -> None:
    with Peer(host().port) as peer:
        peer.play()

        outside = peer.refuse(stepping(99))
        missing = peer.refuse(messages.step({}, [1]))

        assert (outside.code, outside.reason) == (3, Reason.BAD_ACTION)
        assert (missing.code, missing.reason) == (3, Reason.BAD_TENSOR)
        assert peer.step(GO)[2] == 1


def test_errors_entrypoint_gone_after_start_not_found(host: Hosting, hosted: Path) -> None:
    path = hosted / "gone.py"
    path.write_text("def create_environment(env_id): ...\n", encoding="utf-8")
    try:
        server = host("gone.py", mode="process")
    finally:
        path.unlink()
    with Peer(server.port) as peer:
        error = peer.refuse(creating())

        assert (error.code, error.reason) == (5, Reason.ENTRYPOINT)


def test_errors_close_raises_in_destroy_number_is_free(host: Hosting) -> None:
    server = host()
    with Peer(server.port) as peer:
        peer.create(raise_in="close")

        error = peer.refuse(messages.destroy_world(peer.world_name))

        assert (error.reason, error.phase) == (Reason.ENV_RAISED, "close")
        assert server.environments == []
        assert peer.play()[0] == 0


def test_errors_several_requests_at_once_answered_in_order(host: Hosting) -> None:
    with Peer(host(mode="process").port) as peer:
        peer.play()
        for action in (GO, RAISE, GO):
            peer.send(stepping(action))
        peer.send(messages.reset({}))
        peer.send(stepping(GO))

        kinds = [peer.receive() for _ in range(5)]

        assert observation_of(kinds[0])[2] == 1
        assert [each.WhichOneof("payload") for each in kinds[1:]] == [
            "error",
            "error",
            "reset",
            "step",
        ]
        assert observation_of(kinds[4])[:3] == [0, 2, 0]
