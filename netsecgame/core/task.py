"""A task as plain values: roles, goals, start positions, limits and rewards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from netsecgame.game_components import IP, ActionType, AgentRole, Data, Network, Service

if TYPE_CHECKING:
    from netsecgame.core.scenario import Scenario


class Word(StrEnum):
    """What a position may say in place of a concrete thing.

    - RANDOM: drawn anew for every episode. In `controlled_hosts` one of the scenario's start
      places, in `known_hosts` any address, in `known_networks` any network of the scenario, in
      `known_services` one of that host's services, in `known_data` any data in the world but logs.
    - ALL: in `known_services`, all services of that host.
    - ALL_LOCAL: in host lists every address in a private network, in `known_networks` every private
      network.
    - ALL_ATTACKERS: in `known_blocks` of a goal, every address that any attacker controls at that
      moment, other than the key host itself.
    - ALL_ROUTERS: in `known_blocks`, as the blocked or as the key, every router address.
    """

    RANDOM = "random"
    ALL = "all"
    ALL_LOCAL = "all_local"
    ALL_ATTACKERS = "all_attackers"
    ALL_ROUTERS = "all_routers"


def _nothing() -> Mapping[Any, tuple[Any, ...]]:
    return MappingProxyType({})


@dataclass(frozen=True)
class Position:
    """A start position or a goal as the task file gives it: six parts, words not yet drawn.

    Order is the file's order, so that draws are the same in every process.
    """

    known_networks: tuple[Network | Word, ...] = ()
    known_hosts: tuple[IP | Word, ...] = ()
    controlled_hosts: tuple[IP | Word, ...] = ()
    known_services: Mapping[IP, tuple[Service | Word, ...]] = field(default_factory=_nothing)
    known_data: Mapping[IP, tuple[Data | Word, ...]] = field(default_factory=_nothing)
    known_blocks: Mapping[IP | Word, tuple[IP | Word, ...]] = field(default_factory=_nothing)

    @cached_property
    def has_chance(self) -> bool:
        """Whether something in it is drawn anew for every episode."""
        mappings = (self.known_services, self.known_data, self.known_blocks)
        return (
            Word.RANDOM in (*self.known_networks, *self.known_hosts, *self.controlled_hosts)
            or any(Word.RANDOM in mapping for mapping in mappings)
            or any(Word.RANDOM in items for mapping in mappings for items in mapping.values())
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is named."""
        return not (
            self.known_networks
            or self.known_hosts
            or self.controlled_hosts
            or any(self.known_services.values())
            or any(self.known_data.values())
            or any(self.known_blocks.values())
        )


@dataclass(frozen=True)
class RoleTask:
    """What the task says about one role.

    Attributes:
        start: Where its agents start.
        goal: What they have to reach; an empty goal is never reached.
        goal_description: The goal in prose, as agents are told it.
        max_steps: Steps until TimeoutReached; None is no limit.
    """

    start: Position = field(default_factory=Position)
    goal: Position = field(default_factory=Position)
    goal_description: str = ""
    max_steps: int | None = None


@dataclass(frozen=True, slots=True)
class Rewards:
    """Rewards, as integers or floats exactly as the task file has them."""

    success: float = 100
    step: float = -1
    fail: float = -10
    false_positive: float = -5


@dataclass(frozen=True, slots=True)
class DetectionRule:
    """When and how likely the global defender detects one type of action.

    The action is checked when any threshold that is not None is met; a checked action is detected
    with `probability`.

    Attributes:
        probability: 0..1.
        min_share: Share of this type in the window, 0..1.
        min_run: Longest run of this type in the window, in actions.
        min_repeats: How often this very action was played in the episode, this time included.
    """

    probability: float
    min_share: float | None = None
    min_run: int | None = None
    min_repeats: int | None = None


#: The game actions in wire order; joining, quitting and resetting are not among them.
GAME_ACTIONS: tuple[ActionType, ...] = (
    ActionType.ScanNetwork,
    ActionType.FindServices,
    ActionType.FindData,
    ActionType.ExploitService,
    ActionType.ExfiltrateData,
    ActionType.BlockIP,
)

#: Thresholds and probabilities of the public game's global defender.
DEFAULT_DETECTION: Mapping[ActionType, DetectionRule] = MappingProxyType(
    {
        ActionType.ScanNetwork: DetectionRule(0.05, min_share=0.25, min_run=2),
        ActionType.FindServices: DetectionRule(0.075, min_share=0.3, min_run=3),
        ActionType.ExfiltrateData: DetectionRule(0.025, min_share=0.25, min_run=2),
        ActionType.ExploitService: DetectionRule(0.1, min_share=0.25, min_repeats=2),
        ActionType.FindData: DetectionRule(0.025, min_share=0.5, min_repeats=2),
        ActionType.BlockIP: DetectionRule(0.01, min_share=1.0),
    }
)

#: How many of the newest actions the global defender looks at; it checks nothing before that many.
DEFAULT_DETECTION_WINDOW = 5

RoleCounts: TypeAlias = Mapping[AgentRole, int]


@dataclass(frozen=True)
class Task:
    """One task: everything of the task file that the rules need.

    Attributes:
        scenario: Name of a shipped scenario, or path of a scenario file.
        roles: Only the roles that can be joined; Benign is always one of them.
        seed: Seed of every random choice; None is "draw one" (`random` in the file).
        required_players: How many agents must have joined before the game starts: a number of any
            role, or a number for each role named.
        success_probability: Per action type, 0..1; 1 where the file says nothing.
        detection: The global defender's table; None when there is no global defender.
        detection_window: Actions the global defender looks at.
    """

    scenario: str
    roles: Mapping[AgentRole, RoleTask]
    rewards: Rewards = field(default_factory=Rewards)
    seed: int | None = 42
    required_players: int | RoleCounts = 1
    use_firewall: bool = True
    use_dynamic_addresses: bool = False
    save_trajectories: bool = False
    success_probability: Mapping[ActionType, float] = field(
        default_factory=lambda: MappingProxyType(dict.fromkeys(GAME_ACTIONS, 1.0))
    )
    detection: Mapping[ActionType, DetectionRule] | None = None
    detection_window: int = DEFAULT_DETECTION_WINDOW


@dataclass(frozen=True)
class GameSpec:
    """A task together with the scenario it is played on."""

    task: Task
    scenario: Scenario
