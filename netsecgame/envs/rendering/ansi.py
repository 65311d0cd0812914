"""A view as text for a terminal of 100 columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.envs.goal_parts import take_apart
from netsecgame.envs.rendering.view import sort_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TypeAlias

    from netsecgame.envs.rendering.view import HostView, View

    Pieces: TypeAlias = Iterable[tuple[str, str]]

_WIDTH = 100
_INDENT = 20

# Select Graphic Rendition codes.
_PLAIN, _BOLD, _DIM = "", "1", "2"
_GREEN, _YELLOW, _BLUE, _CYAN, _RED = "32", "33", "1;34", "36", "31"

_REACHED = {True: ("✓", _GREEN), False: ("✗", _YELLOW), None: ("?", _DIM)}


def render_ansi(view: View, *, colours: bool = False) -> str:
    """What an agent knows, a line for each host, at most 100 columns wide.

    ``●`` is a controlled and ``○`` a known host, ``★`` marks data that the goal wants; services in
    parentheses are local to their host.

    Args:
        view: What to show.
        colours: Whether to put in escape sequences that a terminal shows as colours.
    """
    return "\n".join(_paint(line, colours=colours) for line in _lines(view))


def _lines(view: View) -> Iterator[Pieces]:
    limit = "" if view.max_steps is None else f" of {view.max_steps}"
    yield from _wrap([(view.title, _BOLD), (f"step {view.steps}{limit}", _PLAIN)], 4)
    parts = take_apart(view.goal, view.state)
    reached = sum(part.is_reached is True for part in parts)
    told = f"goal: {reached} of {len(parts)} reached" if parts else "goal: none"
    yield [(told, _PLAIN)]
    for part in parts:
        mark, style = _REACHED[part.is_reached]
        yield from _wrap([(f"  {mark}", style), (str(part), _PLAIN)], 4)
    networks = sort_view(view)
    for network in networks:
        if network.hosts:
            yield [(network.name or "unknown network", _BOLD)]
            for host in network.hosts:
                yield from _wrap(_list_host(host), _INDENT)
    empty = [network.name for network in networks if not network.hosts]
    if empty:
        yield from _wrap([("no host found in", _DIM), *_listed(empty, _DIM)], 4)


def _list_host(host: HostView) -> Iterator[tuple[str, str]]:
    mark, style = ("●", _BLUE) if host.is_controlled else ("○", _PLAIN)
    data = [f"{name}★" if name in host.wanted else name for name in host.data or ()]
    blocked = [ip for _, ip in host.blocked]
    lists = [
        ("services:", _PLAIN, host.services, host.services),
        ("data:", _CYAN, host.data, data),
        ("blocked:", _RED, host.blocked or None, blocked),
    ]
    told = [(name, colour, items) for name, colour, known, items in lists if known is not None]
    yield f"  {mark} {host.ip:<15}" if told else f"  {mark} {host.ip}", style
    for name, colour, items in told:
        yield name, _DIM
        yield from _listed(items or ["none"], colour)


def _listed(words: Iterable[str], style: str) -> Pieces:
    words = list(words)
    last = len(words) - 1
    return [(word if i == last else f"{word},", style) for i, word in enumerate(words)]


def _wrap(pieces: Pieces, indent: int) -> Iterator[Pieces]:
    """The pieces and spaces between them in lines of at most `_WIDTH`, the later ones indented."""
    line: list[tuple[str, str]] = []
    used = -1
    for whole, style in pieces:
        for text in _cut(whole, _WIDTH - indent):
            if used + 1 + len(text) > _WIDTH:
                yield line
                line, used = [(" " * (indent - 1), _PLAIN)], indent - 1
            line.append((text, style))
            used += 1 + len(text)
    yield line


def _cut(text: str, length: int) -> Iterator[str]:
    return (text[start : start + length] for start in range(0, len(text), length))


def _paint(line: Pieces, *, colours: bool) -> str:
    return " ".join(
        f"\x1b[{style}m{text}\x1b[0m" if colours and style else text for text, style in line
    )
