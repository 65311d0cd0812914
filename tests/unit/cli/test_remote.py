from __future__ import annotations

import stat
import subprocess
import sys
import warnings
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
import typer

from netsecgame.cli import main
from netsecgame.cli.remote import known_scripts
from netsecgame.cli.remote.benching import Line, Sizes
from netsecgame.cli.remote.credentials import LOOPBACK, find_place, warnings_in_one_line
from netsecgame.cli.remote.option_flags import read_given, with_server_options
from netsecgame.cli.remote.playing import Episode
from netsecgame.cli.running import run_app
from netsecgame.remote.echo import echo
from netsecgame.remote.option_kinds import ClientRule
from netsecgame.remote.options import ServerOptions, load_server_options

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Run: TypeAlias = "Callable[..., tuple[int, str, str]]"

COMMANDS = [
    "serve",
    "play",
    "check",
    "bench",
    "certs",
    "certs init",
    "certs server",
    "certs client",
    "certs show",
]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Carries out a command of `netsecgame remote`, in an empty folder; status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["remote", *arguments])
        output = capsys.readouterr()
        return status, output.out, output.err

    return run


# --- help -----------------------------------------------------------------------------------------


def test_remote_nothing_shows_help(run: Run) -> None:
    status, output, _ = run()

    assert status == 0
    assert all(f" {command} " in output for command in ("serve", "play", "check", "bench", "certs"))


@pytest.mark.parametrize("command", COMMANDS)
def test_remote_help_has_an_example(command: str, run: Run) -> None:
    status, output, _ = run(*command.split(), "--help")

    assert status == 0
    assert "Example: netsecgame remote " + command in output


def test_remote_help_imports_no_heavy_library() -> None:
    program = (
        "import sys; from netsecgame.cli import main; main(['remote', 'serve', '--help']); "
        "print({'grpc', 'numpy', 'gymnasium', 'cryptography'} & set(sys.modules), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert ran.stderr == "set()\n"


# --- options of the server ------------------------------------------------------------------------

GIVEN: dict[str, tuple[list[str], Any]] = {
    "mode": (["thread"], "thread"),
    "max_environments": (["7"], 7),
    "max_environments_per_client": (["6"], 6),
    "max_envs_per_stream": (["5"], 5),
    "create_timeout_s": (["1.5"], 1.5),
    "step_timeout_s": (["2.5"], 2.5),
    "idle_timeout_s": (["3.5"], 3.5),
    "max_message_bytes": (["1000"], 1000),
    "allowed_entrypoints": (["a.py,b:c"], ("a.py", "b:c")),
    "allowed_kwargs": (["level"], ("level",)),
    "allow_client_reference": ([], True),
    "enable_rendering": ([], True),
    "plain_spaces": (["strict"], "strict"),
    "check_actions": ([], True),
    "drain_s": (["4"], 4.0),
    "prestart": (["0"], 0),
    "traceback_to_client": ([], True),
    "exposed_attributes": (["a,b"], ("a", "b")),
    "reflection": ([], True),
    "keepalive_s": (["5"], 5.0),
    "authorize": (["json:loads"], __import__("json").loads),
    "clients": (["{alice = {max_environments = 2}}"], {"alice": ClientRule(max_environments=2)}),
    "repo_cache": (["checkouts"], __import__("pathlib").Path("checkouts")),
    "metrics_port": (["0"], 0),
}


@pytest.mark.parametrize("name", [each.name for each in fields(ServerOptions)])
def test_server_option_given_as_a_flag_is_the_servers(name: str) -> None:
    words, value = GIVEN[name]

    read = load_server_options(read_given(_options_of(["--" + name.replace("_", "-"), *words])), {})

    assert getattr(read, name) == value


def test_server_options_switched_off_by_a_flag_are_off() -> None:
    read = load_server_options(read_given(_options_of(["--no-check-actions"])), {})

    assert not read.check_actions


def test_server_options_not_given_are_left_to_others() -> None:
    assert read_given(_options_of([])) == {}


def _options_of(arguments: list[str]) -> dict[str, Any]:
    """The `options` that a command with these arguments gets."""
    seen: dict[str, Any] = {}
    app = typer.Typer()

    @app.command()
    @with_server_options
    def command(*, own: int = 1, **options: Any) -> int:
        seen.update(options)
        return own - 1

    assert run_app(app, arguments, "command") == 0
    return seen


# --- serve ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--task", "two_networks_small", "--entrypoint", "e.py"], "--task and --entrypoint"),
        (["--entrypoint", "e.py", "--role", "Attacker"], "only --task has roles"),
        (["--entrypoint", "e.py", "--parallel"], "only --task has roles"),
        (["--task", "two_networks_small", "--role", "Attacker", "--parallel"], "--role"),
        (["--task", "two_networks_small", "--repo", "url"], "--repo"),
        (["--task", "two_networks_smal"], "two_networks_small"),
        (["--task", "two_networks_small", "--role", "Defender"], "Defender"),
        (["--task", "two_networks_small", "--role", "Atacker"], "Atacker"),
        (["--entrypoint", "e.py"], "e.py"),
        (["--entrypoint", "e.py", "--reference", "main"], "needs a repo"),
        (["--entrypoint", "e.py", "--kwargs", "[1]"], "--kwargs"),
        (["--entrypoint", "e.py", "--kwargs", "{"], "--kwargs"),
        (["--entrypoint", "e.py", "--mode", "proces"], "'process'"),
        (["--entrypoint", "e.py", "--step-timeout-s", "-1"], "step_timeout_s"),
        (["--entrypoint", "e.py", "--clients", "alice"], "--clients"),
        (["--entrypoint", "e.py", "--config", "no.toml"], "no.toml"),
        (["--entrypoint", "e.py", "--certs", "no_such_folder"], "server.pem"),
        (["--entrypoint", "e.py", "--mutual"], "--mutual"),
        (["--entrypoint", "e.py", "--certs", "c", "--insecure"], "--insecure"),
        (["--entrypoint", "e.py", "--port", "65536"], "--port"),
        ([], "allowed_entrypoints"),
    ],
)
def test_serve_wrong_input_is_told_in_one_line(arguments: list[str], named: str, run: Run) -> None:
    status, output, error = run("serve", *arguments)

    assert (status, output) == (2, "")
    assert error.count("\n") == 1
    assert named in error


@pytest.mark.parametrize("url", ["127.0.0.2", "0.0.0.0", "::", "trainer.lab"])
def test_serve_plaintext_to_others_is_refused(url: str, run: Run) -> None:
    status, output, error = run("serve", "--task", "two_networks_small", "--url", url)

    assert (status, output) == (2, "")
    assert f"{url}: " in error
    assert "--insecure" in error


def test_serve_hosts_of_this_machine_need_no_certificates(run: Run) -> None:
    for url in LOOPBACK:
        _, _, error = run("serve", "--entrypoint", "no_such_file.py", "--url", url)
        assert "no_such_file.py" in error


# --- clients --------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["play", "check", "bench"])
@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--certs", "no_such_folder"], "ca.pem"),
        (["--certs", "c", "--insecure"], "--certs"),
        (["--kwargs", "3"], "--kwargs"),
        (["--port", "0"], "--port"),
    ],
)
def test_client_command_wrong_input_is_told_in_one_line(
    command: str, arguments: list[str], named: str, run: Run
) -> None:
    status, output, error = run(command, *arguments)

    assert (status, output) == (2, "")
    assert error.count("\n") == 1
    assert named in error


def test_find_place_flags_are_what_a_client_takes(tmp_path: Path) -> None:
    main(["remote", "certs", "init", "--dir", str(tmp_path)])

    place = find_place("h", 1, str(tmp_path), "e.py", '{"level": 2}')

    names = ("ca.pem", "client.pem", "client-key.pem")
    assert place.credentials == tuple(str(tmp_path / name) for name in names)
    assert place.remote_args == {"entrypoint": "e.py", "entrypoint_kwargs": {"level": 2}}
    assert place.options == {}


def test_find_place_insecure_is_told_to_the_client() -> None:
    assert find_place("h", 1, None, insecure=True).options == {"insecure": True}


def test_warnings_in_one_line_have_no_line_of_a_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        with warnings_in_one_line():
            warnings.warn("the key is open", UserWarning, stacklevel=1)

    assert capsys.readouterr().err == "warning: the key is open\n"


def test_episode_of_one_or_several_agents_is_told_in_one_line() -> None:
    assert str(Episode(3, {"": 2.5}, True)) == "3 steps, return 2.5, terminated"
    told = str(Episode(3, {"a": 2.0, "b": -1.0}, False))
    assert told == "3 steps, return a 2, b -1, truncated"


def test_bench_line_tells_medians_and_ratios_of_rounds() -> None:
    line = Line("2 environments", 2, Sizes(20, 50), [100.0, 300.0, 200.0], [400.0, 600.0, 800.0])

    told = [" ".join(each.split()) for each in str(line).splitlines()]

    assert told == [
        "2 environments 400 (200 to 600) steps/s",
        "bare echo 600 (400 to 800) messages/s of 20 bytes out, 50 back",
        "ratio 0.25 (0.25 to 0.50)",
    ]


def test_echo_answers_with_as_many_bytes_as_asked_for() -> None:
    with echo(20, 50) as client:
        assert client.ask() == bytes(50)
        assert client.rate(0.01) > 0


# --- certs ----------------------------------------------------------------------------------------


def test_certs_init_makes_all_and_keys_are_the_owners(run: Run, tmp_path: Path) -> None:
    status, output, error = run(
        "certs", "init", "--dir", "made", "--host", "trainer.lab", "--host", "10.0.0.5"
    )

    assert (status, error) == (0, "")
    assert "made/server.pem: trainer.lab, 10.0.0.5, until " in output
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "made").iterdir()}
    assert files == {
        **dict.fromkeys(("ca.pem", "server.pem", "client.pem"), 0o644),
        **dict.fromkeys(("ca-key.pem", "server-key.pem", "client-key.pem"), 0o600),
    }


def test_certs_init_twice_refuses_unless_forced(run: Run, tmp_path: Path) -> None:
    run("certs", "init", "--dir", "made")
    before = (tmp_path / "made" / "ca.pem").read_bytes()

    status, output, error = run("certs", "init", "--dir", "made")

    assert (status, output) == (2, "")
    assert "made/ca.pem is there already" in error
    assert (tmp_path / "made" / "ca.pem").read_bytes() == before
    assert run("certs", "init", "--dir", "made", "--force")[0] == 0
    assert (tmp_path / "made" / "ca.pem").read_bytes() != before


def test_certs_client_of_an_authority_elsewhere_has_its_name(run: Run, tmp_path: Path) -> None:
    run("certs", "init", "--dir", "made")

    status, output, _ = run("certs", "client", "--dir", "alice", "--host", "alice", "--ca", "made")

    assert status == 0
    assert "alice/client.pem: alice, until " in output
    names = {path.name for path in (tmp_path / "alice").iterdir()}
    assert names == {"ca.pem", "client.pem", "client-key.pem"}
    assert (tmp_path / "alice" / "ca.pem").read_bytes() == (
        tmp_path / "made" / "ca.pem"
    ).read_bytes()


def test_certs_server_of_an_authority_elsewhere_has_its_hosts(run: Run, tmp_path: Path) -> None:
    run("certs", "init", "--dir", "made")

    status, output, _ = run("certs", "server", "--dir", "b", "--host", "b.lab", "--ca", "made")

    assert status == 0
    assert "b/server.pem: b.lab, until " in output
    assert not (tmp_path / "b" / "ca-key.pem").exists()


def test_certs_show_tells_names_and_validity(run: Run) -> None:
    run("certs", "init", "--dir", "made", "--host", "trainer.lab", "--days", "3")

    status, output, _ = run("certs", "show", "--dir", "made")

    assert status == 0
    server = output.partition("made/server.pem\n")[2].partition("made/client.pem\n")[0]
    assert "subject      CN=trainer.lab\n" in server
    assert "for          trainer.lab\n" in server
    assert " UTC\n" in server


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["show", "--dir", "nowhere"], "nowhere"),
        (["client", "--dir", "nowhere"], "ca.pem"),
        (["init", "--dir", "made", "--host", "two words"], "two words"),
        (["init", "--dir", "made", "--days", "0"], "--days"),
        (["init"], "--dir"),
    ],
)
def test_certs_wrong_input_is_told_in_one_line(
    arguments: list[str], named: str, run: Run, tmp_path: Path
) -> None:
    status, output, error = run("certs", *arguments)

    assert (status, output) == (2, "")
    assert error.count("\n") == 1
    assert named in error
    assert [*tmp_path.iterdir()] == []


# --- the two known names --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "arguments", "named"),
    [
        ("start_remote_environment", ["-u", "0.0.0.0"], "--insecure"),
        ("start_remote_environment", ["--server_certificate", "s"], "--server_private_key"),
        ("start_remote_environment", ["--server_private_key", "s"], "--server_certificate"),
        ("start_remote_environment", ["--root_certificate", "s"], "--server_certificate"),
        ("start_remote_environment", ["--entrypoint", "e.py"], "e.py"),
        (
            "start_remote_environment",
            ["--server_certificate", "no.pem", "--server_private_key", "no.pem"],
            "no.pem",
        ),
        ("start_environment_interaction", ["--client_private_key", "s"], "--client_certificate"),
        ("start_environment_interaction", ["--client_certificate", "s"], "--client_private_key"),
        (
            "start_environment_interaction",
            ["--client_certificate", "s", "--client_private_key", "s"],
            "--root_certificate",
        ),
        ("start_environment_interaction", ["--root_certificate", "no.pem"], "no.pem"),
        ("start_environment_interaction", ["--nonsense"], "--nonsense"),
    ],
)
def test_known_script_wrong_input_is_told_in_one_line(
    program: str,
    arguments: list[str],
    named: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", [program, *arguments])

    status = getattr(known_scripts, program)()

    output = capsys.readouterr()
    assert (status, output.out) == (2, "")
    assert output.err.count("\n") == 1
    assert named in output.err
