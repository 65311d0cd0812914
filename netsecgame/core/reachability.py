"""Whether a goal can be reached at all: everything an agent can do, done until nothing is new."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from netsecgame.core.actions.indexed import IndexedAction
from netsecgame.core.addressing import Labels
from netsecgame.core.bits import iter_bits, mask_of
from netsecgame.core.dynamics import compile_game
from netsecgame.core.positions import draw_position, start_knowledge
from netsecgame.core.task import Position, Word
from netsecgame.core.topology import LOG
from netsecgame.core.transition import apply_action
from netsecgame.core.world_state import WorldState
from netsecgame.game_components import IP, ActionType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from random import Random

    from netsecgame.core.knowledge import Knowledge
    from netsecgame.core.task import GameSpec
    from netsecgame.core.topology import Topology
    from netsecgame.game_components import AgentRole

_AGENT = "closure"
_T = TypeVar("_T")


class Unreachable(NamedTuple):
    """A part of a goal that no play from a start reaches.

    Attributes:
        start: The controlled hosts of that start.
        part: The part of the goal, e.g. ``known_data.192.168.1.2``.
        what: What is missing there.
    """

    start: tuple[IP, ...]
    part: str
    what: str


def play_everything(
    topology: Topology, start: Knowledge, playable: Collection[ActionType]
) -> Knowledge:
    """What an agent knows and controls when it has done all it can, alone and without blocking.

    Plays the real rules until nothing is new. Knowledge only grows, so the order does not matter.

    Args:
        topology: Where.
        start: What it knows at the start.
        playable: The types of action that can succeed.
    """
    closure = _Closure(topology, start, playable)
    before = None
    while closure.known != before:
        before = closure.known
        closure.scan()
        closure.exploit()
        closure.collect()
    return closure.known


class _Closure:
    """One agent that plays every action that could show it something new."""

    def __init__(
        self, topology: Topology, start: Knowledge, playable: Collection[ActionType]
    ) -> None:
        self.truth = WorldState(topology, Labels.original(topology))
        self.known = start
        self.playable = playable
        self.everything = (1 << len(topology.addresses)) - 1

    def play(self, kind: ActionType, source: int, target: int = -1, item: int = 0) -> None:
        if kind in self.playable:
            action = IndexedAction(kind, source, target, item)
            self.known = apply_action(self.truth, self.known, action, _AGENT)

    def scan(self) -> None:
        for source in iter_bits(self.known.controlled):
            self.play(ActionType.ScanNetwork, source, item=self.everything)

    def exploit(self) -> None:
        for source in iter_bits(self.known.controlled):
            for target in iter_bits(self.truth.reach[source] & ~self.known.controlled):
                self.play(ActionType.FindServices, source, target)
                for service in iter_bits(self.known.services.get(target, 0)):
                    self.play(ActionType.ExploitService, source, target, service)

    def collect(self) -> None:
        for source in iter_bits(self.known.controlled):
            for target in iter_bits(self.truth.reach[source] & self.known.controlled):
                self.play(ActionType.FindServices, source, target)
                if self.truth.data_on(target) & ~self.known.data.get(target, 0):
                    self.play(ActionType.FindData, source, target)
                new = self.known.data.get(source, 0) & ~self.known.data.get(target, 0)
                for datum in iter_bits(new):
                    self.play(ActionType.ExfiltrateData, source, target, datum)


def find_unreachable(spec: GameSpec, role: AgentRole) -> list[Unreachable]:
    """The parts of a role's goal that cannot be reached, for every way its words may be drawn.

    Every choice of random start places is tried; a random datum in the goal must be reachable
    whichever it is. Other random words only show an agent things earlier and are left out.

    Raises:
        TaskError: If the task names what the scenario does not have.
    """
    topology = compile_game(spec)
    part = spec.task.roles[role]
    playable = [kind for kind, chance in spec.task.success_probability.items() if chance > 0]
    found: dict[tuple[str, str], Unreachable] = {}
    needed = list(_goal_parts(part.goal, topology))
    for start in _starts(part.start, topology):
        reached = play_everything(topology, start, playable)
        for path, what, goal in needed:
            if (path, what) not in found and not _can_reach(topology, reached, goal, playable):
                hosts = tuple(topology.addresses[i] for i in iter_bits(start.controlled))
                found[path, what] = Unreachable(hosts, path, what)
    return list(found.values())


def _starts(position: Position, topology: Topology) -> Iterator[Knowledge]:
    """Every start the random words of `controlled_hosts` allow."""
    fixed = tuple(p for p in position.controlled_hosts if p is not Word.RANDOM)
    at_random = len(position.controlled_hosts) - len(fixed)
    plain = Position(
        known_networks=tuple(p for p in position.known_networks if p is not Word.RANDOM),
        known_hosts=tuple(p for p in position.known_hosts if p is not Word.RANDOM),
        controlled_hosts=fixed,
        known_services={
            ip: tuple(s for s in items if s is not Word.RANDOM)
            for ip, items in position.known_services.items()
        },
        known_data={
            ip: tuple(d for d in items if d is not Word.RANDOM)
            for ip, items in position.known_data.items()
        },
        known_blocks=position.known_blocks,
    )
    base = draw_position(plain, topology, _NO_CHANCE).knowledge
    free = [i for i in topology.start_places if not base.controlled >> i & 1]
    labels = Labels.original(topology)
    for places in combinations(free, min(at_random, len(free))):
        controlled = base.controlled | mask_of(places)
        yield start_knowledge(base._replace(controlled=controlled), labels)


def _goal_parts(  # noqa: C901 - six parts, one loop each
    goal: Position, topology: Topology
) -> Iterator[tuple[str, str, Position]]:
    """The goal in its smallest parts: the path of each, its text, and a position of it alone."""
    for network in goal.known_networks:
        if network is not Word.RANDOM:
            yield "known_networks", str(network), Position(known_networks=(network,))
    for host in _choices(goal.known_hosts, topology.addresses):
        yield "known_hosts", str(host), Position(known_hosts=(host,))
    places = tuple(topology.addresses[i] for i in topology.start_places)
    for place in _choices(goal.controlled_hosts, places):
        yield "controlled_hosts", str(place), Position(controlled_hosts=(place,))
    for ip, services in goal.known_services.items():
        for service in _choices(services, (Word.ALL,)):
            name = service if isinstance(service, Word) else service.name
            yield f"known_services.{ip}", str(name), Position(known_services={ip: (service,)})
    data = tuple(datum for index, datum in enumerate(topology.data) if index != LOG)
    for ip, pieces in goal.known_data.items():
        for datum in _choices(pieces, data):
            name = datum if isinstance(datum, Word) else f"{datum.owner}/{datum.id}"
            yield f"known_data.{ip}", str(name), Position(known_data={ip: (datum,)})
    for key, blocked in goal.known_blocks.items():
        for other in blocked:
            yield f"known_blocks.{key}", str(other), Position(known_blocks={key: (other,)})


def _choices(parts: tuple[_T, ...], at_random: tuple[_T, ...]) -> Iterator[_T]:
    """The parts, with everything that `random` may be in its place."""
    for part in parts:
        yield from at_random if part is Word.RANDOM else (part,)


def _can_reach(
    topology: Topology, reached: Knowledge, goal: Position, playable: Collection[ActionType]
) -> bool:
    drawn = draw_position(goal, topology, _NO_CHANCE)
    wanted = drawn.knowledge
    if not reached.covers(wanted._replace(blocks={})):
        return False
    if reached.covers(wanted) and not drawn.all_attackers:
        return True
    if any(others >> host & 1 for host, others in wanted.blocks.items()):
        return False  # no host is blocked from itself
    # A pair can be blocked from either side that is controlled; attackers may be anywhere.
    return ActionType.BlockIP in playable and all(
        reached.controls(host) or not others & ~reached.controlled
        for host, others in [
            *wanted.blocks.items(),
            *((h, -1) for h in iter_bits(drawn.all_attackers)),
        ]
    )


class _NoChance:
    """Stands for the generator where nothing is left to draw."""

    def choice(self, candidates: list[int]) -> int:
        raise AssertionError(f"nothing should be drawn here, but one of {candidates} was")


_NO_CHANCE: Random = _NoChance()  # type: ignore[assignment]
