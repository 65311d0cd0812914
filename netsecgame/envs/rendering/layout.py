"""Where hosts and networks are in a picture.

Places go by the topology alone, so a host is at the same place in every episode of a task, under
whatever address, and from before anybody knows of it.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netsecgame.core.topology import Topology

# Pixels of a box that are not cells: its name above them, its rim, the gap to the next box.
_NAME, _RIM, _GAP = 18.0, 5.0, 8.0

#: With more networks than that, they become less.
_ROOMY_NETWORKS = 25

# The shape of cell that holds an address and some lines below it best.
_CELL_WIDTH, _CELL_HEIGHT = 150.0, 75.0

#: More columns than that leave no pixel to draw on.
_MAX_COLUMNS = 200


class Box(NamedTuple):
    """A rectangle in pixels from the left and the top."""

    x: float
    y: float
    width: float
    height: float


class Layout(NamedTuple):
    """Where everything is.

    Attributes:
        networks: By network index; only networks that have hosts.
        hosts: By address index.
        name_height: Room for its name at the top of the box of a network.
    """

    networks: Mapping[int, Box]
    hosts: Mapping[int, Box]
    name_height: float


class _Shelf(NamedTuple):
    """Networks side by side; each has so many columns, all have so many rows."""

    networks: Sequence[tuple[int, int]]  # network, columns
    rows: int

    @property
    def columns(self) -> int:
        return sum(columns for _, columns in self.networks)


def lay_out(topology: Topology, area: Box) -> Layout:
    """Place all hosts of a topology in an area, as large as they can be."""
    return _Planner(topology, area).plan()


class _Planner:
    def __init__(self, topology: Topology, area: Box) -> None:
        self.area = area
        self.members: dict[int, list[int]] = {}
        for address in sorted(range(len(topology.addresses)), key=topology.addresses.__getitem__):
            self.members.setdefault(topology.network_of[address], []).append(address)
        self.order = sorted(self.members, key=topology.networks.__getitem__)
        scale = min(1.0, sqrt(_ROOMY_NETWORKS / max(1, len(self.order))))
        self.name, self.rim, self.gap = _NAME * scale, _RIM * scale, _GAP * scale

    def plan(self) -> Layout:
        most = min(sum(map(len, self.members.values())), _MAX_COLUMNS)
        tried = map(self._fill_shelves, range(1, most + 1))
        return self._place(max(tried, key=self._cell_size, default=[]))

    def _fill_shelves(self, most: int) -> list[_Shelf]:
        """The networks on as few shelves as have at most so many columns."""
        shelves: list[_Shelf] = []
        for network in self.order:
            count = len(self.members[network])
            rows = -(-count // most)
            columns = -(-count // rows)
            if shelves and shelves[-1].columns + columns <= most:
                networks = [*shelves[-1].networks, (network, columns)]
                shelves[-1] = _Shelf(networks, max(rows, shelves[-1].rows))
            else:
                shelves.append(_Shelf([(network, columns)], rows))
        return shelves

    def _cell_size(self, shelves: Sequence[_Shelf]) -> float:
        """How well the cells hold what belongs in them."""
        width = min(map(self._cell_width, shelves))
        return min(width / _CELL_WIDTH, self._cell_height(shelves) / _CELL_HEIGHT)

    def _cell_width(self, shelf: _Shelf) -> float:
        count = len(shelf.networks)
        taken = 2 * self.rim * count + self.gap * (count - 1)
        return (self.area.width - taken) / shelf.columns

    def _cell_height(self, shelves: Sequence[_Shelf]) -> float:
        count = len(shelves)
        taken = (self.name + self.rim) * count + self.gap * (count - 1)
        return (self.area.height - taken) / sum(shelf.rows for shelf in shelves)

    def _place(self, shelves: Sequence[_Shelf]) -> Layout:
        networks: dict[int, Box] = {}
        hosts: dict[int, Box] = {}
        y = self.area.y
        for shelf in shelves:
            width, height = self._cell_width(shelf), self._cell_height(shelves)
            box_height = self.name + shelf.rows * height + self.rim
            x = self.area.x
            for network, columns in shelf.networks:
                box_width = columns * width + 2 * self.rim
                networks[network] = Box(x, y, box_width, box_height)
                for place, address in enumerate(self.members[network]):
                    row, column = divmod(place, columns)
                    left, top = x + self.rim + column * width, y + self.name + row * height
                    hosts[address] = Box(left, top, width, height)
                x += box_width + self.gap
            y += box_height + self.gap
        return Layout(networks, hosts, self.name)
