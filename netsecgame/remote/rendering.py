"""Frames of a remote environment, shown or handed out."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from netsecgame.errors import missing_extra

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

RENDER_MODES: Final = ("human", "rgb_array")


class Screen:
    """What an environment's `render` does in each mode.

    Attributes:
        latest_image: The last frame there was; None before the first.
    """

    def __init__(
        self, render_mode: str | None, viewer: Callable[[NDArray[Any]], object] | None
    ) -> None:
        """Have nothing to show yet.

        Args:
            render_mode: None, ``rgb_array`` or ``human``.
            viewer: What shows a frame in the mode ``human``; None opens a window.
        """
        self.latest_image: NDArray[Any] | None = None
        self._render_mode = render_mode
        self._viewer = viewer
        self._window: PygameWindow | None = None
        self._has_warned = False

    def render(self, fetch: Callable[[], NDArray[Any] | None]) -> NDArray[Any] | None:
        """Hand out the frame of now, or show it.

        Args:
            fetch: Gets it; None is an environment that draws none.

        Raises:
            NotImplementedError: If there is no such mode.
            ImportError: If there is nothing to show it with.
        """
        if self._render_mode is None:
            return None
        if self._render_mode not in RENDER_MODES:
            modes = ", ".join(RENDER_MODES)
            raise NotImplementedError(f"render_mode {self._render_mode!r}: expected one of {modes}")
        frame = fetch()
        if frame is None:
            self._warn()
            return None
        self.latest_image = frame
        if self._render_mode == "rgb_array":
            return frame
        self._show(frame)
        return None

    def close(self) -> None:
        """Close the window, if there is one."""
        window, self._window = self._window, None
        if window is not None:
            window.close()

    def _show(self, frame: NDArray[Any]) -> None:
        if self._viewer is not None:
            self._viewer(frame)
            return
        if self._window is None:
            self._window = PygameWindow()
        self._window.show(frame)

    def _warn(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            warnings.warn(
                "the environment on the server draws no frames; its entrypoint has to make it "
                "with render_mode='rgb_array'",
                stacklevel=4,
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_window": None}


class PygameWindow:
    """A window as large as the frames.

    Raises:
        ImportError: If pygame is not installed.
    """

    def __init__(self) -> None:
        try:
            import pygame  # noqa: PLC0415 - only who wants a window needs it
        except ImportError as error:
            raise missing_extra(error, "view") from error
        self._pygame = pygame
        pygame.display.init()
        self._surface: Any = None

    def show(self, frame: NDArray[Any]) -> None:
        """Show a frame, (height, width, 3) uint8."""
        pygame = self._pygame
        size = (frame.shape[1], frame.shape[0])
        if self._surface is None or self._surface.get_size() != size:
            self._surface = pygame.display.set_mode(size)
        pygame.surfarray.blit_array(self._surface, np.swapaxes(frame, 0, 1))
        pygame.event.pump()  # else the system takes the window for hung
        pygame.display.flip()

    def close(self) -> None:
        """Close the window."""
        self._pygame.display.quit()
