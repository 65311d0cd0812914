"""Drawing a view with matplotlib: artists in pixels on a bare canvas, without pyplot and its state.

Colours are from the palette of Okabe and Ito ("Color Universal Design", 2008), and each has a shape
of its own beside it.
"""

from __future__ import annotations

from math import hypot
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform

from netsecgame.envs.goal_parts import take_apart
from netsecgame.envs.rendering.layout import Box, lay_out
from netsecgame.envs.rendering.view import sort_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netsecgame.envs.rendering.view import HostView, NetworkView, View

WIDTH, HEIGHT = 800, 600
_DPI = 100
_MARGIN = 10.0
AREA = Box(_MARGIN, 82.0, WIDTH - 2 * _MARGIN, 456.0)

_INK, _FAINT, _RIM_COLOUR, _PAPER, _BOX_COLOUR = "#222222", "#6b6b6b", "#9a9a9a", "white", "#f4f4f4"
_KNOWN, _CONTROLLED = "#56b4e9", "#0072b2"
_DATA, _WANTED, _BLOCKED = "#009e73", "#f0e442", "#d55e00"

_FONT = "DejaVu Sans Mono"  # comes with matplotlib
_LETTER = 0.602  # width of its letters, of their size; the real one is a whole pixel
_LINE = 1.3  # height of a line, of the size of its letters
_LEAST_SIZE = 4.5  # smaller letters cannot be read

_GLYPH_X = 7.0  # from the left of a cell to the middle of the mark of its host

#: Marker and fill of what has one.
_MARKS = {
    "known": ("o", _KNOWN),
    "controlled": ("s", _CONTROLLED),
    "data": ("D", _DATA),
    "wanted": ("*", _WANTED),
    "blocked": ("x", _BLOCKED),
}
_LEGEND = (
    ("known", "known host"),
    ("controlled", "controlled host"),
    ("data", "data"),
    ("wanted", "asked for by the goal"),
    ("blocked", "blocked connection"),
)


def draw_picture(view: View) -> NDArray[np.uint8]:
    """The picture, (HEIGHT, WIDTH, 3)."""
    return _Picture(view).draw()


class _Picture:
    """One picture while it is drawn; coordinates are pixels from the left and the top."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.figure = Figure(figsize=(WIDTH / _DPI, HEIGHT / _DPI), dpi=_DPI, facecolor=_PAPER)
        self.canvas = FigureCanvasAgg(self.figure)
        self.layout = lay_out(view.state.labels.topology, AREA)
        self.marks: dict[tuple[str, float], list[tuple[float, float]]] = {}  # by kind and size

    def draw(self) -> NDArray[np.uint8]:
        networks = sort_view(self.view)
        self._draw_header()
        for network in networks:
            if network.hosts:
                self._draw_network(network)
        self._draw_blocks([host for network in networks for host in network.hosts])
        self._draw_footer([network.name for network in networks if not network.hosts])
        self._draw_marks()
        self.canvas.draw()  # type: ignore[no-untyped-call]
        pixels = np.asarray(self.canvas.buffer_rgba())  # type: ignore[no-untyped-call]
        return pixels[:, :, :3].copy()

    # --- what is drawn ----------------------------------------------------------------------------

    def _draw_header(self) -> None:
        view = self.view
        limit = "" if view.max_steps is None else f" of {view.max_steps}"
        told = f"step {view.steps}{limit}"
        right = WIDTH - _MARGIN
        room = right - _MARGIN - (len(told) + 2) * _letter_width(12)
        self._write(view.title, _MARGIN, 15, 14, room=room, weight="bold")
        self._write(told, right, 15, 12, align="right")
        self._rectangle(Box(_MARGIN, 28, WIDTH - 2 * _MARGIN, 5), _BOX_COLOUR, "none")
        if view.max_steps:
            share = min(1.0, view.steps / view.max_steps)
            self._rectangle(Box(_MARGIN, 28, share * (WIDTH - 2 * _MARGIN), 5), _FAINT, "none")
        parts = take_apart(view.goal, view.state)
        reached = sum(part.is_reached is True for part in parts)
        told = f"Goal: {reached} of {len(parts)} reached" if parts else "Goal: none"
        words = [f"[{'x' if part.is_reached else ' '}] {part}" for part in parts]
        self._write(told, _MARGIN, 46, 11, weight="bold")
        self._write("   ".join(words), _MARGIN, 64, 10, room=WIDTH - 2 * _MARGIN)

    def _draw_network(self, network: NetworkView) -> None:
        box = self.layout.networks[network.network]
        self._rectangle(box, _BOX_COLOUR, _RIM_COLOUR)
        height = self.layout.name_height
        name = network.name or "unknown network"
        size = min(10.0, height / _LINE)
        self._write(name, box.x + 5, box.y + height / 2, size, room=box.width - 8, colour=_FAINT)
        for host in network.hosts:
            self._draw_host(host, self.layout.hosts[host.address])

    def _draw_host(self, host: HostView, cell: Box) -> None:
        glyph, y = self._glyph(cell)
        ip, size = _fit_address(host.ip, cell, letters_beside=2 if host.is_goal else 0)
        self._mark("controlled" if host.is_controlled else "known", glyph, y, _mark_size(size))
        x = glyph + _mark_size(size)
        self._write(ip, x, y, size, weight="bold" if host.is_controlled else "normal")
        if host.is_goal:
            self._mark("wanted", x + (len(ip) + 1.4) * _letter_width(size), y, 1.2 * size)
        lines = _describe(host)
        letters = min(size, 10)
        room = int((cell.height - 1.9 * letters) / (_LINE * letters))
        if room < 1:
            name = next((name for name, _ in lines if name), "")
            if name:
                mark = _mark_size(size)
                share = 1.2 if name == "wanted" else 0.5
                self._mark(name, glyph + 0.35 * mark, y + 0.5 * mark, share * mark)
            return
        end = cell.x + cell.width
        for name, text in _shorten(lines, room):
            y += _LINE * letters
            if name:
                self._mark(name, x + 4, y, (1.0 if name == "wanted" else 0.6) * letters)
            colour = _BLOCKED if name == "blocked" else _INK if name else _FAINT
            self._write(text, x + 12, y, letters, room=end - x - 12, colour=colour)

    def _draw_blocks(self, hosts: Sequence[HostView]) -> None:
        pairs = {
            tuple(sorted((host.address, other)))
            for host in hosts
            for other, _ in host.blocked
            if other != host.address and other in self.layout.hosts
        }
        if not pairs:
            return
        arcs = [
            _arc(*(self._flip(*self._glyph(self.layout.hosts[address])) for address in pair))
            for pair in sorted(pairs)
        ]
        self.figure.add_artist(
            PathCollection(
                arcs,
                edgecolors=_BLOCKED,
                facecolors="none",
                linewidths=1.2,
                linestyles="dashed",
                alpha=max(0.15, min(0.8, 6 / len(arcs))),  # many would hide what is below them
                transform=IdentityTransform(),
                zorder=1.5,
            )
        )

    def _draw_footer(self, empty: Sequence[str]) -> None:
        if empty:
            told = f"No host found in {', '.join(empty)}"
            self._write(told, _MARGIN, 553, 10, room=WIDTH - 2 * _MARGIN, colour=_FAINT)
        x = _MARGIN + 5
        for name, text in _LEGEND:
            self._mark(name, x, 581, 12 if name == "wanted" else 8)
            self._write(text, x + 11, 581, 10)
            x += 34 + len(text) * _letter_width(10)

    # --- how it is drawn --------------------------------------------------------------------------

    @staticmethod
    def _glyph(cell: Box) -> tuple[float, float]:
        """The middle of the mark of a host."""
        return cell.x + min(_GLYPH_X, cell.width / 2), cell.y + min(8.0, cell.height / 2)

    @staticmethod
    def _flip(x: float, y: float) -> tuple[float, float]:
        return x, HEIGHT - y

    def _mark(self, name: str, x: float, y: float, size: float) -> None:
        """Marks of one kind and size are drawn together in the end: that takes half the time."""
        self.marks.setdefault((name, round(size, 1)), []).append(self._flip(x, y))

    def _draw_marks(self) -> None:
        for (name, size), places in self.marks.items():
            marker, fill = _MARKS[name]
            xs, ys = zip(*places, strict=True)
            line = Line2D(
                xs,
                ys,
                linestyle="none",
                marker=marker,
                markersize=size * 72 / _DPI,
                markerfacecolor=fill,
                markeredgecolor=fill if marker == "x" else _INK,
                markeredgewidth=2 if marker == "x" else 0.7,
                transform=IdentityTransform(),
                zorder=2,
            )
            self.figure.add_artist(line)

    def _rectangle(self, box: Box, fill: str, rim: str) -> None:
        corner = self._flip(box.x, box.y + box.height)
        style: dict[str, Any] = {"facecolor": fill, "edgecolor": rim, "linewidth": 0.8}
        self.figure.add_artist(
            Rectangle(
                corner, box.width, box.height, transform=IdentityTransform(), zorder=1, **style
            )
        )

    def _write(
        self,
        text: str,
        x: float,
        y: float,
        size: float,
        *,
        room: float = WIDTH,
        colour: str = _INK,
        weight: str = "normal",
        align: str = "left",
    ) -> None:
        """A line of text beside a place; cut if it has more than `room` pixels, size in pixels."""
        if size < _LEAST_SIZE:
            return
        self.figure.text(
            *self._flip(x, y),
            _cut(text, int(room / _letter_width(size))),
            fontsize=size * 72 / _DPI,
            family=_FONT,
            color=colour,
            weight=weight,
            ha=align,
            va="center_baseline",
            parse_math=False,
            usetex=False,
            transform=IdentityTransform(),
            zorder=3,
        )


def _describe(host: HostView) -> list[tuple[str, str]]:
    """The lines below an address: what mark they have, and what they say."""
    wanted = [("wanted", name) for name in host.data or () if name in host.wanted]
    others = [("data", name) for name in host.data or () if name not in host.wanted]
    count = len(host.blocked)
    blocked = (
        [("blocked", f"{count} blocked" if count > 1 else host.blocked[0][1])] if count else []
    )
    return [*wanted, *blocked, *others, *(("", name) for name in host.services or ())]


def _shorten(lines: list[tuple[str, str]], room: int) -> list[tuple[str, str]]:
    if len(lines) <= room:
        return lines
    return [*lines[: room - 1], ("", f"+ {len(lines) - room + 1} more")]


def _fit_address(ip: str, cell: Box, letters_beside: int) -> tuple[str, int]:
    """An address and the size of its letters; in a narrow cell it loses its first numbers."""
    forms = [ip, *(ip[place:] for place, letter in enumerate(ip) if letter == ".")]
    tried = [(form, size) for form in forms for size in (12, 11, 10, 9)]
    for form, size in [*tried, *((forms[-1], size) for size in (8, 7, 6, 5))]:
        letters = len(form) + letters_beside
        width = _GLYPH_X + _mark_size(size) + letters * _letter_width(size)
        if width <= cell.width and size * _LINE <= cell.height:
            return form, size
    return forms[-1], 4  # too small to be written


def _mark_size(size: float) -> float:
    """How large the mark of a host is beside letters of a size."""
    return min(0.9 * size, 10)


def _arc(start: tuple[float, float], end: tuple[float, float]) -> Path:
    """A curve between two places, bent so that it leaves the texts between them alone."""
    bend = min(0.15 * hypot(end[0] - start[0], end[1] - start[1]) + 12, 40)
    middle = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + bend
    return Path([start, middle, end], [Path.MOVETO, Path.CURVE3, Path.CURVE3])


def _letter_width(size: float) -> int:
    return max(1, round(size * _LETTER))


def _cut(text: str, length: int) -> str:
    """The text in at most so many letters, all of them such as the font has."""
    plain = "".join(letter if letter < "\u0250" else "?" for letter in text)
    return plain if len(plain) <= length else f"{plain[: max(0, length - 1)]}…"
