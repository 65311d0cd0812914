"""A `Scenario` as the text of a scenario file: one host a block, rules by names of networks."""

from __future__ import annotations

import json
import re
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from netsecgame.core.scenario import AllowRule, Host, Interface, Router, Scenario
    from netsecgame.game_components import Data, Network, Service

#: Text that YAML takes for text, and for nothing else, without quotes.
_PLAIN = re.compile(r"[A-Za-z_][\w.-]*( [\w.-]+)*|\d+(\.\d+){2,3}", re.ASCII)
_NO_TEXT = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def format_scenario(
    scenario: Scenario, network_names: Mapping[Network, str], comment: Iterable[str] = ()
) -> str:
    """The text of a scenario file; loading it gives the same hosts and routers.

    Args:
        scenario: What to write.
        network_names: The name of every network, in the order of the file.
        comment: Lines at the top.
    """
    lines = [f"# {line}".rstrip() for line in comment]
    lines += ["networks:", *(f"  {format_text(n)}: {net}" for net, n in network_names.items())]
    lines += ["", "hosts:"]
    for host in scenario.hosts:
        lines += _format_host(host)
    lines += ["", "routers:"] if scenario.routers else []
    for router in scenario.routers:
        lines += _format_router(router, network_names)
    return "\n".join([*lines, ""])


def format_text(text: str) -> str:
    """Text as YAML, in quotes if it could be taken for something else."""
    is_plain = _PLAIN.fullmatch(text) and text.casefold() not in _NO_TEXT
    return text if is_plain else json.dumps(text)


def _format_host(host: Host) -> Iterator[str]:
    yield f"  {format_text(host.name)}:"
    yield f"    interfaces: {_format_interfaces(host.interfaces)}"
    if host.is_start_place:
        yield "    is_start_place: true"
    if host.services:
        yield "    services:"
        yield from (f"      - {{{_format_service(service)}}}" for service in host.services)
    if host.data:
        yield "    data:"
        yield from (f"      - {{{_format_datum(datum)}}}" for datum in host.data)


def _format_router(router: Router, network_names: Mapping[Network, str]) -> Iterator[str]:
    yield f"  {format_text(router.name)}:"
    yield f"    interfaces: {_format_interfaces(router.interfaces)}"
    if router.allow:
        yield "    allow:"
    for source, rules in groupby(router.allow, key=lambda rule: rule.source):
        targets = _format_targets(list(rules), network_names)
        yield f"      - {{from: {_format_end(source, network_names)}, to: {targets}}}"


def _format_targets(rules: Sequence[AllowRule], network_names: Mapping[Network, str]) -> str:
    ends = [_format_end(rule.destination, network_names) for rule in rules]
    return ends[0] if len(ends) == 1 else f"[{', '.join(ends)}]"


def _format_end(end: Network, network_names: Mapping[Network, str]) -> str:
    if end in network_names:
        return format_text(network_names[end])
    return end.ip if end.mask == 32 else str(end)


def _format_interfaces(interfaces: Iterable[Interface]) -> str:
    return f"[{', '.join(str(interface.ip) for interface in interfaces)}]"


def _format_service(service: Service) -> str:
    parts = {"name": service.name, "version": service.version}
    if service.type != "passive":
        parts["type"] = service.type
    said = ", ".join(f"{key}: {format_text(value)}" for key, value in parts.items())
    return f"{said}, is_local: true" if service.is_local else said


def _format_datum(datum: Data) -> str:
    return f"owner: {format_text(datum.owner)}, id: {format_text(datum.id)}"
