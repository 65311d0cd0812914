"""Answers per second over TCP, against the most a bare asyncio server could do.

What is measured: attackers play episodes of 100 random valid actions with a reset after each, on
`two_networks_small`, against the game server in a process of its own with its default log level.
Once with one attacker, and once with 32 in one game, whose resets wait for each other.
Against what: an `asyncio.Protocol` echo server in a process of its own, on the same event loop
(asyncio's or uvloop's), which answers the same requests with the very bytes the game server
answered. Same client, same bytes both ways.
The client: blocking sockets with TCP_NODELAY. With 32 of them it goes round: it reads one's answer,
sends its next request and looks at the next one. So it never waits for all and costs little (two
system calls an answer, no event loop), and the server is the limit, but for the echo server on
uvloop, which is about as quick as the client. `busy` tells the share of the time in which the
server's process had a processor.
How: a recorded conversation, repeated as a whole; in turns in one run, nothing pinned; medians over
the turns, and the spread from lowest to highest. The processor time of the server per answer is
what is left of the figures when other programs take the machine's time. In a conversation agents
ask for the same again and again, as random agents do: of 1,010 requests of one attacker some 150
differ. Data are named without their content, because logs that 32 attackers have filled are longer
than a message may be.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from benchmarks.servers import (
    TASK,
    ask,
    connect,
    echo_server,
    endless_task,
    game_server,
    read_answer,
)
from netsecgame import Action, ActionType, AgentInfo, AgentRole, generate_valid_actions
from netsecgame.core.world import World
from netsecgame.game.loading import load_game

if TYPE_CHECKING:
    import socket

    from benchmarks.servers import Server

STEPS_PER_EPISODE = 100
SEED = 42

#: Attackers at once, and the episodes of their conversation.
EPISODES = {1: 10, 32: 2}


class Turn(NamedTuple):
    """One turn against one server.

    Attributes:
        rate: Answers per second.
        p50_us: Median latency in microseconds.
        p99_us: 99th percentile of the latency in microseconds.
        cpu_us: Processor time of the server per answer in microseconds.
    """

    rate: float
    p50_us: float
    p99_us: float
    cpu_us: float


def record_requests(seed: int = SEED) -> list[bytes]:
    """The conversation of one agent on `TASK`."""
    return record_conversations(TASK, 1, EPISODES[1], seed)[0]


def record_conversations(
    task: Path, agents: int, episodes: int, first_seed: int = SEED
) -> list[list[bytes]]:
    """A seeded conversation of each agent after its join, all of the same length.

    The actions are valid for what the agent knows when all go in turns.
    """
    spec = load_game(task)
    rng = Random(first_seed)
    conversations: list[list[bytes]] = [[] for _ in range(agents)]
    seeds = range(first_seed, first_seed + episodes)
    for seed in seeds:
        world = World(spec, seed)
        states = [world.register(agent, AgentRole.Attacker).state for agent in range(agents)]
        for _ in range(STEPS_PER_EPISODE):
            for agent, requests in enumerate(conversations):
                action = rng.choice(sorted(generate_valid_actions(states[agent]), key=str))
                requests.append(without_content(action).to_json().encode())
                if world.player(agent).is_playing:
                    states[agent] = world.step(agent, action).state
        for requests in conversations:
            requests.append(reset_request(seed + 1 if seed + 1 in seeds else first_seed))
    return conversations


def without_content(action: Action) -> Action:
    """The same action, its datum named without what is in it.

    A log that 32 attackers have filled is longer than a message may be.
    """
    datum = action.parameters.get("data")
    if datum is None:
        return action
    return Action(action.type, {**action.parameters, "data": replace(datum, content="", size=0)})


def reset_request(seed: int) -> bytes:
    """A request for a new episode."""
    return Action(ActionType.ResetGame, {"seed": seed}).to_json().encode()


def play_once(connections: list[socket.socket], conversations: list[list[bytes]]) -> list[float]:
    """Play the conversation once; gives the latency of every answer in seconds."""
    clock = time.perf_counter
    latencies = []
    sent = [0.0] * len(connections)
    for place, requests in enumerate(zip(*conversations, strict=True)):
        for agent, request in enumerate(requests):
            if place:
                read_answer(connections[agent])
                latencies.append(clock() - sent[agent])
            sent[agent] = clock()
            connections[agent].sendall(request)
    for agent, connection in enumerate(connections):
        read_answer(connection)
        latencies.append(clock() - sent[agent])
    return latencies


def play(
    server: Server,
    connections: list[socket.socket],
    conversations: list[list[bytes]],
    duration_s: float,
) -> Turn:
    """Play the conversation again and again for about `duration_s` seconds."""
    latencies: list[float] = []
    cpu_s = server.cpu_s
    begin = now = time.perf_counter()
    while now - begin < duration_s:
        latencies += play_once(connections, conversations)
        now = time.perf_counter()
    cpu_s = server.cpu_s - cpu_s
    latencies.sort()
    count = len(latencies)
    return Turn(
        count / (now - begin),
        latencies[count // 2] * 1e6,
        latencies[count * 99 // 100] * 1e6,
        cpu_s / count * 1e6,
    )


def join_all(connections: list[socket.socket]) -> None:
    """Let every connection join, and begin the first episode."""
    for connection in connections:
        info = AgentInfo("bench", AgentRole.Attacker)
        ask(connection, Action(ActionType.JoinGame, {"agent_info": info}).to_json().encode())
    for connection in connections:
        connection.sendall(reset_request(SEED))
    for connection in connections:
        read_answer(connection)


def record_replies(
    connections: list[socket.socket], conversations: list[list[bytes]]
) -> list[list[bytes]]:
    """What each connection is answered."""
    replies: list[list[bytes]] = [[] for _ in connections]
    for requests in zip(*conversations, strict=True):
        for connection, request in zip(connections, requests, strict=True):
            connection.sendall(request)
        for connection, answers in zip(connections, replies, strict=True):
            answers.append(read_answer(connection))
    return replies


def measure(agents: int, loop: str, turns: int, turn_s: float) -> tuple[list[Turn], list[Turn]]:
    """Turns against the game server and against the echo server, one of each after the other."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        task = endless_task(folder)
        conversations = record_conversations(task, agents, EPISODES[agents])

        def connect_all(server: Server) -> list[socket.socket]:
            return [stack.enter_context(connect(server.port)) for _ in range(agents)]

        game = stack.enter_context(game_server(folder, loop, task))
        players = connect_all(game)
        join_all(players)
        replies = record_replies(players, conversations)
        echo = stack.enter_context(echo_server(folder, replies, loop))
        listeners = connect_all(echo)
        games, echoes = [], []
        for _ in range(turns):
            games.append(play(game, players, conversations, turn_s))
            echoes.append(play(echo, listeners, conversations, turn_s))
        lengths = [len(reply) for each in replies for reply in each]
        print(f"  {statistics.mean(lengths):,.0f} bytes an answer")
        return games, echoes


def describe(name: str, turns: list[Turn]) -> str:
    """One line on a server."""
    rates = [turn.rate for turn in turns]
    p50, p99, cpu = (
        statistics.median(figures)
        for figures in zip(*((t.p50_us, t.p99_us, t.cpu_us) for t in turns), strict=True)
    )
    busy = statistics.median(turn.cpu_us * turn.rate / 1e6 for turn in turns)
    return (
        f"  {name:<6}{statistics.median(rates):>8,.0f} answers/s"
        f"  ({min(rates):,.0f} to {max(rates):,.0f})  p50 {p50:.0f} us  p99 {p99:.0f} us"
        f" = {p99 / p50:.1f} x p50  server {cpu:.1f} us an answer, busy {busy:.0%}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=7, help="turns against each server")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn")
    parser.add_argument("--loops", nargs="+", default=["asyncio", "uvloop"], help="event loops")
    parser.add_argument("--agents", nargs="+", type=int, default=list(EPISODES), help="at once")
    options = parser.parse_args()
    for loop in options.loops:
        for agents in options.agents:
            print(f"{agents} agent(s) over TCP on {loop}, {options.turns} turns")
            games, echoes = measure(agents, loop, options.turns, options.seconds)
            ratios = [game.rate / echo.rate for game, echo in zip(games, echoes, strict=True)]
            print(describe("game", games))
            print(describe("echo", echoes))
            print(
                f"  ratio {statistics.median(ratios):>8.2f}"
                f"            ({min(ratios):.2f} to {max(ratios):.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
