"""A game action in indices: what the rules work on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from netsecgame.game_components import ActionType

if TYPE_CHECKING:
    from netsecgame.core.addressing import Labels
    from netsecgame.game_components import IP, Action

_set = object.__setattr__


@dataclass(frozen=True, slots=True)
class IndexedAction:
    """A game action whose parts are looked up; -1 stands for what does not exist.

    It is made once and played often, so it has ready what every step asks for.

    Attributes:
        type: Which action.
        source: Address index of the source host.
        target: Address index of the target host; -1 for ScanNetwork.
        item: ScanNetwork: mask of the addresses inside the network. ExploitService: service index.
            ExfiltrateData: data index. BlockIP: address index of the blocked host. Else 0.
        log_entry: What the devices it acts on note in their logs.
        outsider: BlockIP: the blocked host's address, if the world has no index for it yet.
        name: Of its type; what `transition.RULE_BY_NAME` has its rule under.
        source_mask: The source host as a mask; empty if it does not exist.
        targets: Mask of the addresses it acts on: of the target host, or those in the network.
    """

    type: ActionType
    source: int
    target: int = -1
    item: int = 0
    log_entry: str = ""
    outsider: IP | None = None
    name: str = field(init=False, repr=False, compare=False)
    source_mask: int = field(init=False, repr=False, compare=False)
    targets: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _set(self, "name", self.type._name_)
        _set(self, "source_mask", _mask(self.source))
        is_scan = self.type is ActionType.ScanNetwork
        _set(self, "targets", self.item if is_scan else _mask(self.target))


#: An action of an index, the same in indices, and its text as `trajectory.count_text` counts it.
NumberedAction: TypeAlias = tuple["Action", IndexedAction, int]


def _mask(address: int) -> int:
    return 1 << address if address >= 0 else 0


def index_action(action: Action, labels: Labels) -> IndexedAction:
    """Look up the parts of a game action that has all its parameters.

    Raises:
        KeyError: If a parameter is missing.
    """
    kind = action.type
    parameters: dict[str, Any] = action.parameters
    topology = labels.topology
    source = labels.find_address(parameters["source_host"])
    entry = log_entry(kind, parameters["source_host"])
    if kind is ActionType.ScanNetwork:
        inside = labels.addresses_inside(parameters["target_network"])
        return IndexedAction(kind, source, -1, inside, entry)
    target = labels.find_address(parameters["target_host"])
    if kind is ActionType.ExploitService:
        service = topology.service_index.get(parameters["target_service"], -1)
        return IndexedAction(kind, source, target, service, entry)
    if kind is ActionType.ExfiltrateData:
        datum = topology.data_index.get(parameters["data"], -1)
        return IndexedAction(kind, source, target, datum, entry)
    if kind is ActionType.BlockIP:
        ip = parameters["blocked_host"]
        blocked = labels.find_address(ip)
        return IndexedAction(kind, source, target, blocked, entry, ip if blocked < 0 else None)
    return IndexedAction(kind, source, target, 0, entry)


def log_entry(kind: ActionType, source: IP) -> str:
    """What a device notes of an action, as JSON."""
    return f'{{"source_host": "{source}", "action_type": "{kind}"}}'
