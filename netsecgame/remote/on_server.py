"""What all environments of a client have in common: where they play, and how they let go."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from netsecgame.remote.connection import Server
from netsecgame.remote.keeper import WorldKeeper
from netsecgame.remote.rendering import Screen
from netsecgame.remote.tls import read_client_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from netsecgame.remote.options import ClientOptions
    from netsecgame.remote.remote_world import RemoteWorld, Wish


class OnServer:
    """The client's side of whatever kind of environment; a base beside Gymnasium's or PettingZoo's.

    Attributes:
        url: Host of the server.
        port: Its port.
        remote_args: What the server was told.
        client_credentials_paths: None is plaintext.
    """

    url: str
    port: int
    remote_args: Mapping[str, Any]
    client_credentials_paths: Sequence[str | Path | None] | None

    def _prepare(
        self,
        url: str,
        port: int,
        client_credentials_paths: Sequence[str | Path | None] | None,
        wish: Wish,
        options: ClientOptions,
        render_mode: str | None,
    ) -> None:
        """Note where to play what; nothing is connected yet.

        Raises:
            ValueError: If credentials are neither None nor three paths, or one of certificate and
                key is missing.
            FileNotFoundError: If there is no such file.
        """
        self.url = url
        self.port = port
        self.remote_args = wish.remote_args
        self.client_credentials_paths = client_credentials_paths
        self.render_mode = render_mode
        self._screen = Screen(render_mode, options.viewer)
        credentials = read_client_credentials(client_credentials_paths)
        self._keeper = WorldKeeper(Server(url, port, credentials, options), wish)
        self._viewed: RemoteWorld | None = None

    @property
    def remote_environment(self) -> RemoteWorld | None:
        """The world on the server; None if there is none now."""
        return self._keeper.world

    @property
    def server_info(self) -> dict[str, Any]:
        """What is known about the server and what it plays."""
        return self._keeper.server_info

    def __del__(self) -> None:
        with suppress(Exception):  # the constructor may not have come far
            self._keeper.abandon()

    def _leave(self) -> None:
        self._keeper.close()
        self._screen.close()

    def _fetch_frame(self) -> NDArray[Any] | None:
        """The frame of now; None if the server draws none."""
        world = self._keeper.world
        if world is not None and world.description.get("render_mode") != "rgb_array":
            return None
        frame = self._keeper.frame()
        assert isinstance(frame, np.ndarray)
        return frame
