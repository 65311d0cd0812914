"""The actions that make sense in a state; equal ones are one object, whatever the state."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

from netsecgame.game_components import (
    ACTION_PARAMETERS,
    Action,
    ActionType,
    Data,
    GameState,
    fixed_action,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: What of a state the actions depend on, in a form that can be looked up.
_Set: TypeAlias = frozenset[Any]

# Most steps change nothing of that, and looking up takes a tenth of the time of listing; the last
# states of a few agents are enough.
_KEPT_STATES = 16
_KEPT_ACTIONS = 16_384  # of each type, some 10 MiB; forgetting one costs only time
_LONGEST_KEPT = 512  # characters of data in a kept action; what is longer is a log, which changes


def generate_valid_actions(state: GameState, include_blocks: bool = False) -> set[Action]:
    """All actions that make sense in `state`, as far as its agent can know.

    Pairs of hosts that are known to be cut off from each other are left out, in both directions.

    Args:
        state: What the agent knows.
        include_blocks: Whether BlockIP is one of its actions.

    Returns:
        Game actions; parameters in the order of `ACTION_PARAMETERS`. The set is the caller's, but
        the actions are shared, so their parameters cannot be changed.
    """
    sources = frozenset(state.controlled_hosts)
    hosts = frozenset(state.known_hosts)
    blocks = _freeze(state.known_blocks)
    actions = set(
        _list_without_blocks(
            sources,
            hosts,
            frozenset(state.known_networks),
            _freeze(state.known_services),
            _freeze({holder: map(_exactly, items) for holder, items in state.known_data.items()}),
            blocks,
        )
    )
    if include_blocks:
        actions.update(_list_blocks(sources, hosts, _cut_off_hosts(blocks)))
    return actions


def _freeze(by_host: Mapping[Any, Iterable[Any]]) -> _Set:
    return frozenset([(host, frozenset(items)) for host, items in by_host.items()])


def _exactly(item: Any) -> tuple[Any, int, str]:
    """The item with what its equality ignores."""
    return (item, item.size, str(item.content)) if isinstance(item, Data) else (item, 0, "")


@lru_cache(_KEPT_STATES)
def _list_without_blocks(
    sources: _Set, hosts: _Set, networks: _Set, services: _Set, data: _Set, blocks: _Set
) -> frozenset[Action]:
    cut_off = _cut_off_hosts(blocks)
    actions: list[Action] = []
    for source in sources:
        unreachable = cut_off.get(source, ())
        actions += [_scan_network(network, source) for network in networks]
        actions += [_find_services(target, source) for target in hosts if target not in unreachable]
        actions += [
            _exploit_service(target, service, source)
            for target, found in services
            if target not in unreachable
            for service in found
        ]
        actions.append(_find_data(source, source))
    actions += [
        _exfiltrate_data(target, holder, *exactly)
        for holder, items in data
        for target in sources
        if target != holder and target not in cut_off.get(holder, ())
        for exactly in items
    ]
    return frozenset(actions)


def _list_blocks(sources: _Set, hosts: _Set, cut_off: Mapping[Any, set[Any]]) -> list[Action]:
    return [
        _block_ip(target, source, other)
        for source in sources
        for target in sources
        if target not in cut_off.get(source, ())
        for other in hosts
        if target != other and other not in cut_off.get(target, ())
    ]


def _cut_off_hosts(blocks: _Set) -> Mapping[Any, set[Any]]:
    """By host, those it is known to be cut off from, whichever of the two is blocked."""
    cut_off: dict[Any, set[Any]] = {}
    for host, others in blocks:
        for other in others:
            cut_off.setdefault(host, set()).add(other)
            cut_off.setdefault(other, set()).add(host)
    return cut_off


def _sharing(action_type: ActionType) -> Callable[..., Action]:
    """Gives the one action of that type with those values, in the order of `ACTION_PARAMETERS`.

    Values beyond these only tell actions apart that are equal.
    """
    names = tuple(ACTION_PARAMETERS[action_type])

    @lru_cache(_KEPT_ACTIONS)
    def share(*values: Any) -> Action:
        return fixed_action(action_type, dict(zip(names, values, strict=False)))

    return share


_scan_network = _sharing(ActionType.ScanNetwork)
_find_services = _sharing(ActionType.FindServices)
_find_data = _sharing(ActionType.FindData)
_exploit_service = _sharing(ActionType.ExploitService)
_exfiltrate_short_data = _sharing(ActionType.ExfiltrateData)
_block_ip = _sharing(ActionType.BlockIP)


def _exfiltrate_data(target: Any, holder: Any, data: Any, size: int, content: str) -> Action:
    if len(content) <= _LONGEST_KEPT:
        return _exfiltrate_short_data(target, holder, data, size, content)
    parameters = {"target_host": target, "source_host": holder, "data": data}
    return fixed_action(ActionType.ExfiltrateData, parameters)
