from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest

from netsecgame.errors import ProtocolViolationError
from netsecgame.remote import RemoteEnvironment
from tests.integration.remote.equal import assert_equal

if TYPE_CHECKING:
    from collections.abc import Callable

    from netsecgame.remote.server import RemoteServer

    Host = Callable[..., RemoteServer]


@pytest.fixture
def drawing(host: Host) -> RemoteServer:
    """A server whose environments draw how many steps there were."""
    return host("mirror.py", kwargs={"render_mode": "rgb_array"})


def test_render_frames_equal_those_of_a_local_environment(host: Host) -> None:
    server = host("made.py", kwargs={"name": "CartPole-v1", "render_mode": "rgb_array"})
    local = gymnasium.make("CartPole-v1", render_mode="rgb_array")
    with RemoteEnvironment("127.0.0.1", server.port, render_mode="rgb_array") as env:
        assert env.latest_image is None
        env.reset(seed=1)
        local.reset(seed=1)
        for action in (0, 1, 1, 0):
            frame = env.render()
            assert_equal(frame, local.render())
            assert env.latest_image is frame
            env.step(action)
            local.step(action)
    local.close()


def test_render_is_not_done_unless_asked_for(drawing: RemoteServer) -> None:
    with RemoteEnvironment("127.0.0.1", drawing.port, render_mode="rgb_array") as env:
        env.reset()
        assert [env.step(1)[4]["renders"] for _ in range(3)] == [0, 0, 0]
        env.render()
        assert env.step(1)[4]["renders"] == 1


def test_render_without_a_mode_is_nothing(drawing: RemoteServer) -> None:
    with RemoteEnvironment("127.0.0.1", drawing.port) as env:
        env.reset()
        assert env.render() is None
        assert env.step(1)[4]["renders"] == 0


def test_render_of_an_unknown_mode_raises(drawing: RemoteServer) -> None:
    with RemoteEnvironment("127.0.0.1", drawing.port, render_mode="ansi") as env:
        env.reset()
        with pytest.raises(NotImplementedError, match="'ansi': expected one of human, rgb_array"):
            env.render()


def test_render_of_an_environment_that_draws_nothing_warns_once(host: Host) -> None:
    server = host("mirror.py")
    for options in ({}, {"extended": False}):
        with RemoteEnvironment("127.0.0.1", server.port, render_mode="rgb_array", **options) as env:  # type: ignore[arg-type]
            env.reset()
            with pytest.warns(UserWarning, match="draws no frames") as caught:
                assert env.render() is None
            assert len(caught) == 1
            assert env.render() is None


def test_render_human_calls_the_viewer(drawing: RemoteServer) -> None:
    shown: list[Any] = []
    with RemoteEnvironment(
        "127.0.0.1", drawing.port, render_mode="human", viewer=shown.append
    ) as env:
        env.reset()
        env.step(1)
        assert shown == []
        assert env.render() is None
        env.step(1)
        env.render()
    assert_equal(shown, [np.full((4, 4, 3), count, np.uint8) for count in (1, 2)])


def test_render_human_without_a_viewer_opens_a_window(
    drawing: RemoteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pygame = pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    env = RemoteEnvironment("127.0.0.1", drawing.port, render_mode="human")
    env.reset()
    env.step(1)
    env.step(1)
    env.render()
    surface = pygame.display.get_surface()
    assert surface.get_size() == (4, 4)
    assert surface.get_at((2, 3))[:3] == (2, 2, 2)
    env.close()
    assert not pygame.display.get_init()
    env.reset()
    env.render()
    assert pygame.display.get_surface().get_at((0, 0))[:3] == (0, 0, 0)
    env.close()


def test_render_human_without_pygame_says_what_to_install(
    drawing: RemoteServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with RemoteEnvironment("127.0.0.1", drawing.port, render_mode="human") as env:
        env.reset()
        with pytest.raises(ImportError, match=r"pip install netsecgame\[view\]"):
            env.render()


@pytest.mark.parametrize("render_mode", [None, "rgb_array"])
def test_render_of_a_plain_client_shows_what_came_with_the_step(
    drawing: RemoteServer, render_mode: str | None
) -> None:
    with RemoteEnvironment(
        "127.0.0.1", drawing.port, render_mode=render_mode, extended=False
    ) as env:
        env.reset()
        env.step(1)
        expected = None if render_mode is None else np.full((4, 4, 3), 1, np.uint8)
        assert_equal(env.latest_image, expected)
        assert_equal(env.render(), expected)


def test_render_before_the_first_reset_is_refused(drawing: RemoteServer) -> None:
    with RemoteEnvironment("127.0.0.1", drawing.port, render_mode="rgb_array") as env:
        with pytest.raises(ProtocolViolationError, match="before the first episode"):
            env.render()
        env.reset()
        assert env.render() is not None


def test_render_after_close_needs_a_reset(drawing: RemoteServer) -> None:
    env = RemoteEnvironment("127.0.0.1", drawing.port, render_mode="rgb_array")
    env.reset()
    env.close()
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.render()
