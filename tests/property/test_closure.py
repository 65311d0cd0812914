"""What is worked out at once is what playing the real rules from every start ends with."""

from __future__ import annotations

from itertools import combinations
from random import Random
from typing import TYPE_CHECKING, TypeVar

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from netsecgame.core.actions.indexed import IndexedAction
from netsecgame.core.addressing import Labels
from netsecgame.core.bits import iter_bits, mask_of
from netsecgame.core.closure import play_everything
from netsecgame.core.dynamics import compile_game
from netsecgame.core.knowledge import Knowledge
from netsecgame.core.positions import draw_position, start_knowledge
from netsecgame.core.reachability import Unreachable, find_unreachable
from netsecgame.core.scenario import AllowRule, Host, Interface, Router, Scenario
from netsecgame.core.task import GAME_ACTIONS, GameSpec, Position, RoleTask, Task, Word
from netsecgame.core.topology import LOG_DATA, Topology, compile_scenario
from netsecgame.core.transition import apply_action
from netsecgame.core.world_state import WorldState
from netsecgame.game_components import IP, ActionType, AgentRole, Data, Network, Service

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_T = TypeVar("_T")

NETWORKS = (Network("10.0.0.0", 24), Network("10.0.9.0", 24), Network("213.47.23.0", 24))
SERVICES = (Service("ssh", "passive", "1", False), Service("bash", "passive", "1", True))
DATA = (Data("User1", "Plans"), Data("User2", "Keys"))

#: Networks, hosts and controlled hosts; services and data by address.
Facts = tuple[int, int, int, dict[int, int], dict[int, int]]


def some(rng: Random, items: Sequence[_T], share: float = 0.5) -> list[_T]:
    return [item for item in items if rng.random() < share]


def draw_scenario(rng: Random) -> Scenario:
    """A few machines, many with two addresses, and rules between any of them."""
    used = 0
    hosts = []
    for number in range(rng.randint(1, 5)):
        interfaces = []
        for network in rng.choices(NETWORKS, k=rng.randint(1, 2)):
            used += 1
            ip = f"{network.ip.rpartition('.')[0]}.{used}"
            interfaces.append(Interface(IP(ip), network))
        services, data = some(rng, SERVICES), some(rng, DATA)
        is_start_place = rng.random() < 0.5
        hosts.append(
            Host(f"h{number}", tuple(interfaces), tuple(services), tuple(data), is_start_place)
        )
    ends = [Network(str(i.ip), 32) for host in hosts for i in host.interfaces] + [*NETWORKS]
    rules = [AllowRule(rng.choice(ends), rng.choice(ends)) for _ in range(rng.randint(0, 6))]
    return Scenario("random", tuple(hosts), (Router("router", (), tuple(rules)),))


def draw_start(rng: Random, topology: Topology) -> Knowledge:
    """A start that may know of things on hosts it does not control."""
    addresses = range(len(topology.addresses))
    services = {a: mask_of(some(rng, range(len(topology.services)))) for a in some(rng, addresses)}
    data = {a: mask_of(some(rng, range(len(topology.data)))) for a in some(rng, addresses)}
    start = Knowledge(
        hosts=mask_of(some(rng, addresses, 0.2)),
        controlled=mask_of(rng.sample(addresses, min(len(addresses), rng.randint(1, 2)))),
        services={a: mask for a, mask in services.items() if mask},
        data={a: mask for a, mask in data.items() if mask},
        logs={a: LOG_DATA for a, mask in data.items() if mask & 1},
    )
    return start_knowledge(start, Labels.original(topology))


class Player:
    """Plays the real rules until nothing is new, and remembers all it ever knew."""

    def __init__(
        self, topology: Topology, start: Knowledge, playable: Collection[ActionType]
    ) -> None:
        self.truth = WorldState(topology, Labels.original(topology))
        self.known = start
        self.ever = facts(start)
        self.playable = playable
        self.everywhere = (1 << len(topology.addresses)) - 1

    def play(self, kind: ActionType, source: int, target: int = -1, item: int = 0) -> None:
        if kind in self.playable:
            action = IndexedAction(kind, source, target, item)
            self.known = apply_action(self.truth, self.known, action, "player")
            self.ever = both(self.ever, facts(self.known))

    def play_all(self) -> Facts:
        before = None
        while (self.ever, self.truth.data) != before:
            before = self.ever, list(self.truth.data)
            self.take_over()
            for source in iter_bits(self.known.controlled):
                self.play(ActionType.ScanNetwork, source, item=self.everywhere)
                for target in iter_bits(self.known.controlled):
                    self.play(ActionType.FindData, source, target)
                    for datum in iter_bits(self.known.data.get(source, 0)):
                        self.play(ActionType.ExfiltrateData, source, target, datum)
        return self.ever

    def take_over(self) -> None:
        """As much as can be without a scan: a host that is asked first tells its network too."""
        before = None
        while self.ever != before:
            before = self.ever
            for source in iter_bits(self.known.controlled):
                for target in iter_bits(self.everywhere):
                    for service in iter_bits(self.known.services.get(target, 0)):
                        self.play(ActionType.ExploitService, source, target, service)
                    self.play(ActionType.FindServices, source, target)


def facts(known: Knowledge) -> Facts:
    return known.networks, known.hosts, known.controlled, dict(known.services), dict(known.data)


def both(one: Facts, other: Facts) -> Facts:
    """What is a fact in one of them or in the other."""

    def merge(masks: dict[int, int], more: dict[int, int]) -> dict[int, int]:
        keys = sorted({*masks, *more})
        return {key: masks.get(key, 0) | more.get(key, 0) for key in keys}

    return (
        one[0] | other[0],
        one[1] | other[1],
        one[2] | other[2],
        merge(one[3], other[3]),
        merge(one[4], other[4]),
    )


@settings(max_examples=300, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_play_everything_of_any_start_ends_as_playing_the_rules_does(seed: int) -> None:
    rng = Random(seed)
    topology = compile_scenario(draw_scenario(rng), use_firewall=rng.random() < 0.8)
    start = draw_start(rng, topology)
    playable = some(rng, GAME_ACTIONS[:-1], 0.8)

    end = play_everything(topology, start, playable)

    assert both(facts(start), facts(end)) == both(
        facts(start), Player(topology, start, playable).play_all()
    )


def draw_task(rng: Random, addresses: Sequence[IP]) -> Task:
    """An attacker with up to three random places and a goal of up to five parts."""
    ip, other = rng.choice(addresses), rng.choice(addresses)
    goal = Position(
        known_networks=tuple(some(rng, NETWORKS, 0.2)),
        known_hosts=tuple(some(rng, [ip], 0.3)),
        controlled_hosts=tuple(some(rng, [ip, other], 0.3)),
        known_services={ip: (Word.ALL,)} if rng.random() < 0.3 else {},
        known_data={other: (rng.choice([*DATA, LOG_DATA]),)},
    )
    start = Position(
        controlled_hosts=(*some(rng, [rng.choice(addresses)]), *[Word.RANDOM] * rng.randint(0, 3)),
        known_services={ip: tuple(some(rng, SERVICES, 0.8))} if rng.random() < 0.3 else {},
    )
    return Task(
        "random",
        {AgentRole.Attacker: RoleTask(start=start, goal=goal)},
        use_firewall=rng.random() < 0.8,
        success_probability={kind: float(rng.random() < 0.9) for kind in GAME_ACTIONS},
    )


def goal_parts(goal: Position) -> Iterator[tuple[str, str, Position]]:
    """The single things a goal of `draw_task` asks for: path, text, and a position of it alone."""
    for network in goal.known_networks:
        yield "known_networks", str(network), Position(known_networks=(network,))
    for ip in goal.known_hosts:
        yield "known_hosts", str(ip), Position(known_hosts=(ip,))
    for ip in goal.controlled_hosts:
        yield "controlled_hosts", str(ip), Position(controlled_hosts=(ip,))
    for key in goal.known_services:
        yield f"known_services.{key}", "all", Position(known_services={key: (Word.ALL,)})
    for key, data in goal.known_data.items():
        for datum in data:
            assert isinstance(datum, Data)
            name = f"{datum.owner}/{datum.id}"
            yield f"known_data.{key}", name, Position(known_data={key: (datum,)})


def find_by_trying(spec: GameSpec) -> list[Unreachable]:
    """The parts of the attacker's goal that cannot be reached, with the first start of each."""
    topology = compile_game(spec)
    task = spec.task.roles[AgentRole.Attacker]
    playable = [kind for kind, chance in spec.task.success_probability.items() if chance]
    fixed = Position(
        controlled_hosts=tuple(p for p in task.start.controlled_hosts if p is not Word.RANDOM),
        known_services=task.start.known_services,
    )
    base = draw_position(fixed, topology, Random()).knowledge
    free = [place for place in topology.start_places if not base.controlled >> place & 1]
    at_random = task.start.controlled_hosts.count(Word.RANDOM)
    found: dict[tuple[str, str], Unreachable] = {}
    for path, what, position in goal_parts(task.goal):
        wanted = facts(draw_position(position, topology, Random()).knowledge)
        for places in combinations(free, min(at_random, len(free))):
            controlled = base.controlled | mask_of(places)
            start = start_knowledge(base._replace(controlled=controlled), Labels.original(topology))
            end = facts(play_everything(topology, start, playable))
            if all(both(known, wanted) != both(known, known) for known in (facts(start), end)):
                hosts = tuple(topology.addresses[i] for i in iter_bits(controlled))
                found.setdefault((path, what), Unreachable(hosts, path, what))
    return list(found.values())


@settings(max_examples=300, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_find_unreachable_of_any_task_finds_what_trying_every_start_does(seed: int) -> None:
    rng = Random(seed)
    scenario = draw_scenario(rng)
    addresses = [i.ip for host in scenario.hosts for i in host.interfaces]
    data = {datum for host in scenario.hosts for datum in host.data}
    task = draw_task(rng, addresses)
    (goal,) = (role.goal for role in task.roles.values())
    assume(all(datum in {*data, LOG_DATA} for d in goal.known_data.values() for datum in d))
    spec = GameSpec(task, scenario)

    found = find_unreachable(spec, AgentRole.Attacker)

    assert sorted(found) == sorted(find_by_trying(spec))
