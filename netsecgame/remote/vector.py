"""Many environments on a server as one `gymnasium.vector.VectorEnv`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from netsecgame.errors import ProtocolViolationError, RemoteConfigError
from netsecgame.remote import described
from netsecgame.remote.client_arguments import read_options
from netsecgame.remote.on_server import OnServer
from netsecgame.remote.remote_world import Wish
from netsecgame.remote.views import AgentView

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from gymnasium.envs.registration import EnvSpec
    from numpy.typing import NDArray

    from netsecgame.remote.remote_world import RemoteWorld

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]


class RemoteVectorEnv(OnServer, VectorEnv[Any, Any, Any]):
    """Plays many environments with one message a step.

    They are what `gymnasium.vector.SyncVectorEnv` would make of them here. An exception in `step`
    ends all episodes; `reset` begins others, in new environments if the connection was lost. A
    pickled one connects anew when it is reset.

    Attributes:
        url: Host of the server.
        port: Its port.
        remote_args: What the server was told.
        client_credentials_paths: None is plaintext.
        reward_range: Between what rewards are.
        spec: Id and limit of steps of the environments, if the server tells them.
    """

    spec: EnvSpec | None

    def __init__(
        self,
        url: str,
        port: int,
        num_envs: int,
        remote_args: Mapping[str, Any] | None = None,
        client_credentials_paths: Sequence[str | Path | None] | None = None,
        *,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **options: Any,
    ) -> None:
        """Connect, and have the server make the environments.

        Args:
            url: Host of the server, a name or an address.
            port: Its port.
            num_envs: How many environments, at least 1.
            remote_args: What the server is to make; see `RemoteArgs`.
            client_credentials_paths: PEM files: CA, client certificate or None, its key or None.
                None is plaintext.
            autoreset_mode: What happens when an episode ends.
            render_mode: What `render` does: None, ``rgb_array`` or ``human``.
            **options: Those of `ClientOptions`; others are ignored, with a warning.

        Raises:
            ValueError: If credentials are neither None nor three paths, or there is no such mode.
            FileNotFoundError: If there is no such file.
            UnsupportedByServerError: If the server is not one of ours.
            RemoteError: If there is no connection, or the server refuses.
        """
        if num_envs < 1:
            raise RemoteConfigError(f"num_envs: expected at least 1, got {num_envs}")
        self.num_envs = num_envs
        read = read_options((), options)
        mode = AutoresetMode(autoreset_mode)
        wish = Wish(
            "vector",
            dict(remote_args or {}),
            num_envs,
            mode.name.lower(),
            is_extended=read.extended is not False,
        )
        self._prepare(url, port, client_credentials_paths, wish, read, render_mode)
        self._view: AgentView | None = None
        self._look_at(self._keeper.make())

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Begin episodes; connects anew if there is no connection any more.

        Args:
            seed: Environment `i` gets seed + i; or one for each.
            options: For the environments; and ``reset_mask``, (num_envs,) bool: which of them begin
                an episode, all without it.

        Raises:
            ValueError: If seeds or mask do not fit.
            RemoteError: If there is no connection, an environment raised, or takes too long.
        """
        seeds = seed if seed is None or isinstance(seed, int) else _read_seeds(seed, self.num_envs)
        rest = None if options is None else dict(options)
        mask = None if rest is None else _read_mask(rest.pop("reset_mask", None), self.num_envs)
        super().reset(seed=seeds if isinstance(seeds, int) else None)
        observations, _, _, _, infos = self._keeper.begin(self._read, seeds, rest, mask)
        self.closed = False
        return observations, infos

    def step(self, actions: Any) -> tuple[Any, Floats, Flags, Flags, dict[str, Any]]:
        """Take one step in each environment.

        Raises:
            ResetNeeded: If no episode is running; the server is not asked then.
            InvalidActionError: If an action is none of the action space.
            RemoteError: If there is no connection any more, an environment raised, or takes too
                long.
        """
        return self._keeper.step(actions, self._write, self._read)

    def render(self) -> Any:
        """Frames of now in the mode ``rgb_array``, one an environment; ``human`` shows them.

        Raises:
            NotImplementedError: If there is no such mode.
            ImportError: If there is nothing to show them with.
            RemoteError: If there is no connection any more, or an environment raised.
        """
        frames = self._screen.render(self._fetch_frames)
        if frames is None:
            return None
        return tuple(frames.reshape(self.num_envs, -1, *frames.shape[1:]))

    def close_extras(self, **kwargs: Any) -> None:  # noqa: ARG002 - as Gymnasium calls it
        """Leave the server; `reset` connects anew."""
        self._leave()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_view": None, "_viewed": None}

    def _write(self, actions: Any) -> bytes:
        assert self._view is not None
        assert self._viewed is not None
        return self._viewed.step_request(self._view.write(actions))

    def _read(self, answer: Any) -> tuple[Any, Floats, Flags, Flags, dict[str, Any]]:
        return self._look_at(self._keeper.world).read_many(answer)

    def _look_at(self, world: RemoteWorld | None) -> AgentView:
        """The view of a world, which may be another one than before."""
        assert world is not None
        if self._view is not None and self._viewed is world:
            return self._view
        told = world.description
        if told.get("num_envs") != self.num_envs:
            raise ProtocolViolationError(
                f"{world.address}: expected {self.num_envs} environments, "
                f"got {told.get('num_envs')}"
            )
        known = self.__dict__
        action_space = described.keep_equal(
            known.get("single_action_space"), described.space_of(told, "action_space")
        )
        observation_space = described.keep_equal(
            known.get("single_observation_space"), described.space_of(told, "observation_space")
        )
        self._view = AgentView(world, action_space, observation_space, num_envs=self.num_envs)
        self._viewed = world
        self.single_action_space = action_space
        self.single_observation_space = observation_space
        self.action_space = described.keep_equal(
            known.get("action_space"), batch_space(action_space, self.num_envs)
        )
        self.observation_space = described.keep_equal(
            known.get("observation_space"), batch_space(observation_space, self.num_envs)
        )
        mode = AutoresetMode[str(told.get("autoreset")).upper()]
        self.metadata = {**described.metadata_of(told), "autoreset_mode": mode}
        self.spec = described.spec_of(told)
        self.reward_range = described.reward_range_of(told)
        return self._view

    def _fetch_frames(self) -> NDArray[Any] | None:
        """All frames, one below the other."""
        frames = self._fetch_frame()
        return None if frames is None else frames.reshape(-1, *frames.shape[2:])


def _read_seeds(seeds: Sequence[int | None], num_envs: int) -> list[int | None]:
    if len(seeds) != num_envs:
        raise ValueError(f"seed: expected one, or {num_envs}, got {len(seeds)}")
    return [None if seed is None else int(seed) for seed in seeds]


def _read_mask(mask: Any, num_envs: int) -> Flags | None:
    if mask is None:
        return None
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (num_envs,):
        raise ValueError(f"reset_mask: expected ({num_envs},) bool, got {mask!r}")
    if not mask.any():
        raise ValueError("reset_mask: expected at least one True")
    return mask
