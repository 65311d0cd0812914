from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from netsecgame import IP, AgentRole, Data, GameState, Network
from netsecgame.core.addressing import MAX_OUTSIDERS, Labels
from netsecgame.core.knowledge import Knowledge, KnownState
from netsecgame.core.legal_actions import legal_numbers
from netsecgame.core.logs import MAX_LOG_ENTRIES
from netsecgame.core.rng import StreamRandom
from netsecgame.core.topology import LOG
from netsecgame.envs.action_text import format_value
from netsecgame.envs.batch import BatchedWorld
from netsecgame.envs.game import open_game
from netsecgame.envs.observations import (
    KINDS,
    ArraysObserver,
    FlatObserver,
    GraphObserver,
    TextObserver,
    lay_out,
    make_observer,
)
from netsecgame.envs.rounds import Rounds, Seat
from netsecgame.errors import ConfigurationError, RoleNotAvailableError
from tests.unit.envs.features import names_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from netsecgame.core.goal import Goal
    from netsecgame.envs.game import Game
    from netsecgame.envs.observations import Observer

ROOT = Path(__file__).resolve().parents[3]
TASKS = sorted(path.stem for path in (ROOT / "task_configs").glob("*.yaml"))
ROLES = [
    (task, role)
    for task in TASKS
    for role in (AgentRole.Attacker, AgentRole.Defender)
    if role in open_game(task).spec.task.roles
]

STEPS = 60

#: A comma, unless it is inside a name in quotes.
BETWEEN = r', (?=(?:[^"]*"[^"]*")*[^"]*$)'


def play(game: Game, role: AgentRole, *, seed: int = 7) -> Iterator[tuple[KnownState, float, Goal]]:
    """What an agent knows, and its share of steps, while it and an attacker play at random."""
    seats = [Seat("attacker_0", AgentRole.Attacker)]
    if AgentRole.Defender in game.spec.task.roles:
        seats.append(Seat("defender_0", AgentRole.Defender))
    me = f"{role.lower()}_0"
    rounds = Rounds(game, seats, seed)
    rng = StreamRandom(seed)
    index = {seat.agent: game.action_index(seat.role) for seat in seats}
    rounds.reset(seed, randomize_topology=True)
    for _ in range(STEPS):
        yield rounds.state(me), rounds.share_of_steps(me), rounds.goal(me)
        if not rounds.learners:
            rounds.reset()
        rounds.step(
            {
                agent: rng.choice(legal_numbers(index[agent], rounds.state(agent).knowledge))
                for agent in rounds.learners
            }
        )


def observer_of(kind: str, game: Game, role: AgentRole) -> Observer:
    has_others = AgentRole.Defender in game.spec.task.roles
    return make_observer(kind, game, role, has_others=has_others)


def relabel(state: KnownState) -> GameState:
    """A state under the addresses of the scenario, without what logs say."""
    known = state.knowledge._replace(
        logs={address: Data("system", "logfile", type="log") for address in state.knowledge.logs}
    )
    plain = KnownState(known, Labels.original(state.labels.topology))
    return GameState.from_json(plain.as_json())


# --- flat -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "role"), ROLES)
def test_flat_observation_in_random_play_says_by_name_what_the_state_has(
    task: str, role: AgentRole
) -> None:
    game = open_game(task)
    observer = observer_of("flat", game, role)
    assert isinstance(observer, FlatObserver)
    names = observer.layout.feature_names
    for state, share, _ in play(game, role):
        observation = observer.observe(state, share)
        assert observation in observer.space
        assert observation.dtype == np.float32
        assert observation[-1] == np.float32(share)
        told = {name for name, flag in zip(names, observation[:-1], strict=True) if flag}
        assert told == names_of(relabel(state))


@pytest.mark.parametrize(
    ("task", "defender"),
    [
        *((task, None) for task in TASKS),
        ("two_networks_defended", "random"),
        ("two_networks_team", "random"),
    ],
)
def test_flat_layout_is_that_of_the_batched_world(task: str, defender: str | None) -> None:
    game = open_game(task)
    world = BatchedWorld(game.spec, 1, defender=defender, backend="numpy", seed=3)
    layout = lay_out(game, AgentRole.Attacker, has_others=defender is not None)
    assert layout.feature_names == world.layout.feature_names
    assert layout.words == world.layout.words
    state = world.game_state(0)
    observation = FlatObserver(layout).observe(state, 0.0)
    assert observation.tobytes() == world.observations[0].tobytes()


def test_flat_observation_handed_out_stays_as_it_is() -> None:
    game = open_game("two_networks_small")
    observer = observer_of("flat", game, AgentRole.Attacker)
    given, copies = [], []
    for state, share, _ in play(game, AgentRole.Attacker):
        given.append(observer.observe(state, share))
        copies.append(given[-1].copy())
        given[0][:] = 0.5  # nor does it matter what its owner does with it
    assert all(map(np.array_equal, given[1:], copies[1:]))


# --- dict -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "role"), ROLES)
def test_dict_observation_in_random_play_has_exactly_the_state(task: str, role: AgentRole) -> None:
    game = open_game(task)
    observer = observer_of("dict", game, role)
    assert isinstance(observer, ArraysObserver)
    for state, share, _ in play(game, role):
        observation = observer.observe(state, share)
        assert observer.space.contains(observation)
        assert observation["steps"].tolist() == [np.float32(share)]
        assert names_in(observer, observation) == names_of(relabel(state))


def names_in(observer: ArraysObserver, observation: dict[str, NDArray[Any]]) -> set[str]:
    axes = observer.axes
    by_part = {
        "known_networks": ("networks",),
        "known_hosts": ("hosts",),
        "controlled_hosts": ("hosts",),
        "known_services": ("hosts", "services"),
        "known_data": ("hosts", "data"),
        "known_blocks": ("hosts", "hosts"),
    }
    return {
        " ".join([part, *(axes[axis][i] for axis, i in zip(of_part, place, strict=True))])
        for part, of_part in by_part.items()
        if part in observation
        for place in np.argwhere(observation[part]).tolist()
    }


def test_dict_observation_has_blocks_only_where_somebody_may_block() -> None:
    game = open_game("two_networks_defended")
    for has_others in (False, True):
        observer = make_observer("dict", game, AgentRole.Attacker, has_others=has_others)
        assert isinstance(observer, ArraysObserver)
        assert ("known_blocks" in observer.space.spaces) == has_others


# --- graph ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "role"), ROLES)
def test_graph_observation_in_random_play_has_exactly_the_state(task: str, role: AgentRole) -> None:
    game = open_game(task)
    observer = observer_of("graph", game, role)
    assert isinstance(observer, GraphObserver)
    for state, share, _ in play(game, role):
        graph: Any = observer.observe(state, share)
        assert graph in observer.space
        assert np.all(graph.nodes[:, observer.node_features.index("steps")] == np.float32(share))
        expected = relabel(state)
        assert names_of(state_in(observer, graph, game)) == names_of(expected)
        kinds = graph.nodes[:, :2].astype(int).tolist()
        ranks = graph.nodes[:, observer.node_features.index("rank")].tolist()
        order = [(is_host, rank) for (_, is_host), rank in zip(kinds, ranks, strict=True)]
        assert order == sorted(order)  # networks come first
        named = {*expected.known_hosts, *expected.known_services, *expected.known_data}
        named |= {*expected.known_blocks, *(b for bs in expected.known_blocks.values() for b in bs)}
        assert len(kinds) == len(expected.known_networks) + len(named)
        assert edges_in(observer, graph, game) == {
            *((str(h), str(n)) for n in expected.known_networks for h in named if h in n),
            *((str(n), str(h)) for n in expected.known_networks for h in named if h in n),
        }


def state_in(observer: GraphObserver, graph: Any, game: Game) -> GameState:
    """The state that a graph shows, read from its features by their names."""
    topology, columns = game.topology, observer.node_features
    services = {f"service {s.name} {s.version} {s.type}": s for s in topology.services}
    data = {f"data {d.owner} {d.id}": d for d in topology.data}
    names = names_of_nodes(observer, graph, game)
    state = GameState()
    for name, node in zip(names, graph.nodes, strict=True):
        features = {c for c, value in zip(columns, node, strict=True) if value and c != "rank"}
        if "is_network" in features:
            ip, mask = name.split("/")
            state.known_networks.add(Network(ip, int(mask)))
            assert ("is_private" in features) == Network(ip, int(mask)).is_private()
            continue
        assert "is_host" in features
        host = IP(name)
        assert ("is_private" in features) == host.is_private()
        if "is_known" in features:
            state.known_hosts.add(host)
        if "is_controlled" in features:
            state.controlled_hosts.add(host)
        state.known_services[host] = {services[f] for f in features & services.keys()}
        state.known_data[host] = {data[f] for f in features & data.keys()}
    for (one, other), edge in zip(graph.edge_links, graph.edges, strict=True):
        if edge[observer.edge_features.index("is_blocked")]:
            state.known_blocks.setdefault(IP(names[one]), set()).add(IP(names[other]))
    return state


def names_of_nodes(observer: GraphObserver, graph: Any, game: Game) -> list[str]:
    index = game.full_index
    columns = observer.node_features
    names = []
    for node in graph.nodes:
        rank = int(node[columns.index("rank")])
        if node[columns.index("is_network")]:
            names.append(str(game.topology.networks[index.networks[rank]]))
        else:
            names.append(str(game.topology.addresses[index.addresses[rank]]))
    return names


def edges_in(observer: GraphObserver, graph: Any, game: Game) -> set[tuple[str, str]]:
    names = names_of_nodes(observer, graph, game)
    feature = observer.edge_features.index("in_network")
    return {
        (names[one], names[other])
        for (one, other), edge in zip(graph.edge_links, graph.edges, strict=True)
        if edge[feature]
    }


def test_graph_observation_of_nothing_is_in_its_space() -> None:
    game = open_game("two_networks_small")
    observer = observer_of("graph", game, AgentRole.Benign)
    state = KnownState(Knowledge(), Labels.original(game.topology))
    graph = observer.observe(state, 0.0)
    assert graph in observer.space
    assert len(graph.nodes) == len(graph.edges) == 0


@pytest.mark.parametrize(
    ("known", "only_named"),
    [
        (Knowledge(hosts=0b1100, services={1: 0b1}), 1),
        (Knowledge(hosts=0b1100, data={1: 0b10}), 1),
        (Knowledge(hosts=0b1100, blocks={1: 0b1}), 2),  # the blocked address is not known either
    ],
)
def test_observations_tell_hosts_that_are_only_named_from_known_ones(
    known: Knowledge, only_named: int
) -> None:
    game = open_game("two_networks_defended")
    state = KnownState(known, Labels.original(game.topology))
    graph: Any = observer_of("graph", game, AgentRole.Attacker).observe(state, 0.0)
    assert len(graph.nodes) == 2 + only_named
    assert graph.nodes[:, 2].tolist().count(0) == only_named
    text = observer_of("text", game, AgentRole.Attacker).observe(state, 0.0)
    assert text.count(": not found yet") == only_named
    assert text.count(": known") == 2


# --- text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("task", "role"), ROLES)
def test_text_observation_in_random_play_has_all_of_the_state(task: str, role: AgentRole) -> None:
    game = open_game(task)
    observer = observer_of("text", game, role)
    limit = game.role_task(role).max_steps
    before = None
    for state, share, goal in play(game, role):
        if goal is not before:
            observer.begin(goal)
            before = goal
        text = observer.observe(state, share)
        assert text in observer.space
        first, *rest = text.splitlines()
        if limit is None:
            rest = [first, *rest]
        else:
            assert first == f"step {round(share * limit)} of {limit}"
        lines = read_lines(rest)
        assert lines == expected_lines(state)


def read_lines(lines: Sequence[str]) -> dict[str, list[str]]:
    """What a text lists by what it is about; without the goal."""
    found: dict[str, list[str]] = {}
    host = ""
    for line in lines:
        name, _, told = line.partition(": ")
        if name in ("goal", "missing"):
            continue
        if name.startswith("host "):
            host = name
        key = f"{host}{name}" if name.startswith("  ") else name
        assert key not in found
        found[key] = [] if told == "none" else re.split(BETWEEN, told)
    return found


def expected_lines(state: KnownState) -> dict[str, list[str]]:
    lines = {"networks": [str(network) for network in sorted(state.known_networks)]}
    parts: list[Any] = [state.known_services, state.known_data, state.known_blocks]
    named = {*state.known_hosts, *(host for part in parts for host in part)}
    for host in named | {other for others in state.known_blocks.values() for other in others}:
        key = f"host {host}"
        is_controlled, is_known = host in state.controlled_hosts, host in state.known_hosts
        lines[key] = ["controlled" if is_controlled else "known" if is_known else "not found yet"]
        for name, part in zip(("services", "data", "blocked"), parts, strict=True):
            if host in part:
                lines[f"{key}  {name}"] = [format_value(item) for item in sorted(part[host])]
        for datum in state.known_data.get(host, ()):
            if datum.type == "log":
                lines[f"{key}  log"] = list(tell(json.loads(datum.content or "[]")))
    return lines


def tell(entries: list[dict[str, str]]) -> Iterator[str]:
    words = [
        f"{entry['action_type'].removeprefix('ActionType.')} from {entry['source_host']}"
        for entry in entries
    ]
    start = 0
    for end in range(1, len(words) + 1):
        if end == len(words) or words[end] != words[start]:
            yield words[start] if end - start == 1 else f"{end - start} {words[start]}"
            start = end


def test_text_observation_tells_the_goal_and_what_is_missing() -> None:
    game = open_game("two_networks_small")
    observer = observer_of("text", game, AgentRole.Attacker)
    rounds = Rounds(game, [Seat("attacker_0", AgentRole.Attacker)], 1)
    state = rounds.reset(1)["attacker_0"]
    description = game.role_task(AgentRole.Attacker).goal_description
    assert observer.observe(state, 0.0).splitlines()[1] == f"goal: {description}"
    goal = rounds.goal("attacker_0")
    observer.begin(goal)
    missing = "missing: User1/DataFromServer1 on 213.47.23.195"
    assert observer.observe(state, 0.0).splitlines()[2] == missing
    host = game.topology.address_index[IP("213.47.23.195")]
    datum = game.topology.data_index[Data("User1", "DataFromServer1")]
    won = KnownState(state.knowledge.with_data(host, 1 << datum), state.labels)
    assert goal.is_reached(won)
    assert observer.observe(won, 0.0).splitlines()[2] == "missing: none"


def test_text_observation_under_new_addresses_names_these_in_the_goal() -> None:
    game = open_game("two_networks_small_dynamic")
    observer = observer_of("text", game, AgentRole.Attacker)
    rounds = Rounds(game, [Seat("attacker_0", AgentRole.Attacker)], 1)
    state = rounds.reset(5, randomize_topology=True)["attacker_0"]
    text = observer.observe(state, 0.0)
    (named,) = re.findall(r"goal: .*own (.*)\.", text)
    assert IP(named) in state.controlled_hosts
    assert "213.47.23.195" not in text


@pytest.mark.parametrize("task", ["two_networks_tiny", "scenario1", "three_net_scenario"])
def test_text_space_has_room_for_all_that_can_ever_be_known(task: str) -> None:
    game = open_game(task)
    topology = game.topology
    hosts = range(len(topology.addresses))
    widest = [IP(f"255.255.255.{100 + host}") for host in hosts]
    labels = Labels(topology, widest, [Network("255.255.255.100", 32)] * len(topology.networks))
    for i in range(MAX_OUTSIDERS):
        labels.admit_outsider(IP(f"255.255.{200 + i // 100}.{100 + i % 100}"))
    assert len(labels.addresses) == len(hosts) + MAX_OUTSIDERS
    entries = [
        {"source_host": str(widest[i % 2]), "action_type": "ActionType.ExfiltrateData"}
        for i in range(MAX_LOG_ENTRIES)
    ]
    log = Data("system", "logfile", type="log", content=json.dumps(entries))
    everything, everywhere = (1 << len(hosts)) - 1, (1 << len(labels.addresses)) - 1
    blocks = dict.fromkeys(range(len(labels.addresses)), everything)
    known = Knowledge(
        networks=(1 << len(topology.networks)) - 1,
        hosts=everything,
        controlled=everything,
        services=dict.fromkeys(hosts, (1 << len(topology.services)) - 1),
        data=dict.fromkeys(hosts, (1 << len(topology.data)) - 1 | 1 << LOG),
        blocks=blocks | dict.fromkeys(hosts, everywhere),
        logs=dict.fromkeys(hosts, log),
    )
    observer = observer_of("text", game, AgentRole.Attacker)
    text = observer.observe(KnownState(known, labels), 1.0)
    assert text.count("ExfiltrateData") == MAX_LOG_ENTRIES * len(hosts)
    assert text in observer.space
    assert isinstance(observer, TextObserver)
    assert observer.space.max_length < 1.5 * len(text)


# --- all kinds ------------------------------------------------------------------------------------


def test_make_observer_of_an_unknown_kind_is_told_the_nearest() -> None:
    game = open_game("two_networks_small")
    with pytest.raises(ConfigurationError, match=r"observation: .*'grph' \(did you mean 'graph'\?"):
        make_observer("grph", game, AgentRole.Attacker, has_others=False)


@pytest.mark.parametrize("kind", KINDS)
def test_make_observer_of_a_role_that_the_task_lacks_raises(kind: str) -> None:
    game = open_game("two_networks_small")
    with pytest.raises(RoleNotAvailableError, match="Defender"):
        make_observer(kind, game, AgentRole.Defender, has_others=False)
