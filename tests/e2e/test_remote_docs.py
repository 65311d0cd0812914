"""Everything that the pages on remote environments show is run."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.cli.remote.serving import GAME_KWARGS
from netsecgame.remote.options import ClientOptions, ServerOptions
from netsecgame.remote.reports import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).resolve().parents[2] / "docs"
NETSECGAME = [sys.executable, "-m", "netsecgame.cli"]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

REMOTE = (DOCS / "remote.md").read_text()
PEERS = (DOCS / "remote_peers.md").read_text()


def only(page: str, language: str) -> list[str]:
    return [text for kind, text in _BLOCK.findall(page) if kind == language]


def commands(page: str, *words: str) -> list[list[str]]:
    """The commands of a page that begin with these words, without the program's name."""
    lines = [line for text in only(page, "sh") for line in text.splitlines()]
    inline = re.findall(r"`(netsecgame remote [^`]*)`", page.replace("\n", " "))
    found = [shlex.split(line)[1:] for line in (*lines, *inline)]
    return [each for each in found if each[1 : 1 + len(words)] == list(words)]


def here(text: str, port: int) -> str:
    """An example with a port and a host that there are."""
    return text.replace("56765", str(port)).replace("trainer.lab", "localhost")


@contextmanager
def serving(command: list[str]) -> Iterator[int]:
    """The server of a command, on a free port."""
    process = subprocess.Popen(
        [*NETSECGAME, *(here(word, 0) for word in command), *_of_game(command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            found = re.search(r":(\d+) \(", process.stdout.readline())
            assert found is not None, process.communicate(timeout=30)[1]
            yield int(found[1])
        finally:
            process.terminate()
            try:
                _, error = process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
    assert (process.returncode, error) == (0, "")


def _of_game(command: list[str]) -> list[str]:
    """No port in the command is any port; the game needs no process of its own in a test."""
    port = [] if "--port" in command else ["--port", "0"]
    return [*port, "--mode", "inline"] if "--task" in command else port


def run(example: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a program; what it prints."""
    exec(example, {})
    return capsys.readouterr().out


def carry_out(command: list[str], port: int = 0) -> str:
    """Carry out a command that ends by itself; what it prints."""
    ran = subprocess.run(
        [*NETSECGAME, *(here(word, port) for word in command)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    return ran.stdout


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything runs, with the example's environment."""
    monkeypatch.chdir(tmp_path)
    (my_env,) = (text for text in only(REMOTE, "python") if "def create_environment" in text)
    (tmp_path / "my_env.py").write_text(my_env)
    (tmp_path / "server.toml").write_text(only(REMOTE, "toml")[0])
    return tmp_path


@pytest.fixture
def certs() -> None:
    """The certificates of the example."""
    (init,) = commands(REMOTE, "certs", "init")
    carry_out(init)


def example(page: str, *parts: str) -> str:
    """The one program of a page in which all of these are."""
    (found,) = (text for text in only(page, "python") if all(part in text for part in parts))
    return found


def test_pages_have_the_examples_that_are_run_here() -> None:
    assert [len(only(REMOTE, kind)) for kind in ("sh", "python", "toml")] == [4, 6, 1]
    assert [len(only(PEERS, kind)) for kind in ("sh", "python", "toml")] == [0, 2, 0]


def test_game_and_vector_examples_play_on_the_server_of_the_first_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    serve, *_ = commands(REMOTE, "serve")
    with serving(serve) as port:
        single = run(here(example(REMOTE, 'info["action_mask"]'), port), capsys)
        vector = run(here(example(REMOTE, "RemoteVectorEnv"), port), capsys)
    assert re.fullmatch(r"(Success|Fail|TimeoutReached) with -?[\d.]+\n", single)
    assert vector == "(16, 96)\n"


def test_own_environment_is_played_checked_and_measured_over_tls(
    certs: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (serve,) = (each for each in commands(REMOTE, "serve") if "0.0.0.0" in each)
    with serving(serve) as port:
        played = run(here(example(REMOTE, '"certs/ca.pem", None, None'), port), capsys)
        checked, *_ = (carry_out(each, port) for each in commands(REMOTE, "check"))
        episodes, *_ = (carry_out(each, port) for each in commands(REMOTE, "play"))
        (bench,) = commands(REMOTE, "bench")
        measured = carry_out([*bench, "--rounds", "1", "--seconds", "0.05"], port)
    assert played == "CartPole-v1 (4,) Discrete(2)\n"
    assert "FAILED" not in checked
    assert episodes.count("\n") == 4
    assert "16 environments" in measured


def test_parallel_example_is_played_to_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    (serve,) = (each for each in commands(REMOTE, "serve") if "--parallel" in each)
    with serving(serve) as port:
        printed = run(here(example(REMOTE, "RemoteParallelEnv"), port), capsys)
    assert printed == "['attacker_0', 'defender_0']\n"


def test_server_in_a_program_serves_who_has_a_certificate(
    certs: None, capsys: pytest.CaptureFixture[str]
) -> None:
    # The certificates of the example are of another host.
    carry_out(["remote", "certs", "server", "--dir", "certs", "--force"])
    program = example(REMOTE, "create_remote_environment_server")

    assert run(program, capsys) == "(400, 600, 3) ['client']\n"


def test_config_example_has_alice_play_twice_at_once(certs: None) -> None:
    (client,) = commands(REMOTE, "certs", "client")
    (serve,) = (each for each in commands(REMOTE, "serve") if "--config" in each)
    carry_out(client)
    with serving(serve) as port, contextlib.ExitStack() as stack:
        played = _open(stack, port, "alice", 3), _open(stack, port, "certs", 2)
    assert played == (2, 1)


def _open(stack: contextlib.ExitStack, port: int, folder: str, count: int) -> int:
    """How many of so many environments a client gets at once."""
    from netsecgame.errors import ServerFullError  # noqa: PLC0415
    from netsecgame.remote import RemoteEnvironment  # noqa: PLC0415

    names = ("ca.pem", "client.pem", "client-key.pem")
    paths = tuple(f"{folder}/{name}" for name in names)
    for number in range(count):
        try:
            env = RemoteEnvironment("localhost", port, client_credentials_paths=paths)
        except ServerFullError:
            return number
        stack.callback(env.close)
    return count


@pytest.mark.parametrize(
    ("program", "printed"),
    [
        (example(PEERS, "dm_env_adaptor"), r"nsg1:0 \(96,\) -?\d+\.\d+\n"),
        (example(PEERS, "extended=False"), r"float32 float \{\}\n"),
    ],
    ids=["dm_env_rpc", "plain"],
)
@pytest.mark.filterwarnings("default")  # the peer's code has warnings of its own
def test_peers_page_example_plays_on_our_server(
    program: str, printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (serve,) = commands(PEERS, "serve")
    with serving(serve) as port:
        assert re.fullmatch(printed, run(here(program, port), capsys))


@pytest.mark.parametrize("options", [ServerOptions, ClientOptions])
def test_remote_page_table_has_every_option_with_its_default(options: Any) -> None:
    heading = "| server | default | |" if options is ServerOptions else "| client | default | |"
    table = REMOTE.partition(heading)[2].partition("\n\n")[0]
    told = dict(re.findall(r"^\| `(\w+)` \| (?:`?(.*?)`? )?\| ", table, re.MULTILINE))
    assert told == {each.name: _show(each.default) for each in fields(options)}


def _show(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if default is None or default == ():
        return ""
    return f"{default:g}" if isinstance(default, float) else f"{default}"


def test_remote_page_tells_what_clients_of_the_game_may_choose() -> None:
    (row,) = re.findall(r"^\| `allowed_kwargs` .*$", REMOTE, re.MULTILINE)
    assert re.findall(r"`(\w+)`", row.partition("for the game")[2]) == [*GAME_KWARGS]


def test_peers_page_table_has_every_reason_with_its_code() -> None:
    table = PEERS.partition("| reason | code | when |")[2].partition("\n\n")[0]
    told = {
        name: int(code)
        for names, code in re.findall(r"^\| (`.*?`) \| (\d+) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
    }
    without_reason = {Reason.UNIMPLEMENTED, Reason.NOT_FOUND}
    assert told == {each.name: int(each.code) for each in Reason if each not in without_reason}
