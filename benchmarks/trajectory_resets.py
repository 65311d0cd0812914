"""What a reset costs whose reply carries the trajectory of a long episode.

What is measured: a client with a blocking socket plays episodes of 1,500 steps on
`two_networks_small` (without a step limit and without a goal, so that no episode ends by itself)
against the game server in a process of its own. After each it asks for a reset: in turns a plain
one, and one with `request_trajectory`. Time runs from sending the request to having read the whole
reply. Two kinds of play: random valid actions, whose states grow long with the logs they read; and
random scans and searches for services, which soon change nothing.
Against what: the plain reset of the same server. The floor is a process that does nothing but
send as many bytes as the reply has, to the same client.
How others are held up: a peer outside the game asks, again and again, something that is refused at
once; its longest wait is taken while the long reply is made and sent, while the floor is sent and
the game server has nothing else to do, and, with `save_trajectories`, while an episode is ended and
stored. Likewise the longest step of another agent of the game, which has asked for a plain reset
before, so that the two are answered together, and plays on beside the long reply.
How: in turns in one run, nothing pinned; medians over the turns, and the spread from lowest to
highest.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import tempfile
import threading
import time
from pathlib import Path
from random import Random
from typing import NamedTuple, Self

import yaml

from benchmarks.servers import END, ROOT, TASK, connect, running
from netsecgame import Action, ActionType, AgentInfo, AgentRole, generate_valid_actions
from netsecgame.core.world import World
from netsecgame.game.loading import load_game

STEPS = 1_500
SEED = 42
PLAIN_RESETS = 50
NONSENSE = b"{}"
PLAYS = {
    "scans and searches for services": {ActionType.ScanNetwork, ActionType.FindServices},
    "random valid actions": set(ActionType),
}
#: Requests on their way at once while an episode is only played; bounds what waits to be read.
_IN_FLIGHT = 20
_LONGEST_REPLY = 64 * 1024 * 1024
_SETTLE_S = 0.2


class Turn(NamedTuple):
    """One turn of one kind of play; times in milliseconds.

    Attributes:
        plain: A plain reset of a game in which nothing was played.
        after_episode: A plain reset after an episode of `STEPS` steps.
        trajectory: A reset that asks for the trajectory of such an episode.
        floor: Reading as many bytes from a process that only sends them.
        size: Bytes of the long reply.
        strangers: Longest wait of a peer outside the game beside the long reply.
        others: Longest step of another agent of the game beside it.
        beside_floor: Longest wait of that peer beside the floor.
    """

    plain: float
    after_episode: float
    trajectory: float
    floor: float
    size: int
    strangers: float
    others: float
    beside_floor: float


class Client:
    """A blocking socket that reads replies into one buffer."""

    def __init__(self, port: int) -> None:
        self._socket = connect(port)
        self._buffer = bytearray(_LONGEST_REPLY)
        self._view = memoryview(self._buffer)

    def send(self, request: bytes) -> None:
        """Ask, without waiting for the answer."""
        self._socket.sendall(request)

    def read(self) -> int:
        """Read one reply, when nothing else was asked; returns its bytes."""
        size = 0
        while not self._buffer.endswith(END, max(0, size - len(END)), size):
            size += self._receive(size)
        return size

    def read_bytes(self, count: int) -> None:
        """Read that many bytes."""
        size = 0
        while size < count:
            size += self._receive(size)

    def _receive(self, size: int) -> int:
        more = self._socket.recv_into(self._view[size:])
        if not more:
            raise ConnectionError("the server closed the connection")
        return more

    def time_ms(self, request: bytes) -> tuple[float, int]:
        """Milliseconds from a request to its whole reply, and the reply's bytes."""
        begin = time.perf_counter()
        self.send(request)
        size = self.read()
        return (time.perf_counter() - begin) * 1e3, size

    def ask(self, request: bytes) -> bytes:
        """The reply to a request."""
        self.send(request)
        return bytes(self._buffer[: self.read()])

    def play(self, requests: list[bytes]) -> None:
        """Ask all that and throw the replies away."""
        left = len(requests)
        sent = 0
        while left:
            while sent < len(requests) and sent - (len(requests) - left) < _IN_FLIGHT:
                self.send(requests[sent])
                sent += 1
            # A reply may end, and others begin, anywhere in a chunk; the marker may be cut in two.
            size = self._receive(len(END))
            left -= self._buffer.count(END, 0, len(END) + size)
            self._buffer[: len(END)] = self._buffer[size : size + len(END)]
            if self._buffer.startswith(END):
                self._buffer[: len(END)] = b"   "
        self._buffer[: len(END)] = b"   "

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class Repeater:
    """Asks one thing again and again while a block runs, and notes the longest wait.

    Attributes:
        longest_ms: Of the answers so far.
    """

    def __init__(self, client: Client, request: bytes) -> None:
        self.longest_ms = 0.0
        self._client = client
        self._request = request
        self._is_wanted = True
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_wanted = False
        self._thread.join()

    def _run(self) -> None:
        while self._is_wanted:
            self.longest_ms = max(self.longest_ms, self._client.time_ms(self._request)[0])


def request_of(kind: ActionType, **parameters: object) -> bytes:
    """A message."""
    return Action(kind, parameters).to_json().encode()


def join_request(name: str) -> bytes:
    """The message that joins as an attacker."""
    return request_of(ActionType.JoinGame, agent_info=AgentInfo(name, AgentRole.Attacker))


def reset_request(*, with_trajectory: bool = False) -> bytes:
    """The message that asks for the same episode again."""
    return request_of(
        ActionType.ResetGame,
        seed=SEED,
        request_trajectory=with_trajectory,
        randomize_topology=False,
    )


def write_task(folder: Path, *, save_trajectories: bool) -> Path:
    """The task without a step limit and without a goal."""
    task = yaml.safe_load(TASK.read_text())
    attacker = task["coordinator"]["agents"]["Attacker"]
    del attacker["max_steps"], attacker["goal"]["known_data"]
    task["env"]["save_trajectories"] = save_trajectories
    path = folder / f"task_{save_trajectories}.yaml"
    path.write_text(yaml.safe_dump(task))
    return path


def record_episode(task: Path, kinds: set[ActionType]) -> list[bytes]:
    """Random valid actions of these kinds."""
    world = World(load_game(task), SEED)
    state = world.register("agent", AgentRole.Attacker).state
    rng = Random(SEED)
    requests = []
    for _ in range(STEPS):
        valid = [action for action in generate_valid_actions(state) if action.type in kinds]
        action = rng.choice(sorted(valid, key=str))
        requests.append(action.to_json().encode())
        state = world.step("agent", action).state
    return requests


def serve_bytes() -> None:
    """Be the floor: a number comes in, so many bytes go out."""
    memory = memoryview(b"x" * _LONGEST_REPLY)  # zeros would be one page of memory
    with socket.create_server(("127.0.0.1", 0)) as server:
        while True:
            connection, _ = server.accept()
            with connection:
                while request := connection.recv(64):
                    connection.sendall(memory[: int(request)])


def game_command(task: Path) -> list[str]:
    """How the game server is started."""
    return ["netsecgame.game.worlds.NetSecGame", "-c", str(task), "-gp", "0"]


def take_turn(port: int, floor: Client, requests: list[bytes]) -> Turn:
    """All figures of one kind of play."""
    game, stranger, other = Client(port), Client(port), Client(port)
    game.ask(join_request("bench"))
    plain = statistics.median(game.time_ms(reset_request())[0] for _ in range(PLAIN_RESETS))
    game.play(requests)
    after_episode, _ = game.time_ms(reset_request())
    game.play(requests)
    trajectory, size = game.time_ms(reset_request(with_trajectory=True))
    floor_ms = time_floor_ms(floor, size)

    game.play(requests)
    with Repeater(stranger, NONSENSE) as strangers:
        game.time_ms(reset_request(with_trajectory=True))  # `ask` would copy, and hold up the other
    other.ask(join_request("other"))
    game.play(requests)
    other.send(reset_request())
    time.sleep(_SETTLE_S)
    game.send(reset_request(with_trajectory=True))
    other.read()
    with Repeater(other, requests[0]) as others:
        game.read()
    with Repeater(stranger, NONSENSE) as beside_floor:
        time_floor_ms(floor, size)
    for client in (game, stranger, other):
        client.close()
    return Turn(
        plain,
        after_episode,
        trajectory,
        floor_ms,
        size,
        strangers.longest_ms,
        others.longest_ms,
        beside_floor.longest_ms,
    )


def time_floor_ms(floor: Client, size: int) -> float:
    """Milliseconds until that many bytes are read that are only sent."""
    begin = time.perf_counter()
    floor.send(b"%d" % size)
    floor.read_bytes(size)
    return (time.perf_counter() - begin) * 1e3


def measure_storing(folder: Path, requests: list[bytes], turns: int) -> list[float]:
    """The longest wait of a stranger while an episode ends and is stored, in milliseconds."""
    longest = []
    task = write_task(folder, save_trajectories=True)
    with running(game_command(task), folder) as server:
        game, stranger = Client(server.port), Client(server.port)
        game.ask(join_request("bench"))
        game.ask(reset_request())
        for _ in range(turns):
            game.play(requests)
            with Repeater(stranger, NONSENSE) as strangers:
                game.ask(reset_request())
                time.sleep(_SETTLE_S)
            longest.append(strangers.longest_ms)
        game.close()
        stranger.close()
    return longest


def spread(values: list[float], digits: int = 2) -> str:
    """Median and spread."""
    return (
        f"{statistics.median(values):>9.{digits}f}"
        f"  ({min(values):.{digits}f} to {max(values):.{digits}f})"
    )


def report(name: str, turns: list[Turn], storing: list[float]) -> None:
    """Print the figures of one kind of play."""
    print(f"\n{name}: the reply weighs {turns[0].size / 1e6:.2f} MB")
    print(f"  plain reset                    ms {spread([t.plain for t in turns])}")
    print(f"  plain reset after {STEPS:,} steps  ms {spread([t.after_episode for t in turns])}")
    print(f"  reset with trajectory          ms {spread([t.trajectory for t in turns])}")
    print(f"  floor: as many bytes           ms {spread([t.floor for t in turns])}")
    ratios = [turn.trajectory / turn.plain for turn in turns]
    print(f"  ratio to a plain reset            {spread(ratios, 1)}")
    ratios = [turn.trajectory / turn.after_episode for turn in turns]
    print(f"  ratio to one after an episode     {spread(ratios, 1)}")
    ratios = [turn.floor / turn.plain for turn in turns]
    print(f"  ratio of the floor                {spread(ratios, 1)}")
    print(f"  longest wait of a stranger     ms {spread([t.strangers for t in turns])}")
    print(f"  longest step of another agent  ms {spread([t.others for t in turns])}")
    print(f"  longest wait while storing     ms {spread(storing)}")
    print(f"  longest wait beside the floor  ms {spread([t.beside_floor for t in turns])}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=7, help="turns of each kind of play")
    parser.add_argument("--floor", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.floor:
        serve_bytes()
        return
    print(f"resets after {STEPS:,} steps on two_networks_small, {options.turns} turns")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        task = write_task(folder, save_trajectories=False)
        for title, kinds in PLAYS.items():
            requests = record_episode(task, kinds)
            with (
                running(["benchmarks.trajectory_resets", "--floor"], ROOT) as floor_server,
                running(game_command(task), folder) as server,
            ):
                floor = Client(floor_server.port)
                turns = [take_turn(server.port, floor, requests) for _ in range(options.turns)]
                floor.close()
            report(title, turns, measure_storing(folder, requests, options.turns))


if __name__ == "__main__":
    main()
