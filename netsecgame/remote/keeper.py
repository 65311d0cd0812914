"""Keeps the world of a client's environment: when one is made, made anew, and played."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from gymnasium.error import ResetNeeded

from netsecgame.errors import ConnectError, ServerDrainingError
from netsecgame.remote.messages import State
from netsecgame.remote.remote_world import RemoteWorld

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from netsecgame.remote.connection import Server
    from netsecgame.remote.remote_world import Wish

_Outcome = TypeVar("_Outcome")

_NOT_BEGUN: Final = "no episode has begun"
_RESET_FAILED: Final = "the last reset has failed"


class WorldKeeper:
    """The world of one environment, if it has one now.

    Pickled, it leaves its world behind; the copy makes one of its own when it begins an episode.

    Attributes:
        world: None before `make` and after `close`.
    """

    def __init__(self, server: Server, wish: Wish) -> None:
        """Know what to make where; nothing happens yet."""
        self.world: RemoteWorld | None = None
        self._server = server
        self._wish = wish
        self._needs_reset: str | None = _NOT_BEGUN  # why, if it does
        self._server_may_be_ours = True
        self._has_warned = False

    @property
    def server_info(self) -> dict[str, Any]:
        """What is known about the server, and what it tells about the environment."""
        known: dict[str, Any] = {"address": self._server.address}
        if self.world is not None:
            known |= {"is_netsecgame": self.world.is_ours, "world_name": self.world.name}
            known |= self.world.description
        return known

    def make(self) -> RemoteWorld:
        """Connect and have a world made; one that is there is left."""
        self.abandon()
        # Another kind of server may take it amiss that one sees often whether it is there.
        keepalive = self._server_may_be_ours
        self.world = RemoteWorld.make(self._server, self._wish, keepalive=keepalive)
        self._server_may_be_ours = self.world.is_ours
        return self.world

    def begin(
        self,
        read: Callable[[Any], _Outcome],
        seed: int | list[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
        mask: NDArray[Any] | None = None,
    ) -> _Outcome:
        """Begin an episode, after a lost connection in a new world.

        Args:
            read: Makes something of the answer, and of `world`.
            seed: See `RemoteWorld.reset`.
            options: Likewise.
            mask: Likewise; does not count in a new world.

        Raises:
            RemoteError: If there is no episode.
        """
        self._needs_reset = _RESET_FAILED
        answer = self._reset(seed, options, mask)
        outcome = read(answer)
        self._needs_reset = None
        return outcome

    def step(
        self,
        action: Any,
        write: Callable[[Any], bytes],
        read: Callable[[Any], _Outcome],
        glance: Callable[[bytes], _Outcome | None] | None = None,
    ) -> _Outcome:
        """Play an action.

        Args:
            action: As the environment's user has it.
            write: Makes the request of it.
            read: Makes something of the answer.
            glance: Makes that of an answer that is not parsed yet, or None; only for answers after
                which the episode goes on.

        Raises:
            ResetNeeded: If no episode is running; nobody is asked then.
            RemoteError: If that fails; only a reset goes on then.
        """
        if self._needs_reset is not None:
            raise ResetNeeded(f"there is no episode to play: {self._needs_reset}; call reset()")
        assert self.world is not None
        self._needs_reset = "an error has ended it"
        data = self.world.step(write(action))
        outcome = None if glance is None else glance(data)
        if outcome is not None:
            self._needs_reset = None
            return outcome
        answer = self.world.parse_step(data)
        outcome = read(answer)
        self._needs_reset = None if answer.state == State.RUNNING else "it has ended"
        return outcome

    def frame(self) -> NDArray[Any] | str:
        """What the environment on our server draws now.

        Raises:
            ResetNeeded: If there is no environment now.
            RemoteError: If it draws nothing.
        """
        if self.world is None:
            raise ResetNeeded("there is no environment to draw; call reset()")
        return self.world.read_property("frame", "render")

    def close(self) -> None:
        """Leave the world; twice is fine."""
        world, self.world = self.world, None
        self._needs_reset = _NOT_BEGUN
        if world is not None:
            world.close()

    def abandon(self) -> None:
        """Leave the world without a word, and without an exception."""
        world, self.world = self.world, None
        self._needs_reset = _NOT_BEGUN
        if world is not None:
            with suppress(Exception):  # the interpreter may be ending
                world.connection.abandon()

    def _reset(
        self,
        seed: int | list[int | None] | None,
        options: Mapping[str, Any] | None,
        mask: NDArray[Any] | None,
    ) -> Any:
        world = self.world
        if world is not None and not world.connection.is_lost:
            self._warn_about_lost(world, seed, options)
            try:
                return world.reset(seed, options, mask)
            except (ConnectError, ServerDrainingError):
                pass  # the server may be there again
        world = self.make()
        self._needs_reset = _RESET_FAILED
        self._warn_about_lost(world, seed, options)
        return world.reset(seed, options)  # all of it is new

    def _warn_about_lost(self, world: RemoteWorld, seed: Any, options: Any) -> None:
        if world.is_extended or (seed is None and not options) or self._has_warned:
            return
        self._has_warned = True
        warnings.warn(
            f"{world.address}: seed and options of reset do not reach the environment: "
            "plain dm_env_rpc has no place for them",
            stacklevel=5,
        )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "world": None, "_needs_reset": _NOT_BEGUN}
