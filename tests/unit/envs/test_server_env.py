"""The environment over TCP, against real servers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Any

import gymnasium
import numpy as np
import pytest
import yaml
from gymnasium.utils.env_checker import check_env

from netsecgame import ActionType
from netsecgame.envs import NetSecGameEnv
from netsecgame.envs.observations import KINDS, FlatObserver
from netsecgame.envs.server_env import ServerEnv
from netsecgame.errors import (
    ConfigurationError,
    EpisodeOverError,
    RoleNotAvailableError,
    UnknownActionError,
)
from netsecgame.game.task_files import find_task_file
from tests.e2e.conftest import HOST, ServerThread
from tests.unit.agents.conftest import Peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SMALL = "two_networks_small"
DYNAMIC = "two_networks_small_dynamic"
RELABEL = {"randomize_topology": True}


class Connect:
    """Makes environments that are closed with the test."""

    def __init__(self) -> None:
        self.made: list[ServerEnv] = []

    def __call__(self, port: int, **options: Any) -> ServerEnv:
        env = ServerEnv(HOST, port, **{"timeout_s": 10, **options})
        self.made.append(env)
        return env


@pytest.fixture
def connect() -> Iterator[Connect]:
    connect = Connect()
    yield connect
    for env in connect.made:
        env.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """Starts servers of shipped tasks or of files; gives their ports."""
    servers: list[ServerThread] = []

    def start(task: str | Path, **options: Any) -> int:
        path = find_task_file(str(task))
        servers.append(ServerThread(path, trajectory_dir=tmp_path, **options))
        return servers[-1].port

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def new_peer() -> Iterator[Callable[..., Peer]]:
    peers: list[Peer] = []

    def start(*script: Any) -> Peer:
        peers.append(Peer(script))
        return peers[-1]

    yield start
    for peer in peers:
        peer.close()


def is_same(one: Any, other: Any) -> bool:
    """Whether observations, infos or what steps give are the same, types included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return bool(one == other)


def play_both(local: NetSecGameEnv, remote: ServerEnv, rng: Random) -> list[str]:
    """Play an episode that has begun in both, compare each step; gives the statuses."""
    statuses = []
    has_ended = False
    while not has_ended:
        legal = np.flatnonzero(local.action_masks())
        # Now and then something that makes no sense.
        number = (
            int(rng.choice(legal))
            if rng.random() < 0.9
            else rng.randrange(int(local.action_space.n))
        )
        assert remote.action(number) == local.action(number)
        told = local.step(number)
        assert is_same(remote.step(number), told)
        statuses.append(told[-1]["status"])
        has_ended = told[2] or told[3]
    return statuses


# --- the same as in process -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "task", [SMALL, "two_networks_random", "two_networks_global_defender", "scenario1_small"]
)
def test_server_env_plays_as_in_process(
    task: str, kind: str, serve: Callable[..., int], connect: Connect
) -> None:
    local = NetSecGameEnv(task, observation=kind)
    remote = connect(serve(task), observation=kind)
    rng = Random(1)

    assert remote.observation_space == local.observation_space
    assert remote.action_space == local.action_space
    for seed in (1, 2, None, 1):  # the third goes on with the streams of the second
        assert is_same(remote.reset(seed=seed), local.reset(seed=seed))
        assert np.array_equal(remote.action_masks(), local.action_masks())
        assert remote.goal == local.goal
        play_both(local, remote, rng)


@pytest.mark.parametrize("kind", KINDS)
def test_server_env_new_addresses_plays_as_in_process(
    kind: str, serve: Callable[..., int], connect: Connect
) -> None:
    local = NetSecGameEnv(DYNAMIC, observation=kind)
    remote = connect(serve(DYNAMIC), observation=kind)
    rng = Random(2)
    hosts = set()
    for seed, options in [(1, None), (2, RELABEL), (3, None), (None, None), (3, RELABEL)]:
        begun = local.reset(seed=seed, options=options)

        assert is_same(remote.reset(seed=seed, options=options), begun)

        assert remote.goal == local.goal
        hosts.add(frozenset(remote.state.known_hosts))
        play_both(local, remote, rng)
    assert len(hosts) == 3  # those of the task, and twice new ones


def test_server_env_new_addresses_without_a_seed_draws_one(
    serve: Callable[..., int], connect: Connect
) -> None:
    remote = connect(serve(DYNAMIC))
    remote.reset(seed=1)
    before = remote.state.known_hosts

    remote.reset(options=RELABEL)

    assert remote.state.known_hosts != before
    remote.step(int(np.flatnonzero(remote.action_masks())[0]))


def test_server_env_task_that_keeps_its_addresses_ignores_the_option(
    serve: Callable[..., int], connect: Connect
) -> None:
    remote = connect(serve(SMALL))
    _, info = remote.reset(seed=4, options=RELABEL)

    assert info["steps"] == 0
    assert "213.47.23.195" in map(str, remote.state.controlled_hosts)


def test_server_env_first_reset_without_a_seed_plays_the_servers_game(
    serve: Callable[..., int], connect: Connect
) -> None:
    """The join has begun an episode with the seed of the server; nothing re-seeds it."""
    task = "two_networks_random"
    local = NetSecGameEnv(task)
    remote = connect(serve(task, seed=77))
    local.reset(seed=77)

    remote.reset()

    assert remote.state == local.state
    assert remote.goal == local.goal


def test_server_env_made_by_gymnasium_passes_the_checker(serve: Callable[..., int]) -> None:
    env = gymnasium.make("netsecgame/Remote-v0", host=HOST, port=serve(SMALL))

    check_env(env.unwrapped)

    env.close()


def test_server_env_draws_pictures_of_what_it_knows(
    serve: Callable[..., int], connect: Connect
) -> None:
    local = NetSecGameEnv(SMALL, render_mode="ansi")
    remote = connect(serve(SMALL), render_mode="ansi")
    local.reset(seed=1)
    remote.reset(seed=1)

    assert remote.render() == local.render()


# --- which task -----------------------------------------------------------------------------------


def _write_task(path: Path, **changes: Any) -> Path:
    """A task that is not shipped."""
    values = yaml.safe_load(find_task_file(SMALL).read_text(encoding="utf-8"))
    values["coordinator"]["agents"]["Attacker"].update(changes)
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def test_server_env_task_that_is_not_shipped_has_to_be_given(
    serve: Callable[..., int], connect: Connect, tmp_path: Path
) -> None:
    path = _write_task(tmp_path / "mine.yaml", max_steps=7)
    port = serve(path)

    with pytest.raises(ConfigurationError, match=r"task: .*none of the shipped tasks; say which"):
        connect(port)
    env = connect(port, task=path)
    env.reset(seed=1)
    steps = [env.step(0) for _ in range(7)]

    assert [step[3] for step in steps] == [False] * 6 + [True]


def test_server_env_another_task_is_refused_each_time(
    serve: Callable[..., int], connect: Connect, tmp_path: Path
) -> None:
    env = connect(serve(SMALL), task=_write_task(tmp_path / "mine.yaml", max_steps=7))

    for _ in range(2):
        with pytest.raises(ConfigurationError, match="the server plays another task"):
            env.reset(seed=1)


def test_server_env_addresses_that_cannot_be_known_raise_until_they_are_drawn_anew(
    serve: Callable[..., int], connect: Connect
) -> None:
    port = serve(DYNAMIC, required_players=1)
    first = connect(port)
    first.reset(seed=5, options=RELABEL)
    first.close()
    late = connect(port)

    with pytest.raises(ConfigurationError, match="randomize_topology"):
        late.reset(seed=6)
    with pytest.raises(EpisodeOverError):
        late.step(0)
    late.reset(seed=6, options=RELABEL)

    late.step(0)


# --- calls that make no sense ---------------------------------------------------------------------


def test_server_env_wrong_options_raise(serve: Callable[..., int], connect: Connect) -> None:
    port = serve(SMALL)

    with pytest.raises(ConfigurationError, match=r"did you mean 'Attacker'"):
        connect(port, role="Atacker")
    with pytest.raises(ConfigurationError, match="observation"):
        connect(port, observation="sound")
    with pytest.raises(ConfigurationError, match="render_mode"):
        connect(port, render_mode="human")
    with pytest.raises(RoleNotAvailableError):
        connect(port, role="Defender", task=SMALL)
    with pytest.raises(ConfigurationError, match="options"):
        connect(port).reset(options={"randomise_topology": True})


def test_server_env_step_outside_of_an_episode_raises(
    serve: Callable[..., int], connect: Connect, tmp_path: Path
) -> None:
    path = _write_task(tmp_path / "mine.yaml", max_steps=2)
    env = connect(serve(path), task=path)

    with pytest.raises(EpisodeOverError):
        env.step(0)
    with pytest.raises(EpisodeOverError):
        env.state  # noqa: B018
    env.reset(seed=1)
    with pytest.raises(UnknownActionError):
        env.step(env.action_space.n)
    env.step(0)
    env.step(0)
    with pytest.raises(EpisodeOverError):
        env.step(0)


# --- servers that fail ----------------------------------------------------------------------------


def test_server_env_no_server_raises(connect: Connect) -> None:
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:1"):
        connect(1)
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:1"):
        connect(1, task=SMALL).reset()


def test_server_env_server_that_refuses_raises_with_its_reason(
    serve: Callable[..., int], connect: Connect
) -> None:
    port = serve(SMALL)

    with pytest.raises(ConnectionError, match=rf"127.0.0.1:{port} refuses .*JoinGame: .*Defender"):
        connect(port, role="Defender")


def test_server_env_silent_server_raises_timeout(
    connect: Connect, new_peer: Callable[..., Peer]
) -> None:
    peer = new_peer()

    with pytest.raises(TimeoutError, match=rf"127.0.0.1:{peer.port} .*JoinGame for 0.05 s"):
        connect(peer.port, timeout_s=0.05)


def test_server_env_server_that_goes_away_raises(
    serve: Callable[..., int], connect: Connect, new_peer: Callable[..., Peer]
) -> None:
    peer = new_peer(None)

    with pytest.raises(ConnectionError, match=f"127.0.0.1:{peer.port}"):
        connect(peer.port)


def test_server_env_lost_connection_raises_and_a_reset_joins_anew(
    connect: Connect, serve: Callable[..., int]
) -> None:
    env = connect(serve(SMALL))
    begun = env.reset(seed=3)
    assert env._client is not None
    assert env._client.socket is not None
    env._client.socket.shutdown(2)

    with pytest.raises(ConnectionError, match=HOST):
        env.step(0)
    with pytest.raises(ConnectionError, match=HOST):
        env.step(0)

    assert is_same(env.reset(seed=3), begun)
    env.step(0)


def test_server_env_closed_has_left_the_game(serve: Callable[..., int], connect: Connect) -> None:
    """Somebody else plays alone then: nobody has to ask for a reset with it."""
    port = serve(SMALL)
    gone, stays = connect(port), connect(port)
    gone.reset()
    stays.reset()
    gone.close()

    stays.reset(seed=1)

    assert stays.steps == 0


# --- several agents -------------------------------------------------------------------------------


def test_server_env_two_attackers_get_their_final_rewards(
    serve: Callable[..., int], connect: Connect, tmp_path: Path
) -> None:
    """A reset waits until both have asked for it, and the last step until both have ended."""
    path = _write_task(tmp_path / "team.yaml", max_steps=5)
    port = serve(path, required_players=2)
    envs = [connect(port, task=path) for _ in range(2)]

    def play(which: int) -> tuple[float, bool, bool, dict[str, Any]]:
        env = envs[which]
        env.reset(seed=9)
        for _ in range(4):
            env.step(0)
        return env.step(0)[1:]

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(play, range(2)))

    for reward, terminated, truncated, info in ends:
        assert (reward, terminated, truncated) == (-11.0, False, True)
        assert info["is_success"] is False
        assert info["status"] == "TimeoutReached"
        assert info["steps"] == 5


@pytest.mark.parametrize("has_others", [False, True])
def test_server_env_block_of_a_defender_is_observed_only_if_others_are_expected(
    has_others: bool, serve: Callable[..., int], connect: Connect
) -> None:
    task = "two_networks_defended"
    port = serve(task, required_players=2)
    envs = [
        connect(port, role="Attacker", task=task, has_others=has_others),
        connect(port, role="Defender", task=task),
    ]
    with ThreadPoolExecutor(2) as pool:
        (before, _), _ = pool.map(lambda env: env.reset(seed=1), envs)
    attacker, defender = envs
    mine = next(host for host in attacker.state.controlled_hosts if host.is_private())

    def find(env: ServerEnv, kind: ActionType) -> int:
        """An action from that host on itself."""
        return next(
            number
            for number in map(int, np.flatnonzero(env.action_masks()))
            if (action := env.action(number)).type is kind
            and action.parameters["source_host"] == action.parameters["target_host"] == mine
        )

    defender.step(find(defender, ActionType.BlockIP))
    observation, *_ = attacker.step(find(attacker, ActionType.FindData))

    assert mine in attacker.state.known_blocks
    assert observation in attacker.observation_space
    assert isinstance(attacker.observer, FlatObserver)
    names = attacker.observer.layout.feature_names
    news = {names[i].split()[0] for i in map(int, np.flatnonzero(observation[:-1] != before[:-1]))}
    assert news == ({"known_data", "known_blocks"} if has_others else {"known_data"})
