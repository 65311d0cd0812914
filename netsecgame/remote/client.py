"""An environment on a server as a `gymnasium.Env`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import gymnasium
import numpy as np

from netsecgame.remote import described
from netsecgame.remote.client_arguments import read_options
from netsecgame.remote.on_server import OnServer
from netsecgame.remote.remote_world import Wish
from netsecgame.remote.rendering import RENDER_MODES
from netsecgame.remote.views import AgentView, PlainView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gymnasium.envs.registration import EnvSpec
    from numpy.typing import NDArray

    from netsecgame.remote.connection import Connection
    from netsecgame.remote.remote_world import RemoteWorld
    from netsecgame.remote.views import Outcome

_MAX_KNOWN_REQUESTS: Final = 1024


class RemoteEnvironment(OnServer, gymnasium.Env[Any, Any]):
    """Plays on a server as if the environment were here.

    An exception in `step` ends the episode; `reset` begins another one, in a new world if the
    connection was lost. A pickled environment connects anew when it is reset.

    Attributes:
        url: Host of the server.
        port: Its port.
        remote_args: What the server was told.
        client_credentials_paths: None is plaintext.
        reward_range: Between what rewards are.
        spec: Id and limit of steps of the environment on the server, if it tells them.
    """

    spec: EnvSpec | None

    def __init__(
        self,
        url: str,
        port: int,
        remote_args: Mapping[str, Any] | None = None,
        client_credentials_paths: Sequence[str | Path | None] | None = None,
        render_mode: str | None = None,
        *args: Any,
        **options: Any,
    ) -> None:
        """Connect, and have the server make an environment.

        Args:
            url: Host of the server, a name or an address.
            port: Its port.
            remote_args: What the server is to make; see `RemoteArgs`.
            client_credentials_paths: PEM files: CA, client certificate or None, its key or None.
                None is plaintext.
            render_mode: What `render` does: None, ``rgb_array`` or ``human``.
            *args: Are ignored, with a warning.
            **options: Those of `ClientOptions`; others are ignored, with a warning.

        Raises:
            ValueError: If credentials are neither None nor three paths, or one of certificate and
                key is missing.
            FileNotFoundError: If there is no such file.
            RemoteError: If there is no connection, or the server refuses.
        """
        read = read_options(args, options)
        self._frame: NDArray[Any] | None = None  # the last that came with a step
        wish = Wish(
            "single",
            dict(remote_args or {}),
            is_extended=read.extended is not False,
            wants_frames=render_mode in RENDER_MODES,
        )
        self._prepare(url, port, client_credentials_paths, wish, read, render_mode)
        self._view: AgentView | PlainView | None = None
        self._requests: dict[int, bytes] = {}  # by action, of the world that is viewed
        self._look_at(self._keeper.make())

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; connects anew if there is no connection any more.

        Args:
            seed: For the environment, which then does what it would do here.
            options: For the environment.

        Raises:
            RemoteError: If there is no connection, the environment raised, or takes too long.
        """
        super().reset(seed=seed)
        observation, _, _, _, info = self._keeper.begin(self._read, seed, options)
        return observation, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one step.

        Raises:
            ResetNeeded: If no episode is running; the server is not asked then.
            InvalidActionError: If the action is none of the action space.
            RemoteError: If there is no connection any more, the environment raised, or takes too
                long.
        """
        view = self._view
        glance = None if view is None else view.glance
        return self._keeper.step(action, self._write, self._read, glance)

    def render(self) -> Any:
        """The frame of now in the mode ``rgb_array``; ``human`` shows it.

        Raises:
            NotImplementedError: If there is no such mode.
            ImportError: If there is nothing to show it with.
            RemoteError: If there is no connection any more, or the environment raised.
        """
        return self._screen.render(self._fetch_frame)

    def close(self) -> None:
        """Leave the server; `reset` connects anew. Twice is fine."""
        self._leave()

    @property
    def latest_image(self) -> NDArray[Any] | None:
        """The last frame there was; None before the first."""
        return self._screen.latest_image if self._frame is None else self._frame

    @property
    def connection(self) -> Connection | None:
        """The stream to the server; None if there is none now."""
        world = self._keeper.world
        return None if world is None else world.connection

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_view": None, "_viewed": None, "_requests": {}}

    def _look_at(self, world: RemoteWorld | None) -> AgentView | PlainView:
        """The view of a world, which may be another one than before."""
        assert world is not None
        if self._view is not None and self._viewed is world:
            return self._view
        if world.is_extended:
            action_space = described.space_of(world.description, "action_space")
            observation_space = described.space_of(world.description, "observation_space")
            self._view = AgentView(world, action_space, observation_space)
            self.reward_range = described.reward_range_of(world.description)
        else:
            self._view = PlainView(world)
            action_space = self._view.action_space
            observation_space = self._view.observation_space
            self.reward_range = self._view.reward_range
        self._viewed = world
        self._requests = {}
        known = self.__dict__
        self.action_space = described.keep_equal(known.get("action_space"), action_space)
        self.observation_space = described.keep_equal(
            known.get("observation_space"), observation_space
        )
        self.metadata = described.metadata_of(world.description)
        self.spec = described.spec_of(world.description)
        return self._view

    def _write(self, action: Any) -> bytes:
        if type(action) not in (int, np.int64):
            return self._make_request(action)
        # The same few numbers over and over, as a rule.
        request = self._requests.get(action)
        if request is None:
            request = self._make_request(action)
            if len(self._requests) < _MAX_KNOWN_REQUESTS:
                self._requests[action] = request
        return request

    def _make_request(self, action: Any) -> bytes:
        world, view = self._viewed, self._view
        assert world is not None
        assert view is not None
        return world.step_request(view.write(action))

    def _read(self, answer: Any) -> Outcome:
        view = self._look_at(self._keeper.world)
        if isinstance(view, PlainView):
            self._frame = view.read_frame(answer)
        return view.read(answer)

    def _fetch_frame(self) -> NDArray[Any] | None:
        world = self._keeper.world
        if world is not None and not world.is_extended:
            return self._frame
        return super()._fetch_frame()
