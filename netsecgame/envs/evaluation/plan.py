"""What is evaluated: the task, who plays it and how often."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from netsecgame import __version__
from netsecgame.core.rng import GAMMA, mix
from netsecgame.core.task import DEFAULT_DETECTION, GameSpec
from netsecgame.envs.evaluation.agents import (
    ATTACKERS,
    DEFENDERS,
    NOBODY,
    check_name,
    identify,
    load_agent,
)
from netsecgame.errors import ConfigurationError
from netsecgame.game.loading import hash_game, load_game, parse_game
from netsecgame.game.task_files import find_task_file
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from netsecgame.envs.policies import SavedPolicy

#: Keeps episode seeds apart from the words that streams begin with (`netsecgame.core.rng`).
_SALT = 0x6576616C75617465

#: JSON has no whole numbers beyond 53 bits that every reader takes.
_UNUSED_BITS = 64 - 53


@dataclass(frozen=True)
class TaskVariant:
    """A task as its file has it, or with changes.

    Attributes:
        name: What people call it.
        source: A task file, or what one would hold.
        global_defender: Whether there is one. True has the task's own table, or the default one if
            it has none; None leaves it to the task.
        max_steps: Of the attacker; None leaves it to the task.
    """

    name: str
    source: str | Mapping[str, Any]
    global_defender: bool | None = None
    max_steps: int | None = None

    @classmethod
    def find(cls, task: str | Path, **changes: Any) -> Self:
        """A task file, or a shipped task by its name.

        Raises:
            TaskError: If there is no such file.
        """
        path = find_task_file(str(task)).resolve()
        return cls(path.stem, str(path), **changes)

    def load(self) -> GameSpec:
        """The game.

        Raises:
            ConfigurationError: If the task is wrong, or its episodes may never end.
        """
        spec = load_game(self.source) if isinstance(self.source, str) else parse_game(self.source)
        task = spec.task
        if self.global_defender is not None:
            table = task.detection or DEFAULT_DETECTION
            task = replace(task, detection=table if self.global_defender else None)
        attacker = task.roles[AgentRole.Attacker]
        if self.max_steps is not None:
            attacker = replace(attacker, max_steps=self.max_steps)
            task = replace(task, roles={**task.roles, AgentRole.Attacker: attacker})
        if attacker.max_steps is None:
            reason = "the attacker has no step limit, so that an episode may never end; give one"
            raise ConfigurationError(reason, source=self.name)
        return GameSpec(task, spec.scenario)


class LoadedPlan(NamedTuple):
    """What is played and who plays, as values: needs no files, and can be sent anywhere.

    Attributes:
        spec: The game.
        attacker: A name, or a policy.
        defender: The same.
        benign: How many benign agents play along.
    """

    spec: GameSpec
    attacker: str | SavedPolicy
    defender: str | SavedPolicy
    benign: int


@dataclass(frozen=True)
class Plan:
    """One attacker against one defender or none, so many times.

    Attributes:
        task: What is played.
        agent: The attacker: one of `agents.ATTACKERS`, or the path of a saved policy.
        defender: One of `agents.DEFENDERS`, or the path of a saved policy.
        benign: How many benign agents play along; what a defender's blocks refuse them are false
            positives.
        episodes: How many for each seed.
        seeds: How many; they are 0, 1, 2 and so on.
    """

    task: TaskVariant
    agent: str
    defender: str = NOBODY
    benign: int = 0
    episodes: int = 100
    seeds: int = 1

    def __post_init__(self) -> None:
        """ConfigurationError if there is no such agent or nothing to play."""
        check_name(self.agent, ATTACKERS, "agent")
        check_name(self.defender, DEFENDERS, "defender")
        for what, least in (("episodes", 1), ("seeds", 1), ("benign", 0)):
            if getattr(self, what) < least:
                text = f"expected at least {least}, got {getattr(self, what)}"
                raise ConfigurationError(text, path=what)

    def load(self) -> LoadedPlan:
        """All that its files hold.

        Raises:
            ConfigurationError: If one of them is wrong.
        """
        attacker, defender = load_agent(self.agent), load_agent(self.defender)
        return LoadedPlan(self.task.load(), attacker, defender, self.benign)

    @property
    def total(self) -> int:
        """Episodes of all seeds."""
        return self.seeds * self.episodes

    def configuration(self, spec: GameSpec) -> dict[str, Any]:
        """All that decides what comes of it, as JSON has it.

        Args:
            spec: What `task` loads.
        """
        task = spec.task
        return {
            "task": self.task.name,
            "task_hash": hash_game(spec),
            "global_defender": task.detection is not None,
            "max_steps": task.roles[AgentRole.Attacker].max_steps,
            "agent": identify(self.agent),
            "defender": identify(self.defender),
            "benign": self.benign,
            "episodes": self.episodes,
            "seeds": self.seeds,
            "netsecgame": __version__,
        }

    def digest(self, spec: GameSpec) -> str:
        """Its configuration as hexadecimal digits: others differ."""
        return sha256(json.dumps(self.configuration(spec)).encode()).hexdigest()


def episode_seed(seed: int, episode: int) -> int:
    """The seed of the world and of all agents in one episode: 0..2**53 - 1."""
    return mix(mix(seed ^ _SALT) + (episode + 1) * GAMMA & (1 << 64) - 1) >> _UNUSED_BITS
