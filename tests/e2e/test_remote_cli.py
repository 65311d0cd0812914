"""`netsecgame remote` as people use it: servers and clients are processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import grpc
import pytest

from netsecgame.remote import RemoteEnvironment
from netsecgame.remote.echo import echo

if TYPE_CHECKING:
    from collections.abc import Iterator

NETSECGAME = [sys.executable, "-m", "netsecgame.cli"]

#: An environment that fails where it is asked to.
ENTRYPOINT = """
import gymnasium
import numpy as np

class Counter(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 100, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)

    def __init__(self, fails_in=None, length=3, reward=0.5, masked=False):
        self.fails_in, self.length, self.reward = fails_in, length, reward
        self.info = {"action_mask": np.array([0, 1], np.int8)} if masked else {}
        self.fail("constructor")

    def fail(self, place):
        if self.fails_in == place:
            raise ValueError(f"the {place} is broken")

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.fail("reset")
        self.steps, self.seeded = 0, seed
        return np.zeros(1, np.float32), self.info

    def step(self, action):
        self.fail("step")
        self.steps += 1
        reward = {None: float(action), "seed": self.seeded}.get(self.reward, self.reward)
        is_over = self.steps == self.length
        return np.full(1, self.steps, np.float32), reward, is_over, False, self.info

def create_environment(env_id, **kwargs):
    return Counter(**kwargs)
"""


class Served(NamedTuple):
    """A server that listens.

    Attributes:
        port: Where.
        line: What it says on its first line.
        process: It.
    """

    port: int
    line: str
    process: subprocess.Popen[str]


class Ran(NamedTuple):
    """What a command came to."""

    status: int
    output: str
    error: str


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything runs."""
    (tmp_path / "counter.py").write_text(ENTRYPOINT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextmanager
def serving(*arguments: str, status: int = 0, command: list[str] | None = None) -> Iterator[Served]:
    """A server on a free port, until the block ends; it must end well and quietly."""
    process = subprocess.Popen(
        [*(command or [*NETSECGAME, "remote", "serve"]), *arguments, "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r":(\d+) \(", line)
            assert found is not None, process.communicate(timeout=30)[1]
            yield Served(int(found[1]), line, process)
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                _, error = process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert (process.returncode, error) == (status, "")


def remote(*arguments: str, command: list[str] | None = None) -> Ran:
    """Carry out a command of `netsecgame remote`."""
    ran = subprocess.run(
        [*(command or [*NETSECGAME, "remote"]), *arguments],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return Ran(ran.returncode, ran.stdout, ran.stderr)


def layers(ran: Ran) -> dict[str, bool]:
    """By layer, whether `check` found it fine."""
    found = re.findall(r"^(\w[\w ]*?) +(ok|FAILED) ", ran.output, re.MULTILINE)
    return {name: state == "ok" for name, state in found}


# --- serve and play -------------------------------------------------------------------------------


def test_serve_own_environment_is_played_and_ends_with_sigterm() -> None:
    with serving("--entrypoint", "counter.py", "--kwargs", '{"length": 4}') as server:
        played = remote("play", "-p", str(server.port), "--episodes", "2", "--seed", "5")
    assert server.line == f"listening on 127.0.0.1:{server.port} (plaintext)\n"
    assert played == Ran(
        0,
        "episode 0: 4 steps, return 2, terminated\n"
        "episode 1: 4 steps, return 2, terminated\n"
        "2 episodes, 8 steps, mean return 2, seed 5\n",
        "",
    )


def test_play_with_arguments_of_its_own_has_them_reach_the_factory() -> None:
    with serving("--entrypoint", "counter.py", "--mode", "inline") as server:
        played = remote(
            "play", "-p", str(server.port), "--episodes", "1", "--kwargs", '{"length": 7}'
        )
    assert played.output.startswith("episode 0: 7 steps")


def test_play_with_a_seed_repeats_itself_and_with_another_does_not() -> None:
    kwargs = ("--kwargs", '{"length": 50, "reward": null}')
    with serving("--entrypoint", "counter.py", "--mode", "inline", *kwargs) as server:
        first, again, other = (
            remote("play", "-p", str(server.port), "--episodes", "3", "--seed", seed)
            for seed in ("1", "1", "2")
        )
    assert first.status == 0, first.error
    assert first == again
    assert first.output.splitlines()[:3] != other.output.splitlines()[:3]


def test_play_episodes_have_the_seed_and_those_after_it() -> None:
    kwargs = ("--kwargs", '{"length": 1, "reward": "seed"}')
    with serving("--entrypoint", "counter.py", "--mode", "inline", *kwargs) as server:
        played = remote("play", "-p", str(server.port), "--episodes", "2", "--seed", "7")
    assert re.findall(r": 1 steps, return (\d+),", played.output) == ["7", "8"]


def test_play_where_actions_are_masked_plays_legal_ones_only() -> None:
    kwargs = ("--kwargs", '{"length": 30, "reward": null, "masked": true}')
    with serving("--entrypoint", "counter.py", "--mode", "inline", *kwargs) as server:
        played = remote("play", "-p", str(server.port), "--episodes", "1")
    assert played.output.startswith("episode 0: 30 steps, return 30, ")


def test_serve_task_is_played_as_an_attacker() -> None:
    with serving("--task", "two_networks_small", "--mode", "inline") as server:
        played = remote("play", "-p", str(server.port), "--episodes", "1", "--seed", "1")
    assert played.status == 0, played.error
    assert re.match(r"episode 0: \d+ steps, return -?\d+, (terminated|truncated)", played.output)


def test_serve_task_in_parallel_is_played_by_all_agents() -> None:
    with serving("--task", "two_networks_defended", "--parallel", "--mode", "inline") as server:
        played = remote("play", "-p", str(server.port), "--episodes", "1", "--seed", "1")
        checked = remote("check", "-p", str(server.port))
    assert played.status == 0, played.error
    assert re.match(
        r"episode 0: \d+ steps, return attacker_0 -?[\d.]+, defender_0 -?[\d.]+", played.output
    )
    assert layers(checked)["episode"]
    assert "agents attacker_0, defender_0" in checked.output


def test_serve_task_lets_clients_choose_no_file_of_the_server() -> None:
    game = ("--task", "two_networks_small", "--mode", "inline")
    tiny = ("--kwargs", '{"task": "two_networks_tiny"}')
    with serving(*game) as server:
        port = ("-p", str(server.port))
        other = remote("check", *port, *tiny)
        as_text = remote("check", *port, "--kwargs", '{"observation": "text"}')
    assert layers(other)["entrypoint"] is False
    assert "NotAllowedError" in other.output
    assert as_text.status == 0, as_text.output
    assert "observations Text(" in as_text.output
    with serving(*game, "--allowed-kwargs", "task") as server:
        assert remote("check", "-p", str(server.port), *tiny).status == 0


def test_serve_task_with_a_role_has_that_role_learn() -> None:
    with serving(
        "--task", "two_networks_defended", "--role", "Defender", "--mode=inline"
    ) as server:
        played = remote("play", "-p", str(server.port), "--episodes", "1")
    assert played.status == 0, played.error


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serve_signal_lets_clients_go_on_and_a_second_ends_at_once(number: signal.Signals) -> None:
    with serving("--entrypoint", "counter.py", "--drain-s", "600", "--mode", "thread") as server:
        env = RemoteEnvironment("127.0.0.1", server.port)
        env.reset()
        server.process.send_signal(number)
        while (ran := remote("check", "-p", str(server.port))).status == 0:
            pass  # it has not seen the signal yet
        assert layers(ran) == {"name": True, "tcp": True, "tls": True, "service": False}
        assert "NOT_SERVING" in ran.output
        observation, *_ = env.step(0)
        assert observation == 1
        server.process.send_signal(number)
        assert server.process.wait(20) == 0
        env.close()


def test_serve_taken_port_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = remote("serve", "--entrypoint", "counter.py", "--port", str(port))
    assert (ran.status, ran.output) == (1, "")
    assert ran.error == (
        f"127.0.0.1:{port} is in use by another program; port 0 takes a free one\n"
    )


def test_serve_limit_of_a_config_file_holds_and_a_flag_wins(folder: Path) -> None:
    (folder / "server.toml").write_text('max_environments = 1\nmode = "inline"\n')
    config = ("--entrypoint", "counter.py", "--config", "server.toml")
    with serving(*config) as server:
        env = RemoteEnvironment("127.0.0.1", server.port)
        ran = remote("play", "-p", str(server.port))
        env.close()
    assert ran.status == 1
    assert ran.error.count("\n") == 1
    with serving(*config, "--max-environments", "2") as server:
        env = RemoteEnvironment("127.0.0.1", server.port)
        assert remote("play", "-p", str(server.port)).status == 0
        env.close()


def test_serve_function_of_the_working_folder_may_refuse_clients(folder: Path) -> None:
    (folder / "door.py").write_text(
        "def keep(identity, args):\n    raise PermissionError('nobody comes in')\n"
    )
    with serving(
        "--entrypoint", "counter.py", "--mode", "inline", "--authorize", "door:keep",
        command=[str(Path(sys.executable).with_name("netsecgame")), "remote", "serve"],
    ) as server:  # fmt: skip
        ran = remote("play", "-p", str(server.port))
    assert ran.status == 1
    assert "door" not in ran.error


def test_serve_metrics_are_read_where_it_says() -> None:
    with serving("--entrypoint", "counter.py", "--mode=inline", "--metrics-port", "0") as server:
        assert server.process.stdout is not None
        found = re.fullmatch(r"metrics on (\S+)\n", server.process.stdout.readline())
        assert found is not None
        with urllib.request.urlopen(f"http://{found[1]}/metrics", timeout=30) as answer:
            assert b"steps" in answer.read()


def test_play_where_nobody_listens_is_told_in_one_line(unused_port: int) -> None:
    ran = remote("play", "-p", str(unused_port))

    assert (ran.status, ran.output) == (1, "")
    assert ran.error == f"127.0.0.1:{unused_port}: refused: nobody listens there\n"


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that nobody listens on, and nobody else gets."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_play_plaintext_to_another_host_warns_in_one_line(unused_port: int) -> None:
    # Whether the name is known does not matter here.
    warned = remote("play", "-u", "trainer.invalid", "-p", str(unused_port))
    meant = remote("play", "-u", "trainer.invalid", "-p", str(unused_port), "--insecure")

    assert (warned.status, meant.status) == (1, 1)
    first, second = warned.error.splitlines()
    assert first.startswith("warning: the connection to trainer.invalid")
    assert meant.error == second + "\n"


# --- check ----------------------------------------------------------------------------------------

BELOW_SERVICE = {"name": True, "tcp": True, "tls": True}
UP_TO_SERVICE = {**BELOW_SERVICE, "service": True}


def test_check_server_that_works_is_fine_in_each_layer() -> None:
    with serving("--entrypoint", "counter.py") as server:
        ran = remote("check", "-p", str(server.port))
    assert (ran.status, ran.error) == (0, "")
    assert layers(ran) == {**UP_TO_SERVICE, "entrypoint": True, "episode": True}
    assert "actions Discrete(2)" in ran.output


@pytest.mark.parametrize("place", ["constructor", "reset", "step"])
def test_check_environment_that_raises_is_told_with_its_text(place: str) -> None:
    with serving("--entrypoint", "counter.py", "--kwargs", f'{{"fails_in": "{place}"}}') as server:
        ran = remote("check", "-p", str(server.port))
        server.process.terminate()
        assert server.process.stderr is not None
        assert f"the {place} is broken" in server.process.stderr.read()  # its log
    found = {"entrypoint": place != "constructor"}
    if place != "constructor":
        found["episode"] = False
    assert ran.status == 1
    assert layers(ran) == {**UP_TO_SERVICE, **found}
    assert f"ValueError: the {place} is broken" in ran.output


def test_check_entrypoint_that_is_not_allowed_is_named() -> None:
    with serving("--entrypoint", "counter.py") as server:
        ran = remote("check", "-p", str(server.port), "--entrypoint", "other.py")
    assert layers(ran) == {**UP_TO_SERVICE, "entrypoint": False}
    assert "NotAllowedError" in ran.output
    assert "counter.py" in ran.output


def test_check_nobody_listens_fails_at_tcp(unused_port: int) -> None:
    ran = remote("check", "-p", str(unused_port))

    assert ran.status == 1
    assert layers(ran) == {"name": True, "tcp": False}


def test_check_unknown_host_fails_at_the_name() -> None:
    ran = remote("check", "-u", "trainer.invalid", "--insecure")

    assert ran.status == 1
    assert layers(ran) == {"name": False}


def test_check_other_grpc_server_fails_at_the_service() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        ran = remote("check", "-p", str(port))
    finally:
        server.stop(None).wait()
    assert ran.status == 1
    assert layers(ran) == {**BELOW_SERVICE, "service": False}
    assert "UnsupportedByServerError" in ran.output


def test_check_server_that_answers_nonsense_fails_at_the_service() -> None:
    with echo(1, 0) as client:
        ran = remote("check", "-p", str(client.port))
    assert ran.status == 1
    assert layers(ran) == {**BELOW_SERVICE, "service": False}


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture
def certs() -> str:
    """A folder with certificates of this machine."""
    assert remote("certs", "init", "--dir", "certs").status == 0
    return "certs"


def test_serve_with_certificates_is_for_clients_that_trust_them(certs: str) -> None:
    assert remote("certs", "init", "--dir", "others").status == 0
    with serving("--entrypoint", "counter.py", "--certs", certs) as server:
        port = ("-p", str(server.port))
        checked = remote("check", *port, "--certs", certs)
        played = remote("play", *port, "--certs", certs, "--episodes", "1")
        others = remote("check", *port, "--certs", "others")
        plain = remote("check", *port)
    assert server.line.endswith(" (tls)\n")
    fine = {"certificate": True, "client certificate": True, "service": True}
    assert layers(checked) == {**BELOW_SERVICE, **fine, "entrypoint": True, "episode": True}
    assert (played.status, played.error) == (0, "")
    assert layers(others) == {**BELOW_SERVICE, "certificate": False}
    assert "untrusted_ca" in others.output
    assert layers(plain) == {"name": True, "tcp": True, "tls": False}
    assert "server_speaks_tls" in plain.output


def test_serve_mutual_asks_for_a_clients_certificate(certs: str, folder: Path) -> None:
    (folder / "bare").mkdir()
    (folder / "bare" / "ca.pem").write_bytes((folder / certs / "ca.pem").read_bytes())
    arguments = ("--entrypoint", "counter.py", "--certs", certs)
    with serving(*arguments, "--mutual") as server:
        known = remote("check", "-p", str(server.port), "--certs", certs)
        unknown = remote("check", "-p", str(server.port), "--certs", "bare")
    assert server.line.endswith(" (mtls)\n")
    assert known.status == 0, known.output
    assert layers(unknown)["client certificate"] is False
    assert "client_certificate_required" in unknown.output


def test_serve_rules_of_clients_make_it_mutual(certs: str) -> None:
    rules = ("--clients", "{alice = {max_environments = 1}}")
    assert remote("certs", "client", "--dir", "a", "--host", "alice", "--ca", certs).status == 0
    with serving("--entrypoint", "counter.py", "--certs", certs, *rules) as server:
        alice = remote("check", "-p", str(server.port), "--certs", "a")
        other = remote("check", "-p", str(server.port), "--certs", certs)
    assert server.line.endswith(" (mtls)\n")
    assert alice.status == 0, alice.output
    assert layers(other)["entrypoint"] is False
    assert "NotAllowedError" in other.output


def test_check_certificate_of_another_host_names_its_hosts(folder: Path) -> None:
    assert remote("certs", "init", "--dir", "named", "--host", "trainer.lab").status == 0
    with serving("--entrypoint", "counter.py", "--certs", "named") as server:
        ran = remote("check", "-p", str(server.port), "--certs", "named")
    assert layers(ran) == {**BELOW_SERVICE, "certificate": False}
    assert "name_mismatch" in ran.output
    assert "trainer.lab" in ran.output


def test_serve_key_that_others_can_read_is_warned_about(certs: str, folder: Path) -> None:
    (folder / certs / "server-key.pem").chmod(0o644)
    with subprocess.Popen(
        [*NETSECGAME, "remote", "serve", "--entrypoint=counter.py", "--port=0", "--certs", certs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "(tls)" in process.stdout.readline()
        process.terminate()
        _, error = process.communicate(timeout=60)
    assert error.startswith("warning: others can read the private key certs/server-key.pem")
    assert error.count("\n") == 1


# --- bench ----------------------------------------------------------------------------------------


def test_bench_tells_rates_of_one_and_many_beside_an_echo() -> None:
    with serving("--entrypoint", "counter.py", "--mode", "inline") as server:
        ran = remote(
            "bench", "-p", str(server.port), "--vector", "4", "--rounds", "2", "--seconds", "0.05"
        )
    assert (ran.status, ran.error) == (0, "")
    one, one_echo, one_ratio, many, *_ = ran.output.splitlines()
    assert re.match(r"one environment +[\d,]+ +\([\d,]+ to [\d,]+\) steps/s", one)
    assert re.search(r"of \d+ bytes out, \d+ back$", one_echo)
    assert re.match(r" +ratio +\d+\.\d\d ", one_ratio)
    assert many.startswith("4 environments")


# --- the two known names --------------------------------------------------------------------------


def known(name: str) -> list[str]:
    program = (
        f"import sys; from netsecgame.cli.remote import known_scripts as k; sys.exit(k.{name}())"
    )
    return [sys.executable, "-c", program]


def test_known_scripts_host_and_play_with_certificates(certs: str) -> None:
    files = ["--root_certificate", f"{certs}/ca.pem"]
    of_server = ["--server_certificate", f"{certs}/server.pem"]
    of_server += ["--server_private_key", f"{certs}/server-key.pem"]
    of_client = ["--client_certificate", f"{certs}/client.pem"]
    of_client += ["--client_private_key", f"{certs}/client-key.pem"]
    start = known("start_remote_environment")
    with serving(*files, *of_server, "--entrypoint", "counter.py", command=start) as server:
        played = remote(
            *("-u", "127.0.0.1", "-p", str(server.port)),
            *files,
            *of_client,
            command=known("start_environment_interaction"),
        )
    assert server.line.endswith(" (mtls)\n")
    assert played.status == 0, played.error
    assert played.output.count("terminated\n") == 5


def test_known_script_without_an_entrypoint_hosts_the_game() -> None:
    with serving(command=known("start_remote_environment")) as server:
        ran = remote("check", "-p", str(server.port))
    assert ran.status == 0, ran.output


def test_installed_scripts_are_those_that_are_known() -> None:
    for name in ("start_remote_environment", "start_environment_interaction"):
        program = Path(sys.executable).with_name(name)
        assert os.access(program, os.X_OK)
        assert remote("--help", command=[str(program)]).status == 0
