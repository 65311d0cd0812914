"""A view as a picture; matplotlib is imported for the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netsecgame.errors import missing_extra

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netsecgame.envs.rendering.view import View


def render_rgb(view: View) -> NDArray[np.uint8]:
    """What an agent knows as a picture, (600, 800, 3).

    Hosts are in the boxes of their networks, and each has its place for good. Nothing is drawn that
    the agent does not know; but the size of a box tells how many hosts its network has, so learners
    that are fed with pictures know a little more than others.

    Raises:
        ImportError: If matplotlib is not installed; the extra ``render`` brings it.
    """
    try:
        from netsecgame.envs.rendering.picture import draw_picture  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra(error, "render") from error
    return draw_picture(view)


def render_rgb_many(views: Sequence[View]) -> NDArray[np.uint8]:
    """The pictures of several agents side by side, (600, 800 * N, 3) of N >= 1 views."""
    return np.concatenate([render_rgb(view) for view in views], axis=1)
