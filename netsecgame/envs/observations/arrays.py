"""Observations as named boolean arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces

from netsecgame.envs.observations.flat import FlatObserver

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.envs.batch.layout import StateLayout


class ArraysObserver:
    """An array for each part of a state, and the share of the steps used.

    Rows and columns are in the order of the action index; services are in that of the topology.

    Attributes:
        axes: What the places along each axis stand for, under the addresses of the scenario:
            ``networks``, ``hosts``, ``services`` and ``data``.
        space: Dict of MultiBinary, and of a Box (1,) for ``steps``.
    """

    def __init__(self, layout: StateLayout) -> None:
        self._flat = FlatObserver(layout)
        index = layout.index
        topology = index.topology
        hosts, networks, data = len(index.addresses), len(index.networks), len(index.data)
        services = len(topology.services)
        self.axes: Mapping[str, Sequence[str]] = {
            "networks": [str(topology.networks[network]) for network in index.networks],
            "hosts": [str(topology.addresses[address]) for address in index.addresses],
            "services": [f"{s.name} {s.version} {s.type}" for s in topology.services],
            "data": [f"{d.owner} {d.id}" for d in map(topology.data.__getitem__, index.data)],
        }
        #: Where the features of services are in their array, whose rows have more columns.
        self._service_places = np.array(
            [
                rank * services + service
                for rank, of_host in enumerate(layout.services_of)
                for service in of_host
            ],
            np.intp,
        )
        shapes: dict[str, Sequence[int]] = {
            "known_networks": [networks],
            "known_hosts": [hosts],
            "controlled_hosts": [hosts],
            "known_services": [hosts, services],
            "known_data": [hosts, data],
        }
        if layout.has_blocks:
            shapes["known_blocks"] = [hosts, hosts]
        parts: dict[str, spaces.Space[Any]] = {
            name: spaces.MultiBinary(shape) for name, shape in shapes.items()
        }
        self.space = spaces.Dict({**parts, "steps": spaces.Box(0, 1, (1,), np.float32)})
        self._shapes = {name: tuple(shape) for name, shape in shapes.items()}

    def begin(self, goal: Goal) -> None:
        """Nothing to do: the arrays do not tell the goal."""

    def observe(self, state: KnownState, share: float) -> dict[str, NDArray[Any]]:
        """The observation of a state: (…) int8 of 0 and 1 by name, and ``steps``, (1,) float32."""
        features = self._flat.observe(state, share)
        bits = features.astype(np.int8)
        observation: dict[str, NDArray[Any]] = {}
        start = 0
        for name, shape in self._shapes.items():
            if name == "known_services":
                end = start + len(self._service_places)
                part = np.zeros(shape, np.int8)
                part.flat[self._service_places] = bits[start:end]
            else:
                end = start + int(np.prod(shape))
                part = bits[start:end].reshape(shape).copy()
            observation[name] = part
            start = end
        observation["steps"] = features[-1:].copy()
        return observation
