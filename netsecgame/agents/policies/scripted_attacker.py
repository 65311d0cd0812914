"""An attacker with a method: scan, find services, exploit, find data, exfiltrate.

At every step it lists what could bring it nearer to the goal and plays the most promising. Who
reaches whom it cannot see: it learns that from what changed after an action, and what did not.
"""

from __future__ import annotations

from collections import Counter, deque
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any, TypeAlias

from netsecgame.agents.policy import IDLE, Policy
from netsecgame.game_components import (
    IP,
    Action,
    ActionType,
    AgentRole,
    AgentStatus,
    GameState,
    Network,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netsecgame.game_components import Data, Observation

Route: TypeAlias = tuple[IP, IP | Network]  # from a host to a host, or to a network it scans
Option: TypeAlias = tuple[tuple[int, ...], Action]  # (doubt, rank, details…): least is played

#: What an action is good for, most promising first.
TO_GOAL, DETOUR, READ, EXPLOIT, ASK, SCAN_NEW, READ_OWN, SCAN_AGAIN, SCAN_WIDE = range(9)

#: Where an action ought to succeed, one failure less than this may be bad luck.
PATIENCE = 4


class ScriptedAttacker(Policy):
    """An attacker that knows the rules of the game, but not the network it is in."""

    plays_as = AgentRole.Attacker
    is_watched = False  # it was detected once
    is_fickle = False  # an action has failed and succeeded later

    def begin_episode(self, start: Observation) -> None:
        """Read the goal; what was learned of the network may no longer be true."""
        goal = dict(start.info.get("goal", {}))
        self.goal_blocks = goal.pop("known_blocks", {})  # may hold a word in place of hosts
        self.goal = GameState.from_dict(goal)
        self.open: set[Route] = set()
        self.failures: Counter[Route] = Counter()
        self.conquered: list[IP] = []
        self.last: tuple[GameState, Action] | None = None
        self.recent: deque[ActionType] = deque(maxlen=4)

    def end_episode(self, last: Observation) -> None:
        """An attacker fails only when it is detected."""
        self.is_watched |= last.info.get("end_reason") == AgentStatus.Fail

    def choose_action(self, state: GameState) -> Action:
        """The most promising action."""
        if self.last is not None:
            self.learn(*self.last, state)
        self.state = state
        action = min(self.options(), key=self.order, default=((), IDLE))[1]
        self.last = state, action
        self.recent.append(action.type)
        return action

    def order(self, option: Option) -> tuple[Any, ...]:
        """The lesser, the better; the watched would rather not repeat themselves."""
        promise, action = option
        # Of five actions, two of one type are conspicuous; only data may be read twice.
        unnoticed = 1 if action.type is ActionType.FindData else 0
        is_conspicuous = self.is_watched and self.recent.count(action.type) > unnoticed
        return promise[0] > 0, is_conspicuous, promise, str(action)

    # --- who reaches whom ---

    def learn(self, before: GameState, action: Action, after: GameState) -> None:
        """Conclude from the last action which ways are open."""
        source = action.parameters["source_host"]
        target = action.parameters.get("target_host") or action.parameters["target_network"]
        self.open |= {(source, host) for host in after.known_hosts - before.known_hosts}
        self.conquered += sorted(after.controlled_hosts - before.controlled_hosts)
        if after == before:
            self.failures[source, target] += 1
        else:
            self.is_fickle |= self.failures[source, target] > 0
            self.open.add((source, target))
            # A scan that showed something has shown all there is.
            self.failures[source, target] = PATIENCE if isinstance(target, Network) else 0

    def is_likely(self, source: IP, target: IP) -> bool:
        """Whether there should be a way: it was seen, or the rules of firewalls say so."""
        if source == target or (source, target) in self.open:
            return True
        is_inside = any(source in net and target in net for net in self.state.known_networks)
        return source.is_private() and (is_inside or not target.is_private())

    def doubt(self, failures: int, *, is_luck: bool) -> int:
        """How much failures speak against trying again; 0 is not at all."""
        return max(0, failures - PATIENCE + 1) if is_luck else failures

    def doubt_way(self, source: IP, target: IP) -> int:
        """How much speaks against there being a way."""
        if source == target:
            return 0
        blocks = self.state.known_blocks
        if target in blocks.get(source, ()) or source in blocks.get(target, ()):
            return 1_000
        return self.doubt(self.failures[source, target], is_luck=self.is_likely(source, target))

    def source_for(self, target: IP) -> IP:
        """The controlled host with the best way to a target."""
        return min(
            self.state.controlled_hosts,
            key=lambda source: (
                self.doubt_way(source, target),
                not self.is_likely(source, target),
                self.failures[source, target],
                not source.is_private(),
                source,
            ),
        )

    # --- what to do ---

    def options(self) -> Iterator[Option]:
        """All that could be of use."""
        state, goal, mine = self.state, self.goal, self.state.controlled_hosts
        if not mine:
            return
        data = [
            (host, datum)
            for host, wanted in goal.known_data.items()
            for datum in sorted(wanted - state.known_data.get(host, set()))
        ]
        services = {
            host: missing
            for host, wanted in goal.known_services.items()
            if (missing := wanted - state.known_services.get(host, set()))
        }
        networks = goal.known_networks - state.known_networks
        blocks = list(self.missing_blocks())
        victims = goal.controlled_hosts | {host for host, _ in data}
        victims |= {host for host, missing in services.items() if any(s.is_local for s in missing)}
        victims |= {host for host, other in blocks if other not in mine}
        victims -= mine
        sought = (goal.known_hosts | victims | set(services)) - state.known_hosts
        wanted_hosts = victims | set(services)
        wanted_hosts |= {h for h in state.known_hosts if any(h in net for net in networks)}

        yield from self.exploits(wanted_hosts)
        yield from self.questions(wanted_hosts, set(services))
        yield from self.scans(sought, networks)
        yield from self.readings([datum for _, datum in data])
        for host, datum in data:
            yield from self.transfers(host, datum)
        if not (victims or sought or networks or data or services):  # blocks may cut one's own ways
            for host, other in blocks:
                at, cut = (host, other) if host in mine else (other, host)
                yield (0, TO_GOAL), _act(ActionType.BlockIP, at, at, blocked_host=cut)

    def exploits(self, wanted: set[IP]) -> Iterator[Option]:
        """Take over a host through a known service."""
        for host, services in self.state.known_services.items():
            if services and host not in self.state.controlled_hosts:
                source = self.source_for(host)
                service = sorted(services)[self.failures[source, host] % len(services)]
                rank = TO_GOAL if host in wanted else EXPLOIT
                exploit = _act(ActionType.ExploitService, source, host, target_service=service)
                yield (self.doubt_way(source, host), rank, host.value), exploit

    def questions(self, wanted: set[IP], incomplete: set[IP]) -> Iterator[Option]:
        """Ask a host for its services; who controls it is told the local ones too."""
        known, mine = self.state.known_services, self.state.controlled_hosts
        for host in self.state.known_hosts:
            if host in mine and host in incomplete:
                yield (0, TO_GOAL, host.value), _act(ActionType.FindServices, host, host)
            elif host not in mine and host not in known:
                # A host without services never answers, whoever asks.
                failures = sum(self.failures[source, host] for source in mine)
                doubt = self.doubt(failures, is_luck=self.is_fickle)
                rank = TO_GOAL if host in wanted else ASK
                question = _act(ActionType.FindServices, self.source_for(host), host)
                yield (doubt, rank, host.value), question

    def scans(self, sought: set[IP], networks: set[Network]) -> Iterator[Option]:
        """Look for hosts: first where none are known, from the host that was taken last."""
        state = self.state
        known = state.known_networks | networks
        known |= {Network(str(h), 24) for h in sought if not any(h in net for net in known)}
        wide = {_around(network) for network in known if network.is_private()} - known
        for network in known | wide:
            times = sum(self.failures[host, network] for host in state.controlled_hosts)
            hosts = sum(host in network for host in state.known_hosts)
            rank = SCAN_AGAIN if times else SCAN_NEW
            if network in wide:
                rank = SCAN_WIDE
            elif network in networks or any(host in network for host in sought):
                rank = TO_GOAL
            for source in state.controlled_hosts:
                doubt = self.doubt(self.failures[source, network], is_luck=self.is_fickle)
                age = self.conquered[::-1].index(source) if source in self.conquered else 1_000
                promise = doubt, rank, times, hosts, not source.is_private(), age
                parameters = {"target_network": network, "source_host": source}
                yield promise, Action(ActionType.ScanNetwork, parameters)

    def readings(self, wanted: list[Data]) -> Iterator[Option]:
        """Read a host's data, as long as nobody knows where the wanted data are."""
        known, mine = self.state.known_data, self.state.controlled_hosts
        if all(any(datum in known.get(host, ()) for host in mine) for datum in wanted):
            return
        for host in mine:
            if not any(datum.type == "log" for datum in known.get(host, ())):  # each host has one
                rank = READ if host in self.conquered else READ_OWN
                yield (0, rank, host.value), _act(ActionType.FindData, host, host)

    def transfers(self, goal: IP, datum: Data) -> Iterator[Option]:
        """Copy data to where they are wanted, or to a host that may reach that one."""
        mine = self.state.controlled_hosts
        holders = {host for host in mine if datum in self.state.known_data.get(host, ())}
        for source in holders if goal in mine else ():
            for target in mine - holders:
                doubt, rank = self.doubt_way(source, target), TO_GOAL
                if target != goal:
                    doubt += self.doubt_way(target, goal)
                    rank = DETOUR if self.is_likely(target, goal) else ASK
                promise = doubt, rank, not self.is_likely(source, target)
                yield promise, _act(ActionType.ExfiltrateData, source, target, data=datum)

    def missing_blocks(self) -> Iterator[tuple[IP, IP]]:
        """Pairs of hosts that the goal wants cut off from each other."""
        for key, blocked in self.goal_blocks.items():
            host, others = IP(key), self.state.controlled_hosts
            if blocked != "all_attackers":
                others = {IP.from_dict(other) for other in blocked}
            for other in sorted(others - {host} - self.state.known_blocks.get(host, set())):
                yield host, other


def _around(network: Network) -> Network:
    wide = IPv4Network((network.ip, max(8, network.mask - 8)), strict=False)
    return Network(str(wide.network_address), wide.prefixlen)


def _act(kind: ActionType, source: IP, target: IP, **rest: Any) -> Action:
    return Action(kind, {"target_host": target, "source_host": source, **rest})
