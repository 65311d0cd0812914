"""The quick way through a step, against the one that goes through all the calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsecgame.core import trajectory as trajectory_module
from netsecgame.core.knowledge import knowledge_of
from netsecgame.core.legal_actions import legal_numbers
from netsecgame.core.task import DEFAULT_DETECTION, GAME_ACTIONS, Position, RoleTask, Word
from netsecgame.core.world import World
from netsecgame.errors import EpisodeOverError, NotRegisteredError
from netsecgame.game_components import GameState
from tests.unit.core.office import (
    ATTACKER,
    BENIGN,
    DB,
    DEFENDER,
    HTTP,
    INSIDE,
    LAPTOP,
    OUTSIDE,
    PAGE,
    PC,
    WEB,
    office_spec,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from netsecgame.core.actions.indexed import NumberedAction
    from netsecgame.core.episode import AgentId, Player
    from netsecgame.core.task import GameSpec
    from netsecgame.core.world import Transition

PLAYERS = {"A1": ATTACKER, "A2": ATTACKER, "D": DEFENDER, "B": BENIGN}
GOALS = {
    ATTACKER: [
        Position(),
        Position(controlled_hosts=(PC,)),  # reached from the start
        Position(known_hosts=(WEB,)),
        Position(known_services={WEB: (HTTP,)}),
        Position(controlled_hosts=(WEB,)),
        Position(known_data={WEB: (PAGE,)}),
        Position(known_data={OUTSIDE: (Word.RANDOM,)}),
    ],
    DEFENDER: [
        Position(),
        Position(known_blocks={WEB: (PC,)}),
        Position(known_blocks={WEB: (Word.ALL_ATTACKERS,)}),
    ],
}


class InFull(World):
    """Takes every step in full."""

    def _play(self, agent: AgentId, numbered: NumberedAction) -> Transition:
        action, indexed, _ = numbered
        return self._play_in_full(agent, action, indexed)


class Move(NamedTuple):
    """What happens next, to which player, and which of the possible ones it is.

    Numbers are taken modulo how many there are.
    """

    what: str
    player: int
    pick: int


moves = st.lists(
    st.builds(
        Move,
        st.sampled_from(
            ["step", "number"] * 12
            + ["wild"] * 3
            + ["block", "reset", "move", "leave", "ask", "withdraw", "replace"]
        ),
        st.integers(0, 3),
        st.integers(0, 10_000),
    ),
    min_size=10,
    max_size=60,
)


@st.composite
def specs(draw: st.DrawFn) -> GameSpec:
    limit = draw(st.sampled_from([None, None, 0, 1, 5, 20]))
    roles = {
        ATTACKER: RoleTask(
            start=Position(controlled_hosts=(PC, OUTSIDE)),
            goal=draw(st.sampled_from(GOALS[ATTACKER])),
            max_steps=limit,
        ),
        DEFENDER: RoleTask(
            start=Position(controlled_hosts=INSIDE),
            goal=draw(st.sampled_from(GOALS[DEFENDER])),
            max_steps=draw(st.sampled_from([None, 4])),
        ),
        BENIGN: RoleTask(start=Position(controlled_hosts=(LAPTOP, DB)), max_steps=limit),
    }
    return office_spec(
        roles,
        use_dynamic_addresses=True,
        success_probability=dict.fromkeys(GAME_ACTIONS, draw(st.sampled_from([1.0, 1.0, 0.7]))),
        detection=draw(st.sampled_from([None, None, DEFAULT_DETECTION])),
    )


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    specs(),
    st.sets(st.sampled_from(sorted(PLAYERS)), min_size=1),
    moves,
    st.sampled_from([3, 10_000]),
    st.sampled_from([40, 10_000]),
)
def test_step_in_any_game_is_the_step_in_full(
    spec: GameSpec, names: set[str], moves: list[Move], max_steps: int, max_text: int
) -> None:
    quick, full = World(spec, 1), InFull(spec, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trajectory_module, "MAX_STEPS", max_steps)
        patch.setattr(trajectory_module, "MAX_TEXT", max_text)
        for name in sorted(names):
            assert quick.register(name, PLAYERS[name]) == full.register(name, PLAYERS[name])
        for move in moves:
            assert happen(quick, move) == happen(full, move)
            assert facts(quick) == facts(full)


def happen(world: World, move: Move) -> Any:
    """Let a move happen; gives what the world answers."""
    if not world.episode.players:
        return None
    name = list(world.episode.players)[move.player % len(world.episode.players)]
    others: dict[str, Callable[[], Any]] = {
        "reset": lambda: world.reset(move.pick),
        "move": lambda: world.reset(move.pick, randomize_topology=True),
        "leave": lambda: world.remove(name),
        "ask": lambda: world.episode.request_reset(name),
        "withdraw": lambda: world.episode.withdraw_reset(name),
        "replace": lambda: replace_state(world.player(name)),
    }
    return others[move.what]() if move.what in others else play(world, name, move)


def replace_state(player: Player) -> None:
    """Give a player the plain value of its state, as a world of somebody else may."""
    parts = (getattr(player.state, name) for name in GameState.__dataclass_fields__)
    player.state = GameState(*parts)


def play(world: World, name: AgentId, move: Move) -> Any:
    """Let an agent act; gives the answer, and what it is called instead when it may not."""
    index, labels = world.action_index, world.dynamics.labels
    if move.what == "wild":
        number = move.pick % len(index)
    else:
        known = knowledge_of(world.player(name).state, labels)
        legal = list(legal_numbers(index, known))
        blocks = [number for number in legal if number < index.sections[0].per_source * 7]
        possible = blocks if move.what == "block" and blocks else legal
        number = possible[move.pick % len(possible)]
    try:
        if move.what == "step":
            answer = world.step(name, index.action(number, labels))
        else:
            answer = world.step_number(name, number)
    except (EpisodeOverError, NotRegisteredError) as error:
        return type(error), str(error)
    return *answer, answer.state.as_json()


def facts(world: World) -> Any:
    """All that a game is about, to be compared."""
    truth, episode = world.dynamics.truth, world.episode
    return (
        (truth.data, truth.reach, truth.blocked, truth.blockers, truth.refused),
        [truth.read_log(i).content for i in range(len(world.dynamics.topology.addresses))],
        (episode.is_over, episode.attack_succeeded, episode._attacking),
        {name: standing(player) for name, player in episode.players.items()},
    )


def standing(player: Player) -> Any:
    """How a player stands, and what is recorded of it."""
    done = player.trajectory
    pairs = zip(done.states, done.states[1:], strict=False)
    return (
        (player.state, player.status, player.steps, player.reward, player.false_positives),
        (player.is_settled, player.attack_succeeded),
        (done.states, done.actions, done.rewards, done.is_cut, done.kept_bytes),
        [after is before for before, after in pairs],
    )
