"""Whether a goal can be reached at all, by any play from every start."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from netsecgame.core.addressing import Labels
from netsecgame.core.bits import iter_bits, mask_of
from netsecgame.core.closure import Closures
from netsecgame.core.dynamics import compile_game
from netsecgame.core.knowledge import Knowledge
from netsecgame.core.positions import Drawn, draw_position, start_knowledge
from netsecgame.core.task import Position, Word
from netsecgame.core.topology import LOG
from netsecgame.game_components import IP, ActionType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from random import Random

    from netsecgame.core.task import GameSpec
    from netsecgame.core.topology import Topology
    from netsecgame.game_components import AgentRole

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


def find_unreachable(
    spec: GameSpec, role: AgentRole, topology: Topology | None = None
) -> list[Unreachable]:
    """The parts of a role's goal that cannot be reached, for every way its words may be drawn.

    Every choice of random start places counts; a random datum in the goal must be reachable
    whichever it is. Other random words only show an agent things earlier and are left out.

    Args:
        spec: The game.
        role: Whose goal.
        topology: `compile_game(spec)`, if the caller has it already.

    Raises:
        TaskError: If the task names what the scenario does not have.
    """
    topology = compile_game(spec) if topology is None else topology
    task = spec.task.roles[role]
    playable = [kind for kind, chance in spec.task.success_probability.items() if chance > 0]
    search = _Search(topology, playable, task.start)
    goals = {(path, what): goal for path, what, goal in _goal_parts(task.goal, topology)}
    parts = [draw_position(goal, topology, _NO_CHANCE) for goal in goals.values()]
    found = search.find_starts(dict(enumerate(parts)))
    return [
        Unreachable(search.controlled_hosts(found[number]), path, what)
        for number, (path, what) in enumerate(goals)
        if number in found
    ]


class _Search:
    """Looks for starts from which parts of a goal are out of reach."""

    def __init__(
        self, topology: Topology, playable: Collection[ActionType], position: Position
    ) -> None:
        self._topology = topology
        self._playable = playable
        self._closures = Closures(topology, playable)
        self._labels = Labels.original(topology)
        self._base = draw_position(_without_chance(position), topology, _NO_CHANCE).knowledge
        self._free = [i for i in topology.start_places if not self._base.controlled >> i & 1]
        at_random = position.controlled_hosts.count(Word.RANDOM)
        self._drawn = min(at_random, len(self._free))

    def find_starts(self, parts: Mapping[int, Drawn]) -> dict[int, tuple[int, ...]]:
        """The random places of a start from which a part is out of reach; only for parts that are.

        Args:
            parts: The parts of the goal by number.
        """
        if self._drawn > 1:
            return self._find_starts_together(parts)
        found: dict[int, tuple[int, ...]] = {}
        goal = _Goal(parts)
        for places in combinations(self._free, self._drawn):
            missing = self._find_missing(places, goal)
            if missing:
                found.update(dict.fromkeys(missing, places))
                goal = _Goal({n: part for n, part in parts.items() if n not in found})
            if not goal.parts:
                break
        return found

    def _find_starts_together(self, parts: Mapping[int, Drawn]) -> dict[int, tuple[int, ...]]:
        """As `find_starts`, where several places are drawn.

        What is in reach from one place is in reach from that and others, so only places that do not
        reach a part alone can fail to together.
        """
        goal = _Goal(parts)
        failing: dict[int, list[int]] = {}
        for place in self._free if parts else ():
            for number in self._find_missing((place,), goal):
                failing.setdefault(number, []).append(place)
        found = {}
        for number, alone in failing.items():
            goal = _Goal({number: parts[number]})
            for places in combinations(alone, self._drawn):
                if self._find_missing(places, goal):
                    found[number] = places
                    break
        return found

    def controlled_hosts(self, places: tuple[int, ...]) -> tuple[IP, ...]:
        """What is controlled at a start."""
        return tuple(self._topology.addresses[i] for i in iter_bits(self._start(places).controlled))

    def _find_missing(self, places: tuple[int, ...], goal: _Goal) -> list[int]:
        """The numbers of the parts that are out of reach from a start."""
        start = self._start(places)
        end = self._closures.close(start, goal.together)
        parts = goal.parts
        if end.covers(goal.together):
            parts = goal.about_blocks
        return [
            number
            for number, part in parts.items()
            if not (self._is_reached(part, end) or self._is_reached(part, start))
        ]

    def _start(self, places: tuple[int, ...]) -> Knowledge:
        controlled = self._base.controlled | mask_of(places)
        return start_knowledge(self._base._replace(controlled=controlled), self._labels)

    def _is_reached(self, part: Drawn, known: Knowledge) -> bool:
        """Whether a part of the goal is known, or the agent can get it by blocking."""
        wanted = part.knowledge
        if not known.covers(wanted._replace(blocks={})):
            return False
        if known.covers(wanted) and not part.all_attackers:
            return True
        if any(others >> host & 1 for host, others in wanted.blocks.items()):
            return False  # no host is blocked from itself
        # A pair can be blocked from either side that is controlled; attackers may be anywhere.
        return ActionType.BlockIP in self._playable and all(
            known.controls(host) or not others & ~known.controlled
            for host, others in [
                *wanted.blocks.items(),
                *((host, -1) for host in iter_bits(part.all_attackers)),
            ]
        )


class _Goal:
    """Parts of a goal.

    Attributes:
        parts: By number.
        together: All that they ask for, without blocks.
        about_blocks: Those that ask for blocks.
    """

    def __init__(self, parts: Mapping[int, Drawn]) -> None:
        self.parts = parts
        self.about_blocks = {
            number: part
            for number, part in parts.items()
            if part.knowledge.blocks or part.all_attackers
        }
        networks = hosts = controlled = 0
        services: dict[int, int] = {}
        data: dict[int, int] = {}
        for part in parts.values():
            asked = part.knowledge
            networks |= asked.networks
            hosts |= asked.hosts
            controlled |= asked.controlled
            for masks, more in ((services, asked.services), (data, asked.data)):
                for address, mask in more.items():
                    masks[address] = masks.get(address, 0) | mask
        self.together = Knowledge(networks, hosts, controlled, services, data)


def _without_chance(position: Position) -> Position:
    """The position without random words."""
    return Position(
        known_networks=tuple(p for p in position.known_networks if p is not Word.RANDOM),
        known_hosts=tuple(p for p in position.known_hosts if p is not Word.RANDOM),
        controlled_hosts=tuple(p for p in position.controlled_hosts if p is not Word.RANDOM),
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


class _NoChance:
    """Stands for the generator where nothing is left to draw."""

    def choice(self, candidates: list[int]) -> int:
        raise AssertionError(f"nothing should be drawn here, but one of {candidates} was")


_NO_CHANCE: Random = _NoChance()  # type: ignore[assignment]
