"""Observations as graphs: what the agent knows of the network, and nothing else of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from gymnasium import spaces

from netsecgame.core.bits import iter_bits
from netsecgame.core.knowledge import Knowledge
from netsecgame.envs.observations.observer import named_hosts, says_the_same

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from netsecgame.core.action_index import ActionIndex
    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState
    from netsecgame.envs.batch.features import Floats

#: The features of a node that are not about one datum or service.
_NODE_FEATURES = (
    "is_network",
    "is_host",
    "is_known",
    "is_controlled",
    "is_private",
    "rank",
    "steps",
)
_IS_NETWORK, _IS_HOST, _IS_KNOWN, _IS_CONTROLLED, _IS_PRIVATE, _RANK, _STEPS = range(7)

_EDGE_FEATURES = ("in_network", "is_blocked")
_IN_NETWORK, _IS_BLOCKED = range(2)


class GraphObserver:
    """A node for each network and host that the state names; networks come first.

    Both are in the order of the action index. An edge leads from a host to its network and back,
    and from a host to each one that it is known to be cut off from.

    Attributes:
        node_features: What the columns of the nodes say.
        edge_features: What the columns of the edges say.
        space: Graph of such nodes and edges.
    """

    edge_features: Sequence[str] = _EDGE_FEATURES

    def __init__(self, index: ActionIndex) -> None:
        topology = index.topology
        self._index = index
        self._own = (1 << len(index.addresses)) - 1  # without outsiders, which have no rank
        self._private_networks = [network.is_private() for network in topology.networks]
        self._first_datum = len(_NODE_FEATURES)
        self._first_service = self._first_datum + len(index.data)
        data = map(topology.data.__getitem__, index.data)
        self.node_features: Sequence[str] = [
            *_NODE_FEATURES,
            *(f"data {datum.owner} {datum.id}" for datum in data),
            *(f"service {s.name} {s.version} {s.type}" for s in topology.services),
        ]
        highest = np.ones(len(self.node_features), np.float32)
        highest[_RANK] = max(len(index.addresses), len(index.networks)) - 1
        self.space = spaces.Graph(
            spaces.Box(np.zeros_like(highest), highest, dtype=np.float32),
            spaces.Box(0, 1, (len(_EDGE_FEATURES),), np.float32),
        )
        self._known = Knowledge()  # what the graph shows
        self._graph = self._draw(self._known)

    def begin(self, goal: Goal) -> None:
        """Nothing to do: the graph does not tell the goal."""

    def observe(self, state: KnownState, share: float) -> spaces.GraphInstance:
        """The observation of a state: nodes (n, …) and edges (m, …) float32, links (m, 2) int32."""
        known = state.knowledge
        if not says_the_same(known, self._known):
            self._graph = self._draw(known)
        self._known = known
        nodes, edges, links = self._graph
        nodes = nodes.copy()
        nodes[:, _STEPS] = share
        return spaces.GraphInstance(nodes, edges.copy(), links.copy())

    def _draw(self, known: Knowledge) -> tuple[Floats, Floats, NDArray[np.int32]]:
        index = self._index
        networks = sorted(iter_bits(known.networks), key=index.network_ranks.__getitem__)
        hosts = sorted(
            iter_bits(named_hosts(known) & self._own), key=index.address_ranks.__getitem__
        )
        nodes = np.zeros((len(networks) + len(hosts), len(self.node_features)), np.float32)
        for node, network in zip(nodes, networks, strict=False):
            self._draw_network(node, network)
        for node, host in zip(nodes[len(networks) :], hosts, strict=True):
            self._draw_host(node, host, known)
        links = list(self._links(networks, hosts, known))
        edges = np.zeros((len(links), len(_EDGE_FEATURES)), np.float32)
        for edge, (_, _, feature) in zip(edges, links, strict=True):
            edge[feature] = 1
        ends = np.array([(one, other) for one, other, _ in links], np.int32).reshape(-1, 2)
        return nodes, edges, ends

    def _draw_network(self, node: Floats, network: int) -> None:
        node[_IS_NETWORK] = node[_IS_KNOWN] = 1
        node[_IS_PRIVATE] = self._private_networks[network]
        node[_RANK] = self._index.network_ranks[network]

    def _draw_host(self, node: Floats, host: int, known: Knowledge) -> None:
        index = self._index
        node[_IS_HOST] = 1
        node[_IS_KNOWN] = known.hosts >> host & 1
        node[_IS_CONTROLLED] = known.controlled >> host & 1
        node[_IS_PRIVATE] = index.topology.private_addresses >> host & 1
        node[_RANK] = index.address_ranks[host]
        for datum in iter_bits(known.data.get(host, 0)):
            node[self._first_datum + index.data_ranks[datum]] = 1
        for service in iter_bits(known.services.get(host, 0)):
            node[self._first_service + service] = 1

    def _links(
        self, networks: Sequence[int], hosts: Sequence[int], known: Knowledge
    ) -> Iterator[tuple[int, int, int]]:
        """From which node to which, and the feature that the edge has."""
        inside = self._index.topology.inside
        node_of = {host: len(networks) + place for place, host in enumerate(hosts)}
        for node, network in enumerate(networks):
            for host in hosts:
                if inside[network] >> host & 1:
                    yield node_of[host], node, _IN_NETWORK
                    yield node, node_of[host], _IN_NETWORK
        for host in hosts:
            for other in iter_bits(known.blocks.get(host, 0)):
                if other in node_of:
                    yield node_of[host], node_of[other], _IS_BLOCKED
