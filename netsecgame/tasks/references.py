"""Whether what a task names exists in the scenario it is played on."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from netsecgame.core.task import Word
from netsecgame.core.topology import INTERNET, LOG_DATA
from netsecgame.documents import Document, DocumentPath, Problem, format_path
from netsecgame.errors import TaskError, suggest_nearest
from netsecgame.tasks.conversion import BENIGN_START

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netsecgame.core.scenario import Scenario
    from netsecgame.core.task import Position, Task
    from netsecgame.game_components import IP, Data, Service

_K = TypeVar("_K")
_T = TypeVar("_T")


def check_references(
    task: Task, scenario: Scenario, document: Document | None = None
) -> list[TaskError]:
    """Everything that starts and goals name and the scenario does not have.

    Networks need not exist: scanning the neighbourhood is part of the game.

    Args:
        task: What names things.
        scenario: What should have them.
        document: What the task was read from; gives the errors their file and line.
    """
    checker = _Checker(scenario)
    problems: list[Problem] = []
    for role, role_task in task.roles.items():
        at = ("coordinator", "agents", role.value)
        if role_task.start is BENIGN_START:
            problems.extend(checker.check_default_start(at))
        else:
            problems.extend(checker.check(role_task.start, (*at, "start_position")))
        problems.extend(checker.check(role_task.goal, (*at, "goal")))
    if document is None:
        return [TaskError(p.reason, path=format_path(p.path)) for p in problems]
    return document.errors(TaskError, problems)


class _Checker:
    """One scenario as sets of names."""

    def __init__(self, scenario: Scenario) -> None:
        self._name = scenario.name
        self._host_of = {i.ip: host for host in scenario.hosts for i in host.interfaces}
        self._router_ips: set[IP] = set()
        self._outside_ips: set[IP] = set()
        for router in scenario.routers:
            ips = self._outside_ips if router.name == INTERNET else self._router_ips
            ips.update(interface.ip for interface in router.interfaces)
        self._ips = {*self._host_of, *self._router_ips}
        self._data = {datum for host in scenario.hosts for datum in host.data}
        self._has_start_place = any(host.is_start_place for host in scenario.hosts)
        self._has_private_network = any(ip.is_private() for ip in self._ips)

    def check(self, position: Position, at: DocumentPath) -> Iterator[Problem]:
        """What a position names and the scenario does not have."""
        for index, network in enumerate(position.known_networks):
            yield from self._check_word(network, (*at, "known_networks", index))
        for index, host in enumerate(position.known_hosts):
            yield from self._check_host(host, (*at, "known_hosts", index))
        for index, host in enumerate(position.controlled_hosts):
            yield from self._check_start_place(host, (*at, "controlled_hosts", index))
            yield from self._check_host(host, (*at, "controlled_hosts", index))
        for place, ip, service in _flatten(position.known_services, (*at, "known_services")):
            yield from self._check_service(ip, service, place)
        for place, _, datum in _flatten(position.known_data, (*at, "known_data")):
            yield from self._check_datum(datum, place)
        for place, _, blocked in _flatten(position.known_blocks, (*at, "known_blocks")):
            yield from self._check_host(blocked, place)
        for part in ("known_services", "known_data", "known_blocks"):
            for ip in getattr(position, part):
                yield from self._check_host(ip, (*at, part, str(ip)))

    def check_default_start(self, at: DocumentPath) -> Iterator[Problem]:
        """What keeps benign agents from starting where they do when the task does not say."""
        if not self._has_start_place:
            yield Problem(
                at,
                f"scenario {self._name!r} has no start place for benign agents; "
                "make a host one with is_start_place, or give Benign a start_position",
            )

    def _check_word(self, word: object, place: DocumentPath) -> Iterator[Problem]:
        if word is Word.ALL_LOCAL and not self._has_private_network:
            yield Problem(place, self._lacks("private network"))
        if word is Word.ALL_ROUTERS and not self._router_ips:
            yield Problem(place, self._lacks("router"))

    def _check_start_place(self, host: IP | Word, place: DocumentPath) -> Iterator[Problem]:
        if host is Word.RANDOM and not self._has_start_place:
            yield Problem(place, self._lacks("start place"))

    def _check_host(self, host: IP | Word, place: DocumentPath) -> Iterator[Problem]:
        if isinstance(host, Word):
            yield from self._check_word(host, place)
        elif host in self._outside_ips:
            owner = f"the router {INTERNET!r}, which is not part of the game"
            yield Problem(place, f"{host} is an address of {owner}")
        elif host not in self._ips:
            hint = suggest_nearest(str(host), map(str, sorted(self._ips)))
            yield Problem(place, f"scenario {self._name!r} has no address {host}{hint}")

    def _check_service(
        self, ip: IP, service: Service | Word, place: DocumentPath
    ) -> Iterator[Problem]:
        if ip not in self._ips:
            return  # its key is a problem already
        there = self._host_of[ip].services if ip in self._host_of else ()
        if isinstance(service, Word):
            if not there:
                yield Problem(place, f"{ip} has no services")
        elif service not in there:
            has = f"it has {', '.join(map(_describe_service, there)) or 'none'}"
            yield Problem(place, f"{ip} has no service {_describe_service(service)}; {has}")

    def _check_datum(self, datum: Data | Word, place: DocumentPath) -> Iterator[Problem]:
        if isinstance(datum, Word):
            if not self._data:
                yield Problem(place, self._lacks("data"))
        elif datum not in self._data and datum != LOG_DATA:
            known = sorted(_describe_datum(d) for d in self._data)
            hint = suggest_nearest(_describe_datum(datum), known)
            reason = f"scenario {self._name!r} has no data {_describe_datum(datum)}{hint}"
            yield Problem(place, reason)

    def _lacks(self, what: str) -> str:
        return f"scenario {self._name!r} has no {what} that this word could stand for"


def _flatten(
    part: Mapping[_K, tuple[_T, ...]], at: DocumentPath
) -> Iterator[tuple[DocumentPath, _K, _T]]:
    """Every entry of a part that is given by host, with its place and its host."""
    for host, entries in part.items():
        for index, entry in enumerate(entries):
            yield (*at, str(host), index), host, entry


def _describe_service(service: Service) -> str:
    is_local = str(service.is_local).lower()
    return f"[{service.name}, {service.type}, {service.version}, {is_local}]"


def _describe_datum(datum: Data) -> str:
    return f"[{datum.owner}, {datum.id}]"
