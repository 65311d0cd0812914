"""Steps per second of an agent built on BaseAgent, against the most a blocking client could do.

What is measured: the shipped random attacker's own loop (valid actions of the state, choose one,
make the step), in episodes of 100 steps with a reset before each, on `two_networks_small`, against
the game server in a process of its own.
Against what: a blocking client with TCP_NODELAY that sends, on the agent's own connection, the very
requests the agent has just sent, and reads each answer to its end without looking at it.
How: the two take turns after every episode, in rounds of some episodes, nothing pinned; medians
over the rounds, and the spread from lowest to highest. No episode is played by the agent twice.
Where its time goes is measured afterwards, stage by stage, on what the last round asked and was
answered: waiting for the server is what the blocking client took, and the rest is what no stage
accounts for.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

from agents.random_attacker import RandomAttacker
from benchmarks.servers import ask, game_server
from netsecgame import Action, Observation, generate_valid_actions
from netsecgame.agents.answers import read_step, reset_action
from netsecgame.game_components import GameState
from netsecgame.protocol.reply_reader import ReplyReader
from netsecgame.protocol.session import ClientSession

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_P = ParamSpec("_P")
_T = TypeVar("_T")

STEPS_PER_EPISODE = 100


class Episode(NamedTuple):
    """One episode, played by the agent and then by the blocking client.

    Attributes:
        actions: What was asked, the reset first.
        replies: What the server answered.
        agent_s: Seconds the agent took.
        bare_s: Seconds the blocking client took.
    """

    actions: list[Action]
    replies: list[bytes]
    agent_s: float
    bare_s: float


class Round(NamedTuple):
    """Some episodes together.

    Attributes:
        answers: How many there were.
        agent_s: Seconds the agent took.
        bare_s: Seconds the blocking client took.
    """

    answers: int
    agent_s: float
    bare_s: float

    @classmethod
    def of(cls, episodes: list[Episode]) -> Round:
        """The episodes' sums."""
        return cls(
            sum(len(episode.replies) for episode in episodes),
            sum(episode.agent_s for episode in episodes),
            sum(episode.bare_s for episode in episodes),
        )


def measure(rounds: int, episodes: int) -> list[list[Episode]]:
    """Rounds of episodes on one server, after one round to warm up."""
    with (
        tempfile.TemporaryDirectory() as folder,
        game_server(Path(folder)) as server,
        RandomAttacker("127.0.0.1", server.port, seed=42) as agent,
    ):
        told(agent.register())
        return [
            [play_twice(agent, seed) for seed in range(n * episodes, (n + 1) * episodes)]
            for n in range(rounds + 1)
        ][1:]


def play_twice(agent: RandomAttacker, seed: int) -> Episode:
    """The agent plays an episode, and the blocking client asks the same again."""
    assert agent.socket is not None
    begin = time.perf_counter()
    actions = play(agent, seed)
    agent_s = time.perf_counter() - begin
    requests = [action.to_json().encode() for action in actions]
    begin = time.perf_counter()
    replies = ask_all(agent.socket, requests)
    return Episode(actions, replies, agent_s, time.perf_counter() - begin)


def play(agent: RandomAttacker, seed: int) -> list[Action]:
    """Reset with the seed and play an episode; gives what was asked."""
    asked = [reset_action(False, False, seed)]
    observation = told(agent.request_game_reset(seed=seed))
    for _ in range(STEPS_PER_EPISODE):
        action = agent.choose_action(observation.state)
        observation = told(agent.make_step(action))
        asked.append(action)
    return asked


def ask_all(connection: socket.socket, requests: list[bytes]) -> list[bytes]:
    """Send the requests one by one; gives the answers."""
    return [ask(connection, request) for request in requests]


def told(observation: Observation | None) -> Observation:
    """The observation; the server must not have refused."""
    if observation is None:
        raise ConnectionError("the server refused")
    return observation


# --- where the time goes --------------------------------------------------------------------------


class Stopwatch:
    """Adds up the time of each stage.

    Attributes:
        spent_s: Seconds by stage.
    """

    def __init__(self) -> None:
        self.spent_s: dict[str, float] = {}

    def time(self, stage: str, work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """What the work gives; its time is added."""
        begin = time.perf_counter()
        result = work(*args, **kwargs)
        self.spent_s[stage] = self.spent_s.get(stage, 0.0) + time.perf_counter() - begin
        return result


def time_stages(episodes: list[Episode]) -> dict[str, float]:
    """Seconds that each stage of the agent's loop takes for these episodes by itself."""
    watch = Stopwatch()
    session, reader, rng = ClientSession(), ReplyReader(), Random(42)
    logger = logging.getLogger(__name__)

    def decode(reply: bytes) -> Observation:
        session.receive_data(reply)
        frame = session.next_frame()
        assert frame is not None
        return told(read_step(reader.read(frame), logger))

    def look_at(state: GameState) -> None:
        for part in GameState.__dataclass_fields__:
            getattr(state, part)

    def choose(actions: set[Action]) -> Action:
        return rng.choice(sorted(actions, key=str))

    for episode in episodes:
        for action, reply in zip(episode.actions, episode.replies, strict=True):
            watch.time("encode", session.send, action)
            state = watch.time("decode", decode, reply).state
            watch.time("state", look_at, state)
            actions = watch.time("valid actions", generate_valid_actions, state)
            watch.time("choose", choose, actions)
    return watch.spent_s


def describe(name: str, rates: list[float]) -> str:
    """One line on a client."""
    spread = f"({min(rates):,.0f} to {max(rates):,.0f})"
    return f"{name:<18}{statistics.median(rates):>8,.0f} answers/s  {spread}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="how many rounds")
    parser.add_argument("--episodes", type=int, default=20, help="episodes in a round")
    options = parser.parse_args()
    episodes = measure(options.rounds, options.episodes)
    rounds = [Round.of(some) for some in episodes]
    ratios = [played.bare_s / played.agent_s for played in rounds]
    print(
        f"an agent's loop, two_networks_small, {len(rounds)} rounds of {options.episodes} episodes"
    )
    print(describe("random attacker", [played.answers / played.agent_s for played in rounds]))
    print(describe("blocking client", [played.answers / played.bare_s for played in rounds]))
    print(
        f"{'ratio':<18}{statistics.median(ratios):>8.2f}"
        f"            ({min(ratios):.2f} to {max(ratios):.2f})"
    )
    last = rounds[-1]
    stages = {"wait for the server": last.bare_s, **time_stages(episodes[-1])}
    stages["rest"] = last.agent_s - sum(stages.values())
    print("us a step, last round:")
    for stage, spent_s in stages.items():
        print(f"  {stage:<20}{spent_s / last.answers * 1e6:>6.1f}")


if __name__ == "__main__":
    main()
