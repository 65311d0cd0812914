"""Recorded reference games: read them, and bring views into the form they are recorded in."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from netsecgame.core.task import GameSpec
from netsecgame.game_components import Action, AgentRole, GameState
from netsecgame.scenarios import load_scenario
from netsecgame.tasks import parse_task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

#: What one agent knows, as plain JSON values with every list sorted.
View: TypeAlias = "dict[str, Any]"


@dataclass(frozen=True)
class GoldenPlayer:
    """One agent of a recorded game; agents join in the order of the file."""

    name: str
    role: AgentRole
    first_view: View


@dataclass(frozen=True)
class GoldenStep:
    """One recorded action and what it led to.

    Attributes:
        index: 0-based, for messages.
        player: Who acts.
        action: What it plays.
        wire_action: The same as it was sent.
        view: The player's whole view afterwards.
        false_positives: Totals so far, of those who have any.
    """

    index: int
    player: str
    action: Action
    wire_action: Mapping[str, Any]
    view: View
    false_positives: Mapping[str, int]


@dataclass(frozen=True)
class GoldenGame:
    """One recorded game.

    Attributes:
        task: What a task file for it holds.
        players: In the order in which they join.
    """

    task: Mapping[str, Any]
    players: tuple[GoldenPlayer, ...]
    _steps: tuple[Mapping[str, Any], ...]

    @classmethod
    def load(cls, path: Path) -> GoldenGame:
        recorded = json.loads(path.read_text(encoding="utf-8"))
        task = deepcopy(recorded["task"])
        roles = task["coordinator"]["agents"]
        for player in recorded["players"]:
            # Roles without a section of their own, as benign agents may be, get one.
            roles.setdefault(player["role"], {})["start_position"] = player["start_position"]
        return cls(
            task=task,
            players=tuple(
                GoldenPlayer(
                    player["id"],
                    AgentRole.from_string(player["role"]),
                    _sort_view(player["initial_state"]),
                )
                for player in recorded["players"]
            ),
            _steps=tuple(recorded["steps"]),
        )

    @property
    def spec(self) -> GameSpec:
        task = parse_task(self.task)
        return GameSpec(task, load_scenario(task.scenario))

    def steps(self) -> Iterator[GoldenStep]:
        """The recorded steps, each with the whole view that is expected after it."""
        views = {player.name: player.first_view for player in self.players}
        for index, step in enumerate(self._steps):
            name = step["player"]
            views[name] = {**views[name], **_sort_view(step["state_changes"])}
            yield GoldenStep(
                index=index,
                player=name,
                action=Action.from_dict(step["action"]),
                wire_action=step["action"],
                view=views[name],
                false_positives={who: n for who, n in step["false_positives"].items() if n},
            )


def canonical_view(state: GameState | Mapping[str, Any]) -> View:
    """A state, or its wire form, in the form in which views are recorded."""
    wire = state.as_dict if isinstance(state, GameState) else state
    return _sort_view(
        {
            "known_networks": [f"{net['ip']}/{net['mask']}" for net in wire["known_networks"]],
            "known_hosts": _addresses(wire["known_hosts"]),
            "controlled_hosts": _addresses(wire["controlled_hosts"]),
            "known_services": {
                host: [[s["name"], s["type"], s["version"], s["is_local"]] for s in services]
                for host, services in wire["known_services"].items()
            },
            "known_data": {
                host: [_datum(datum) for datum in data] for host, data in wire["known_data"].items()
            },
            "known_blocks": {
                host: _addresses(blocked) for host, blocked in wire["known_blocks"].items()
            },
        }
    )


def _addresses(hosts: Iterable[Mapping[str, str]]) -> list[str]:
    return [host["ip"] for host in hosts]


def _datum(datum: Mapping[str, Any]) -> View:
    """A datum as recorded: without its content and, for a log, without its size."""
    kept = ("owner", "id", "type") if datum["type"] == "log" else ("owner", "id", "type", "size")
    return {name: datum[name] for name in kept}


def _sort_view(view: Mapping[str, Any]) -> View:
    return {
        part: (
            {host: _sorted(items) for host, items in value.items()}
            if isinstance(value, dict)
            else _sorted(value)
        )
        for part, value in view.items()
    }


def _sorted(items: Iterable[Any]) -> list[Any]:
    return sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
