"""`netsecgame scenarios show`: a scenario as a picture in the terminal.

First a box for each network with the devices in it; then a matrix of who reaches whom, in which
addresses that reach the same and are reached by the same share a row and a column.
"""

from __future__ import annotations

from string import ascii_uppercase
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from netsecgame.core.topology import INTERNET, compile_scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from netsecgame.core.scenario import Host, Router, Scenario
    from netsecgame.core.topology import Topology
    from netsecgame.game_components import IP, Network

_WIDTH = 100

#: With more groups than that the matrix is a list of arrows.
_MAX_COLUMNS = 20


def print_picture(scenario: Scenario) -> None:
    """Print a scenario, at most 100 columns wide."""
    console = Console(highlight=False)
    console.width = min(_WIDTH, console.width) if console.is_terminal else _WIDTH
    console.print(draw_scenario(scenario))


def draw_scenario(scenario: Scenario) -> RenderableType:
    """The picture of a scenario."""
    devices: list[Host | Router] = [
        *scenario.hosts,
        *(router for router in scenario.routers if router.name != INTERNET),
    ]
    inside: dict[Network, list[tuple[IP, Host | Router]]] = {}
    for device in devices:
        for interface in device.interfaces:
            inside.setdefault(interface.network, []).append((interface.ip, device))
    boxes = [
        _draw_network(network, sorted(inside[network], key=lambda pair: pair[0]))
        for network in sorted(inside)
    ]
    topology = compile_scenario(scenario)
    title = Text.assemble(
        (scenario.name, "bold"),
        f": {len(scenario.hosts)} hosts in {len(inside)} networks",
    )
    legend = Text.assemble(
        ("★", "yellow"), " agents may start here   ", ("(local service)", "dim"),
        "   ", ("owner/data", "cyan"), "   ", ("router", "magenta"),
    )  # fmt: skip
    return Group(title, *boxes, legend, Text(), *_draw_reach(topology))


# --- what is where --------------------------------------------------------------------------------


def _draw_network(network: Network, members: Sequence[tuple[IP, Host | Router]]) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(width=1)
    table.add_column(width=15)
    table.add_column(no_wrap=True, width=16)
    table.add_column(ratio=3)
    table.add_column(ratio=2)
    for ip, device in members:
        is_start = getattr(device, "is_start_place", False)
        is_router = not hasattr(device, "services")
        table.add_row(
            Text("★" if is_start else " ", "yellow"),
            str(ip),
            Text(device.name, "magenta" if is_router else "bold"),
            _list_services(device),
            _list_data(device),
        )
    kind = "private" if network.is_private() else "public"
    title = Text.assemble((str(network), "bold"), f" {kind}")
    return Panel(table, title=title, title_align="left", border_style="blue")


def _list_services(device: Host | Router) -> Text:
    parts = [
        Text(f"({service.name})", "dim") if service.is_local else Text(service.name)
        for service in getattr(device, "services", ())
    ]
    return Text(", ").join(parts)


def _list_data(device: Host | Router) -> Text:
    names = [f"{datum.owner}/{datum.id}" for datum in getattr(device, "data", ())]
    return Text("\n".join(names), "cyan")


# --- who reaches whom -----------------------------------------------------------------------------


def _draw_reach(topology: Topology) -> list[RenderableType]:
    groups = group_addresses(topology)
    letters = [_letter(index) for index in range(len(groups))]
    marks = [[_mark(topology, row, column) for column in groups] for row in groups]
    title = Text("Who reaches whom, with the firewall on", "bold")
    if len(groups) > _MAX_COLUMNS:
        lines = Table.grid(padding=(0, 2, 0, 0))
        for letter, group, row in zip(letters, groups, marks, strict=True):
            reached = [other for other, mark in zip(letters, row, strict=True) if mark != "·"]
            targets = Text("→ ").append(" ".join(reached), "green")
            lines.add_row(Text(letter, "bold"), _addresses(topology, group), targets)
        return [title, lines]
    addresses = [_addresses(topology, group) for group in groups]
    used = 2 * len(groups) + max(map(len, addresses)) + 4
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="ellipsis", no_wrap=True, max_width=max(12, _WIDTH - used))
    table.add_row("", "", Text("to →", "dim", justify="right"), *(Text(x, "bold") for x in letters))
    for letter, where, group, row in zip(letters, addresses, groups, marks, strict=True):
        cells = (Text(mark, "dim" if mark == "·" else "green") for mark in row)
        table.add_row(Text(letter, "bold"), where, _names(topology, group), *cells)
    legend = Text.assemble(("●", "green"), " reaches   ", ("·", "dim"), " does not")
    if any("○" in row for row in marks):
        legend.append("   ○", "green").append(" each only itself")
    return [title, table, legend]


def group_addresses(topology: Topology) -> list[list[int]]:
    """Address indices, grouped: those of one network that reach the same and are reached alike."""
    order = sorted(
        range(len(topology.addresses)),
        key=lambda i: (topology.networks[topology.network_of[i]], topology.addresses[i]),
    )
    groups: list[list[int]] = []
    for address in order:
        for group in groups:
            if _are_alike(topology, group[0], address):
                group.append(address)
                break
        else:
            groups.append([address])
    return groups


def _are_alike(topology: Topology, one: int, other: int) -> bool:
    if topology.network_of[one] != topology.network_of[other]:
        return False
    pair = 1 << one | 1 << other
    if (topology.reach[one] ^ topology.reach[other]) & ~pair:
        return False
    if topology.reach[one] >> other & 1 != topology.reach[other] >> one & 1:
        return False
    return all(
        reach >> one & 1 == reach >> other & 1
        for source, reach in enumerate(topology.reach)
        if not pair >> source & 1
    )


def _mark(topology: Topology, row: Sequence[int], column: Sequence[int]) -> str:
    source = row[0]
    target = column[-1]  # in its own group, another one if there is any
    if topology.reach[source] >> target & 1:
        return "●"
    return "○" if row == column else "·"


def _letter(index: int) -> str:
    """A, B, …, Z, AA, AB and so on."""
    text = ""
    while index >= 0:
        text = ascii_uppercase[index % 26] + text
        index = index // 26 - 1
    return text


def _addresses(topology: Topology, group: Sequence[int]) -> str:
    """The group's addresses, runs and repeated beginnings shortened: ``192.168.1.2-4, .7``."""
    runs: list[list[IP]] = []
    for address in group:
        ip = topology.addresses[address]
        if runs and ip.value == runs[-1][-1].value + 1:
            runs[-1].append(ip)
        else:
            runs.append([ip])
    parts, told = [], ""
    for run in runs:
        beginning, _, end = run[0].ip.rpartition(".")
        text = f".{end}" if beginning == told else run[0].ip
        last = run[-1].ip.removeprefix(f"{beginning}.")
        parts.append(f"{text}-{last}" if len(run) > 1 else text)
        told = beginning
    return ", ".join(parts)


def _names(topology: Topology, group: Sequence[int]) -> str:
    return ", ".join(topology.device_names[topology.device_of[address]] for address in group)
