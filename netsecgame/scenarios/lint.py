"""What can be wrong with a scenario although every part is well formed."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

from netsecgame.documents import DocumentPath, Problem, format_path
from netsecgame.errors import suggest_nearest
from netsecgame.scenarios.conversion import (
    NetworkTable,
    convert_datum,
    convert_service,
    list_rule_end,
    parse_networks,
    parse_rule_end,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from ipaddress import IPv4Network

    from netsecgame.game_components import Data, Service


def find_contradictions(content: Mapping[str, Any]) -> list[Problem]:
    """Everything that contradicts itself in the values of a scenario file.

    Args:
        content: The values, already checked against the schema.
    """
    blocks = parse_networks(content["networks"])
    return [
        *_check_networks(blocks),
        *_check_names(content),
        *_check_addresses(content, blocks),
        *_check_repeats(content),
        *_check_rules(content),
    ]


def _check_networks(blocks: Mapping[str, IPv4Network]) -> Iterator[Problem]:
    # Where no neighbours in order overlap, none do; there may be hundreds.
    if not any(block.overlaps(other) for block, other in pairwise(sorted(blocks.values()))):
        return
    for (first, block), (second, other) in combinations(blocks.items(), 2):
        if block.overlaps(other):
            reason = f"{other} overlaps with {block}, which is network {first!r}"
            yield Problem(("networks", second), reason)


def _check_names(content: Mapping[str, Any]) -> Iterator[Problem]:
    for name in content.get("routers") or {}:
        if name in content["hosts"]:
            yield Problem(("routers", name), "there is a host of this name too")


def _check_addresses(
    content: Mapping[str, Any], blocks: Mapping[str, IPv4Network]
) -> Iterator[Problem]:
    table = NetworkTable(blocks.values())
    owners: dict[str, DocumentPath] = {}
    for place, device in _devices(content):
        for index, address in enumerate(device["interfaces"]):
            at = (*place, "interfaces", index)
            if table.find(address) is None:
                known = ", ".join(map(str, blocks.values()))
                yield Problem(at, f"{address} is inside none of the networks, which are {known}")
            if address in owners:
                first = format_path(owners[address])
                yield Problem(at, f"{address} is given twice, first to {first}")
            owners.setdefault(address, place)


def _check_repeats(content: Mapping[str, Any]) -> Iterator[Problem]:
    for name, host in content["hosts"].items():
        for part, convert in (("services", convert_service), ("data", convert_datum)):
            first_of: dict[Service | Data, int] = {}
            for index, entry in enumerate(host.get(part) or ()):
                first = first_of.setdefault(convert(entry), index)
                if first != index:
                    reason = f"is the same as {part}[{first}] of this host"
                    yield Problem(("hosts", name, part, index), reason)


def _check_rules(content: Mapping[str, Any]) -> Iterator[Problem]:
    networks = content["networks"]
    for name, router in (content.get("routers") or {}).items():
        for index, rule in enumerate(router.get("allow") or ()):
            for end in ("from", "to"):
                for entry in list_rule_end(rule[end]):
                    try:
                        parse_rule_end(entry, networks)
                    except ValueError:
                        yield Problem(
                            ("routers", name, "allow", index, end),
                            "expected the name of a network, a network such as 192.168.1.0/28, "
                            f"or an address, got {entry!r}{suggest_nearest(entry, networks)}",
                        )


def _devices(content: Mapping[str, Any]) -> Iterator[tuple[DocumentPath, Mapping[str, Any]]]:
    for kind in ("hosts", "routers"):
        for name, device in (content.get(kind) or {}).items():
            yield (kind, name), device
