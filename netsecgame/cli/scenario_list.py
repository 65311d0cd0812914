"""`netsecgame scenarios`: the shipped scenarios in numbers."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from netsecgame.core.topology import INTERNET
from netsecgame.scenarios import list_scenarios, load_scenario


def print_scenarios() -> None:
    """Print a table of all shipped scenarios."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    table.add_column("scenario", no_wrap=True)
    for title in ("networks", "hosts", "routers", "services", "data", "starts"):
        table.add_column(title, justify="right")
    for name in list_scenarios():
        scenario = load_scenario(name)
        hosts = scenario.hosts
        routers = [router for router in scenario.routers if router.name != INTERNET]
        interfaces = [i for host in hosts for i in host.interfaces]
        interfaces += [i for router in routers for i in router.interfaces]
        table.add_row(
            name,
            str(len({interface.network for interface in interfaces})),
            str(len(hosts)),
            str(len(routers)),
            str(sum(len(host.services) for host in hosts)),
            str(sum(len(host.data) for host in hosts)),
            str(sum(host.is_start_place for host in hosts)),
        )
    console = Console(highlight=False)
    console.print(table)
    console.print("See one with: netsecgame scenarios show NAME")
