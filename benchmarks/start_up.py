"""How long until the server accepts agents, what it burns while idle, and what importing costs.

Start: from the start of the process to the first connection it accepts, tried every millisecond.
Idle: processor time (user and system) of the server over 5 seconds with one joined, silent agent.
Import: `import netsecgame` in a new process, less a process that imports nothing.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.servers import TASK, ask
from netsecgame import Action, ActionType, AgentInfo, AgentRole

ROUNDS = 7
IDLE_S = 5.0


def free_port() -> int:
    """A port that nobody listens on now: to ask the server for its own would take time."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def start_server(folder: str) -> tuple[subprocess.Popen[bytes], socket.socket, float]:
    """A new server, a connection to it, and the seconds that took."""
    port = free_port()
    command = [sys.executable, "-m", "netsecgame.game.worlds.NetSecGame"]
    begin = time.perf_counter()
    server = subprocess.Popen([*command, "-c", str(TASK), "-gp", str(port)], cwd=folder)
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            if server.poll() is not None:
                raise RuntimeError("the server did not start") from None
            time.sleep(0.001)
        else:
            return server, connection, time.perf_counter() - begin


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, from /proc."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def time_process(code: str) -> float:
    """Seconds that a new Python process takes for some code."""
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        times = []
        for _ in range(ROUNDS):
            server, connection, seconds = start_server(folder)
            times.append(seconds)
            connection.close()
            server.terminate()
            server.wait(10)
        server, connection, _ = start_server(folder)
        with server, connection:
            info = AgentInfo("idle", AgentRole.Attacker)
            ask(connection, Action(ActionType.JoinGame, {"agent_info": info}).to_json().encode())
            time.sleep(1.0)
            before = cpu_seconds(server.pid)
            time.sleep(IDLE_S)
            idle = cpu_seconds(server.pid) - before
            server.terminate()
    imports = [time_process("import netsecgame") - time_process("pass") for _ in range(ROUNDS)]
    print(
        f"start to first connection  {statistics.median(times):.3f} s"
        f"  ({min(times):.3f} to {max(times):.3f})"
    )
    print(f"idle with one agent        {idle:.3f} s of processor time in {IDLE_S:g} s")
    print(
        f"import netsecgame          {statistics.median(imports) * 1000:.0f} ms"
        f"  ({min(imports) * 1000:.0f} to {max(imports) * 1000:.0f})"
    )


if __name__ == "__main__":
    main()
