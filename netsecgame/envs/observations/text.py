"""Observations as text: all that the agent knows, for language models.

    step 3 of 50
    goal: Exfiltrate User1's DataFromServer1 to the attacker's own 213.47.23.195.
    missing: User1/DataFromServer1 on 213.47.23.195
    networks: 192.168.1.0/24, 192.168.2.0/24, 192.168.3.0/24, 213.47.23.192/26
    host 192.168.1.2: known
      services: microsoft-ds/passive/10.0.19041, powershell/passive/10.0.19041/local
    host 192.168.2.2: controlled
      data: User1/DataFromServer1, system/logfile/log
      blocked: 192.168.1.2
      log: 2 ScanNetwork from 192.168.2.2, FindData from 192.168.2.2

Things are written as in `netsecgame.envs.action_text`. A line that is absent is not known: a host
without the line of its services has not been asked for them, one that has none says so. A log names
equal entries that follow each other once, with their number; the newest is last.
"""

from __future__ import annotations

import string
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from gymnasium import spaces

from netsecgame.core.addressing import MAX_OUTSIDERS
from netsecgame.core.bits import iter_bits
from netsecgame.core.logs import MAX_LOG_ENTRIES, log_data
from netsecgame.envs.action_text import format_value
from netsecgame.envs.goal_parts import name_of, take_apart
from netsecgame.envs.observations.observer import named_hosts
from netsecgame.game_components import ACTION_PARAMETERS
from netsecgame.utils.utils import parse_log_content

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netsecgame.core.goal import Goal
    from netsecgame.core.knowledge import KnownState, Masks
    from netsecgame.core.task import RoleTask
    from netsecgame.core.topology import Topology
    from netsecgame.game_components import Data, Service

_LONGEST_IP = "255.255.255.255"
_LONGEST_NETWORK = f"{_LONGEST_IP}/32"

#: New addresses make a text that names some at most so many times as long: 1.0.0.1 is the shortest.
_GROWTH = 3

#: More than a line has besides what it lists.
_LINE = 40

#: Between two things in a list.
_COMMA = len(", ")

#: More than one thing of a goal or a log has besides its names.
_WORDS = 15


class TextObserver:
    """All that an agent knows in words.

    Attributes:
        space: Text of every length that a state of the task can have.
    """

    def __init__(self, topology: Topology, role_task: RoleTask) -> None:
        self._topology = topology
        self._max_steps = role_task.max_steps
        self._description = " ".join(role_task.goal_description.split())
        self._goal: Goal | None = None
        self._last: tuple[KnownState, str] | None = None  # all but the first line
        self.space = spaces.Text(
            max_length=_max_length(topology, role_task),
            charset=_charset(topology, self._description),
        )

    def begin(self, goal: Goal) -> None:
        """A new episode begins: its goal is told from now on."""
        self._goal = goal
        self._last = None

    def observe(self, state: KnownState, share: float) -> str:
        """The observation of a state."""
        if self._last is None or self._last[0] is not state:
            self._last = state, "\n".join(self._lines(state))
        if self._max_steps is None:
            return self._last[1]
        return f"step {round(share * self._max_steps)} of {self._max_steps}\n{self._last[1]}"

    def _lines(self, state: KnownState) -> Iterator[str]:
        if self._description:
            yield f"goal: {state.labels.translate(self._description)}"
        if self._goal is not None:
            parts = take_apart(self._goal, state)
            missing = [str(part) for part in parts if not part.is_reached]
            if parts:
                yield f"missing: {_list(missing)}"
        yield f"networks: {_list(map(str, sorted(state.known_networks)))}"
        addresses = state.labels.addresses
        for host in sorted(iter_bits(named_hosts(state.knowledge)), key=addresses.__getitem__):
            yield from self._describe(host, state)

    def _describe(self, host: int, state: KnownState) -> Iterator[str]:
        known, labels = state.knowledge, state.labels
        ip = labels.addresses[host]
        if known.controlled >> host & 1:
            yield f"host {ip}: controlled"
        else:
            yield f"host {ip}: {'known' if known.hosts >> host & 1 else 'not found yet'}"
        for name, masks, things in (
            ("services", known.services, self._topology.services),
            ("data", known.data, self._topology.data),
            ("blocked", known.blocks, labels.addresses),
        ):
            yield from _tell_items(name, masks, host, things)
        if host in known.logs:
            yield f"  log: {_list(_tell_log(log_data(known.logs[host]).content))}"


def _tell_items(name: str, masks: Masks, host: int, things: Any) -> Iterator[str]:
    if host in masks:
        items = sorted(things[item] for item in iter_bits(masks[host]))
        yield f"  {name}: {_list(map(format_value, items))}"


def _tell_log(content: str) -> Iterator[str]:
    entries = parse_log_content(content) if content else []
    for (kind, source), same in groupby(entries or (), itemgetter("action_type", "source_host")):
        count = len(list(same))
        entry = f"{str(kind).removeprefix('ActionType.')} from {source}"
        yield entry if count == 1 else f"{count} {entry}"


def _list(words: Iterable[str]) -> str:
    return ", ".join(words) or "none"


def _max_length(topology: Topology, role_task: RoleTask) -> int:
    """No observation is longer."""
    hosts, networks = len(topology.addresses), len(topology.networks)
    everything: list[Service | Data] = [*topology.services, *topology.data]
    address, network = len(_LONGEST_IP) + _COMMA, len(_LONGEST_NETWORK) + _COMMA
    items = sum(len(format_value(thing)) + _COMMA for thing in everything)
    entry = max(len(kind.to_string()) for kind in ACTION_PARAMETERS) + _WORDS + address
    of_host = 5 * _LINE + address + items + (hosts + MAX_OUTSIDERS) * address
    of_host += MAX_LOG_ENTRIES * entry
    of_outsider = 2 * _LINE + address + hosts * address
    goal = 2 * _LINE + _GROWTH * len(role_task.goal_description) + networks * (network + _WORDS)
    # On each host: itself, each thing, and each address or all attackers to be blocked.
    goal += hosts * (3 * (address + _WORDS) + items)
    goal += hosts * (len(everything) + hosts) * (2 * address + _WORDS)
    known = _LINE + networks * network + hosts * of_host + MAX_OUTSIDERS * of_outsider
    return _LINE + goal + known


def _charset(topology: Topology, description: str) -> frozenset[str]:
    """All letters that an observation can have."""
    things: list[Service | Data] = [*topology.services, *topology.data]
    names = (f"{format_value(thing)}{name_of(thing)}" for thing in things)
    plain = string.ascii_letters + string.digits + string.punctuation + " \n"
    return frozenset(plain).union(description, *names)
