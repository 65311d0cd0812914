"""A seeded game as text: what every agent did, what that changed for it, and what it got."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from netsecgame.core.task import (
    DEFAULT_DETECTION,
    GAME_ACTIONS,
    GameSpec,
    Position,
    RoleTask,
    Task,
    Word,
)
from netsecgame.core.world import World
from netsecgame.game_components import IP, Action, ActionType, AgentRole, Data, GameState, Service
from netsecgame.scenarios import load_scenario
from netsecgame.utils.utils import generate_valid_actions, parse_log_content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netsecgame.core.episode import Player
    from netsecgame.core.world import Transition

OUTSIDE = IP("213.47.23.195")

#: Actions in one playthrough, of all agents together; the last round is played to its end.
ACTIONS = 40

#: Steps of an attacker in one episode: few, so that a playthrough shows more than one.
MAX_STEPS = 12


def playthrough_spec(scenario: str) -> GameSpec:
    """A task that all roles play on the scenario, with everything switched on that is random."""
    return GameSpec(
        Task(
            scenario,
            {
                AgentRole.Attacker: RoleTask(
                    start=Position(controlled_hosts=(OUTSIDE, Word.RANDOM)),
                    goal=Position(known_data={OUTSIDE: (Word.RANDOM,)}),
                    max_steps=MAX_STEPS,
                ),
                AgentRole.Defender: RoleTask(start=Position(controlled_hosts=(Word.ALL_LOCAL,))),
                AgentRole.Benign: RoleTask(start=Position(controlled_hosts=(Word.RANDOM,) * 3)),
            },
            use_dynamic_addresses=True,
            success_probability={
                **dict.fromkeys(GAME_ACTIONS, 1.0),
                ActionType.ExploitService: 0.75,
            },
            detection=DEFAULT_DETECTION,
        ),
        load_scenario(scenario),
    )


def write_playthrough(scenario: str, seed: int) -> str:
    """The text of one playthrough; the same in every process."""
    return "\n".join(_Playthrough(scenario, seed).lines()) + "\n"


class _Playthrough:
    def __init__(self, scenario: str, seed: int) -> None:
        self.title = f"{scenario}, seed {seed}"
        self.world = World(playthrough_spec(scenario), seed)
        self.choices = Random(f"{seed}/playthrough")
        self.tried: set[Action] = set()

    def lines(self) -> Iterator[str]:
        yield self.title
        for role in self.world.spec.task.roles:
            self.world.register(role.value, role)
        played = 0
        for episode in range(1, ACTIONS):
            yield f"\n== episode {episode}"
            for player in self.world.episode.players.values():
                yield from _describe_start(player)
            while playing := [p for p in self.world.episode.players.values() if p.is_playing]:
                for name in (player.role.value for player in playing):
                    played += 1
                    action = self.pick(name)
                    yield f"\n{played}. {name}: {_describe_action(action)}"
                    yield from self.play(name, action)
                if played >= ACTIONS:
                    return
            # Every second episode begins with new addresses.
            self.world.reset(randomize_topology=episode % 2 == 1)

    def pick(self, name: str) -> Action:
        """A random action, new ones first, all types of action alike; attackers want to win."""
        player = self.world.player(name)
        valid = generate_valid_actions(
            player.state, include_blocks=player.role is AgentRole.Defender
        )
        if player.role is AgentRole.Attacker:
            valid = {action for action in valid if _is_promising(action, player.state)} or valid
        candidates = valid - self.tried or valid
        kind = self.choices.choice(sorted({str(action.type) for action in candidates}))
        picked = self.choices.choice(
            sorted((a for a in candidates if str(a.type) == kind), key=Action.to_json)
        )
        self.tried.add(picked)
        return picked

    def play(self, name: str, action: Action) -> Iterator[str]:
        players = self.world.episode.players
        before = players[name].state
        others = {n: _describe_standing(player) for n, player in players.items() if n != name}
        after = self.world.step(name, action)
        yield from _describe_changes(before, after.state)
        yield f"   {_describe_result(after)}"
        for other, standing in others.items():
            if (now := _describe_standing(players[other])) != standing:
                yield f"   {other}: {now}"


def _is_promising(action: Action, state: GameState) -> bool:
    """Whether an action may bring data nearer that an attacker has not got."""
    if action.type is ActionType.ExfiltrateData:
        return bool(action.parameters["data"].type != "log")
    if action.type in (ActionType.FindServices, ActionType.ExploitService):
        return action.parameters["target_host"] not in state.controlled_hosts
    return True


def _describe_action(action: Action) -> str:
    words = [f"{name}={_describe_item(value)}" for name, value in action.parameters.items()]
    return f"{action.type.value} {', '.join(words)}"


def _describe_start(player: Player) -> Iterator[str]:
    yield f"{player.role.value} starts"
    yield from _describe_changes(GameState(), player.state)
    yield from (f"   goal {fact}" for fact in sorted(_facts(player.goal.state)))


def _describe_changes(before: GameState, after: GameState) -> Iterator[str]:
    old, new = _facts(before), _facts(after)
    yield from (f"   - {fact}" for fact in sorted(old - new))
    yield from (f"   + {fact}" for fact in sorted(new - old))


def _describe_result(after: Transition) -> str:
    return f"reward {after.reward}, {after.status.value}{', settled' if after.is_settled else ''}"


def _describe_standing(player: Player) -> str:
    """What actions of others may change for an agent."""
    settled = f", settled with reward {player.reward}" if player.is_settled else ""
    return f"{player.status.value}, {player.false_positives} false positives{settled}"


def _facts(state: GameState) -> set[str]:
    """A view as one line for each thing known."""
    facts = set()
    for part in ("known_networks", "known_hosts", "controlled_hosts"):
        facts |= {f"{part} {item}" for item in getattr(state, part)}
    for part in ("known_services", "known_data", "known_blocks"):
        for host, items in getattr(state, part).items():
            facts |= {f"{part} {host}: {_describe_item(item)}" for item in items}
    return facts


def _describe_item(item: object) -> str:
    if isinstance(item, Data):
        return f"{item.owner}/{item.id}{_describe_log(item.content)}"
    if isinstance(item, Service):
        return f"{item.name} {item.version}{' (local)' if item.is_local else ''}"
    return str(item)


def _describe_log(content: str) -> str:
    entries = [
        f"{entry['source_host']} {entry['action_type']}".replace("ActionType.", "")
        for entry in parse_log_content(content) or ()
    ]
    return f" (entries: {len(entries)}, newest: {', '.join(entries[-3:])})" if entries else ""
