"""A small office to play in, and short names for what a test says often.

Clients reach the web server only, everybody inside reaches the outside::

    servers 192.168.1.0/24: WEB, DB, GATEWAY     clients 192.168.2.0/24: PC, LAPTOP, GATEWAY_2
    outside 213.47.23.192/26: OUTSIDE
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from netsecgame.core.dynamics import Dynamics
from netsecgame.core.scenario import AllowRule, Host, Interface, Router, Scenario
from netsecgame.core.task import GAME_ACTIONS, GameSpec, Position, RoleTask, Task
from netsecgame.core.topology import Topology, compile_scenario
from netsecgame.core.world import World
from netsecgame.game_components import (
    IP,
    Action,
    ActionType,
    AgentRole,
    Data,
    GameState,
    Network,
    Service,
)
from netsecgame.utils.utils import parse_log_content

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVERS = Network("192.168.1.0", 24)
CLIENTS = Network("192.168.2.0", 24)
OUTSIDE_NET = Network("213.47.23.192", 26)
#: Networks beside SERVERS and CLIENTS.
BELOW, ABOVE = Network("192.168.0.0", 24), Network("192.168.3.0", 24)

GATEWAY, WEB, DB = map(IP, ("192.168.1.1", "192.168.1.2", "192.168.1.3"))
GATEWAY_2, PC, LAPTOP = map(IP, ("192.168.2.1", "192.168.2.2", "192.168.2.3"))
OUTSIDE, INTERNET_IP = IP("213.47.23.195"), IP("213.47.23.193")
NOWHERE = IP("10.9.9.9")
INSIDE = (GATEWAY, WEB, DB, GATEWAY_2, PC, LAPTOP)
EVERYWHERE = (*INSIDE, OUTSIDE)

HTTP = Service("http", "passive", "1.4.54", is_local=False)
SSH = Service("ssh", "passive", "8.1.0", is_local=False)
BASH = Service("bash", "passive", "5.0.0", is_local=True)
RDP = Service("rdp", "passive", "10.0", is_local=False)
SHELL = Service("powershell", "passive", "10.0", is_local=True)
UNKNOWN_SERVICE = Service("gopher")

PAGE, TABLE, BACKUP = Data("User1", "Page"), Data("User1", "Table"), Data("User2", "Backup")
NOTES = Data("User3", "Notes", size=7, type="text")
UNKNOWN_DATA = Data("Nobody", "Nothing")
LOG = Data("system", "logfile", type="log")

ATTACKER, DEFENDER, BENIGN = AgentRole.Attacker, AgentRole.Defender, AgentRole.Benign


def single(ip: IP) -> Network:
    """The network of one address."""
    return Network(str(ip), 32)


def interfaces(network: Network, *ips: IP) -> tuple[Interface, ...]:
    return tuple(Interface(ip, network) for ip in ips)


OFFICE = Scenario(
    "office",
    hosts=(
        Host("web", interfaces(SERVERS, WEB), services=(HTTP, SSH, BASH), data=(PAGE,)),
        Host("db", interfaces(SERVERS, DB), services=(SSH, BASH), data=(TABLE, BACKUP)),
        Host("pc", interfaces(CLIENTS, PC), services=(RDP, SHELL), is_start_place=True),
        Host(
            "laptop",
            interfaces(CLIENTS, LAPTOP),
            services=(SHELL,),
            data=(NOTES,),
            is_start_place=True,
        ),
        Host("outside", interfaces(OUTSIDE_NET, OUTSIDE), services=(BASH,)),
    ),
    routers=(
        Router(
            "gateway",
            (*interfaces(SERVERS, GATEWAY), *interfaces(CLIENTS, GATEWAY_2)),
            allow=(AllowRule(CLIENTS, single(WEB)),),
        ),
        Router("internet", interfaces(OUTSIDE_NET, INTERNET_IP)),
    ),
)

#: Everybody plays; nobody has a goal or a limit.
PLAIN_ROLES = {
    ATTACKER: RoleTask(start=Position(controlled_hosts=(PC, OUTSIDE))),
    DEFENDER: RoleTask(start=Position(controlled_hosts=INSIDE)),
    BENIGN: RoleTask(start=Position(controlled_hosts=(LAPTOP,))),
}


def office_topology(**settings: Any) -> Topology:
    """The office compiled; settings as for `compile_scenario`."""
    return compile_scenario(OFFICE, **settings)


def office_spec(roles: Mapping[AgentRole, RoleTask] | None = None, **settings: Any) -> GameSpec:
    """A task in the office.

    Args:
        roles: What differs from `PLAIN_ROLES`.
        settings: Further fields of `Task`.
    """
    return GameSpec(Task("office", {**PLAIN_ROLES, **(roles or {})}, **settings), OFFICE)


def office_world(
    roles: Mapping[AgentRole, RoleTask] | None = None, seed: int = 1, **settings: Any
) -> World:
    return World(office_spec(roles, **settings), seed)


def office_dynamics(seed: int = 1, **settings: Any) -> Dynamics:
    return Dynamics(office_spec(**settings), seed)


def chances(**by_name: float) -> dict[ActionType, float]:
    """Probabilities of success: 1 for every type of action that is not named."""
    return {kind: by_name.get(kind.value, 1.0) for kind in GAME_ACTIONS}


def view(*controlled: IP, **parts: Any) -> GameState:
    """A view that controls these hosts and knows no others; `parts` are those of a GameState."""
    state = GameState(controlled_hosts=set(controlled), known_hosts=set(controlled))
    return replace(state, **parts)


def log_of(dynamics: Dynamics, ip: IP) -> list[tuple[IP, str]]:
    """What was logged on an address: who did what, oldest first."""
    log = dynamics.truth.read_log(dynamics.labels.find_address(ip))
    entries = parse_log_content(log.content) if log.content else []
    assert entries is not None
    return [(IP(str(e["source_host"])), str(e["action_type"])) for e in entries]


def logs(dynamics: Dynamics) -> dict[IP, list[str]]:
    """The types of the actions that were logged, for each address of a device with a log."""
    found = {ip: [kind for _, kind in log_of(dynamics, ip)] for ip in EVERYWHERE}
    return {ip: kinds for ip, kinds in found.items() if kinds}


def scan(source: IP, network: Network | str) -> Action:
    if isinstance(network, str):
        address, _, mask = network.partition("/")
        network = Network(address, int(mask))
    return Action(ActionType.ScanNetwork, {"source_host": source, "target_network": network})


def find_services(source: IP, target: IP) -> Action:
    return Action(ActionType.FindServices, {"source_host": source, "target_host": target})


def find_data(source: IP, target: IP) -> Action:
    return Action(ActionType.FindData, {"source_host": source, "target_host": target})


def exploit(source: IP, target: IP, service: Service) -> Action:
    return Action(
        ActionType.ExploitService,
        {"source_host": source, "target_host": target, "target_service": service},
    )


def exfiltrate(source: IP, target: IP, datum: Data) -> Action:
    return Action(
        ActionType.ExfiltrateData, {"source_host": source, "target_host": target, "data": datum}
    )


def block(source: IP, target: IP, blocked: IP) -> Action:
    return Action(
        ActionType.BlockIP, {"source_host": source, "target_host": target, "blocked_host": blocked}
    )
