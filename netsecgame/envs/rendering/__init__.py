"""What an agent knows, drawn: as text for a terminal, or as a picture."""

from netsecgame.envs.rendering.ansi import render_ansi
from netsecgame.envs.rendering.rgb import render_rgb, render_rgb_many
from netsecgame.envs.rendering.view import View

__all__ = ["View", "render_ansi", "render_rgb", "render_rgb_many"]
