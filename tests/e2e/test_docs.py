"""Everything the README and the docs show is run."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium
import pytest
import yaml

from netsecgame import AgentRole, BaseAgent, GameStatus
from netsecgame.core.task import GAME_ACTIONS
from netsecgame.envs.evaluation.episodes import EpisodeRecord
from netsecgame.envs.observations import KINDS
from netsecgame.envs.registration import REMOTE_ID, TASK_ID, TASK_IDS
from netsecgame.envs.wrappers import PotentialShaping
from netsecgame.envs.wrappers.episode_outcome import END_REASONS
from netsecgame.game.loading import check_game
from netsecgame.game_components import ACTION_PARAMETERS, Action, ActionType
from netsecgame.protocol.messages import decode_reply, decode_request
from netsecgame.scenarios import check_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NETSECGAME = Path(sys.executable).with_name("netsecgame")

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    page: str
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(page.name, *found) for found in _BLOCK.findall(page.read_text())]


ALL_BLOCKS = [block for page in PAGES for block in blocks(page)]


def only(page: str, language: str) -> list[str]:
    return [b.text for b in ALL_BLOCKS if b.page == page and b.language == language]


@contextmanager
def serving(folder: Path, *command: str) -> Iterator[int]:
    """A server process on a free port, ready for agents."""
    on_free_port = [part.replace("9000", "0") for part in command]
    with subprocess.Popen(on_free_port, cwd=folder, stderr=subprocess.PIPE, text=True) as server:
        try:
            yield wait_for_port(folder / "logs" / "NSG_coordinator.log", server)
        finally:
            server.terminate()
            server.communicate(timeout=10)
    assert server.returncode == 0


def wait_for_port(log: Path, server: subprocess.Popen[str]) -> int:
    """The port a server took, once its log says that it listens.

    Trying to connect is no way to wait: where nobody listens on a local port yet, a connection may
    become one with itself.
    """
    while server.poll() is None:
        text = log.read_text(encoding="utf-8") if log.exists() else ""
        found = re.search(r"listening on [^ ]*:(\d+)\n", text)
        if found is not None:
            return int(found[1])
        time.sleep(0.01)
    assert server.stderr is not None
    raise AssertionError(f"the server ended: {server.stderr.read()}")


def test_docs_every_kind_of_example_is_covered_here() -> None:
    kinds = {(block.page, block.language) for block in ALL_BLOCKS}
    assert kinds == {
        ("README.md", "sh"),
        ("README.md", "python"),
        ("agents.md", "python"),
        ("batched_world.md", "python"),
        ("environments.md", "python"),
        ("environments.md", "text"),
        ("cluster.md", "sh"),
        ("cluster.md", "python"),
        ("evaluating.md", "sh"),
        ("evaluating.md", "python"),
        ("multi_agent.md", "python"),
        ("policies.md", "sh"),
        ("policies.md", "python"),
        ("protocol.md", "json"),
        ("remote.md", "sh"),  # run by test_remote_docs, and so is remote_peers.md
        ("remote.md", "python"),
        ("remote.md", "toml"),
        ("remote_peers.md", "python"),
        ("serving.md", "sh"),
        ("serving.md", "python"),
        ("tasks.md", "sh"),
        ("tasks.md", "yaml"),
        ("training.md", "sh"),
        ("training.md", "python"),
        ("wrappers.md", "python"),
    }


def test_readme_agent_on_the_server_it_names_plays_five_episodes(tmp_path: Path) -> None:
    (agent,) = only("README.md", "python")
    assert len([line for line in agent.splitlines() if line.strip()]) <= 30
    serve = next(
        line for text in only("README.md", "sh") for line in text.splitlines() if " serve " in line
    )
    command = [str(NETSECGAME), *shlex.split(serve, comments=True)[1:]]
    command[2] = str(ROOT / command[2])
    with serving(tmp_path, *command) as port:
        (tmp_path / "my_agent.py").write_text(agent.replace("9000", str(port)))
        played = subprocess.run(
            [sys.executable, "-W", "error", "my_agent.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert played.stderr == ""
    lines = played.stdout.splitlines()
    assert lines[0].startswith("Exfiltrate")
    assert [line.split(":")[0] for line in lines[1:]] == [f"episode {i}" for i in range(5)]


def test_readme_make_targets_exist() -> None:
    targets = [
        word
        for text in only("README.md", "sh")
        for line in text.splitlines()
        if line.startswith("make ")
        for word in line.split("#")[0].split()[1:]
    ]
    assert targets == ["play", "test"]
    subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, check=True, capture_output=True)


def test_readme_docker_commands_match_the_dockerfile() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    shell = "\n".join(only("README.md", "sh")).replace("\\\n", " ")
    runs = [line for line in shell.splitlines() if line.startswith("docker run")]
    assert runs
    assert all("-p 127.0.0.1:9000:9000" in line for line in runs)
    for folder in re.findall(r'-v "\$PWD/[^:"]*:([^:"]+)', shell):
        assert folder in dockerfile
    for source in re.findall(r'-v "\$PWD/(task_configs/[^:"]*)', shell):
        assert (ROOT / source).is_file()
    for argument in re.findall(r"--build-arg (\w+)=", shell):
        assert f"ARG {argument}=" in dockerfile


def test_dockerfile_copies_all_that_the_wheel_is_made_of(tmp_path: Path) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    build_stage = dockerfile.partition("\nFROM ")[2].partition("\nFROM ")[0]
    sent = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    for names in re.findall(r"^COPY (.*) \S+$", build_stage, re.MULTILINE):
        for name in names.split():
            assert name in sent, f"{name} is not sent to the Docker engine"
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, tmp_path / name)
            else:
                shutil.copy(source, tmp_path)

    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    files = zipfile.ZipFile(wheel).namelist()
    assert "netsecgame/shipped_agents/scripted_attacker.py" in files
    assert "netsecgame/shipped_tasks/two_networks_small.yaml" in files
    assert "netsecgame/scenarios/data/two_networks.yaml" in files
    assert "netsecgame/tasks/task.schema.json" in files


@pytest.mark.parametrize("world", ["NetSecGame", "WhiteBoxNetSecGame"])
def test_dockerfile_entry_point_serves_the_shipped_task(tmp_path: Path, world: str) -> None:
    """What the image starts, started here: there is no Docker in a test."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    entry_point = json.loads(re.findall(r"^ENTRYPOINT (.*)$", dockerfile, re.MULTILINE)[0])
    arguments = json.loads(re.findall(r"^CMD (.*)$", dockerfile, re.MULTILINE)[0])
    script = re.findall(r"printf ('.*?') \"\$GAME_MODULE\"", dockerfile)[0]
    module = f"netsecgame.game.worlds.{world}"
    written = subprocess.run(
        ["sh", "-c", f"printf {script} {module}"], check=True, capture_output=True
    )
    assert entry_point == ["python", "/opt/netsecgame/serve.py"]
    (tmp_path / "serve.py").write_bytes(written.stdout)
    task = re.findall(r"^COPY .*?(task_configs/\S+) (\S+)$", dockerfile, re.MULTILINE)[0]
    command = [word.replace(task[1], str(ROOT / task[0])) for word in arguments]
    command = [word.replace("0.0.0.0", "127.0.0.1") for word in command]
    with (
        serving(tmp_path, sys.executable, str(tmp_path / "serve.py"), *command) as port,
        BaseAgent("127.0.0.1", port, AgentRole.Attacker) as agent,
    ):
        observation = agent.register()
        assert observation is not None
        assert ("all_actions" in observation.info) is (world == "WhiteBoxNetSecGame")
    assert (tmp_path / "logs" / "NSG_coordinator.log").is_file()


def test_agents_page_goal_example_prints_the_goal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = only("agents.md", "python")
    command = [sys.executable, "-m", "netsecgame.game.worlds.NetSecGame", "-gp", "9000", "-c"]
    task = str(ROOT / "task_configs" / "two_networks_small.yaml")
    with (
        serving(tmp_path, *command, task) as port,
        BaseAgent("127.0.0.1", port, AgentRole.Attacker) as agent,
    ):
        exec(example, {"observation": agent.register()})
    assert capsys.readouterr().out == "213.47.23.195 ['DataFromServer1']\n"


@pytest.mark.timeout(400)  # the first use on a machine compiles
def test_batched_world_page_example_wins_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example, *_ = only("batched_world.md", "python")
    monkeypatch.chdir(ROOT)
    exec(example, {})
    told = re.fullmatch(r"855 actions, 2 words a state, won (\d+) times\n", capsys.readouterr().out)
    assert told is not None
    assert 0 < int(told[1]) < 4_000  # 4 episodes of 50 steps each


@pytest.mark.timeout(400)  # the first use on a machine compiles
def test_batched_world_page_observation_names_what_an_attacker_knows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, example, _ = only("batched_world.md", "python")
    monkeypatch.chdir(ROOT)
    exec(example, {})
    known, share = capsys.readouterr().out.splitlines()
    assert "'controlled_hosts 213.47.23.195'" in known
    assert share == "0.02 of the steps are used"


@pytest.mark.timeout(400)  # the first use on a machine compiles
def test_batched_world_page_defenders_gain_something(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    *_, example = only("batched_world.md", "python")
    monkeypatch.chdir(ROOT)
    exec(example, {})
    out = capsys.readouterr().out
    told = re.fullmatch(r"3939 actions, defenders gained (-?\d+\.\d) each\n", out)
    assert told is not None
    assert -100 < float(told[1]) < 0  # 100 steps, a final reward of 100, and false positives


@pytest.mark.timeout(400)  # the first use on a machine compiles
def test_training_page_examples_step_as_they_say() -> None:
    attackers, games = only("training.md", "python")
    said: dict[str, Any] = {}
    exec(attackers, said)
    assert said["legal"].shape == (256, said["env"].single_action_space.n)
    exec(games, said)
    assert {agent: len(gained) for agent, gained in said["rewards"].items()} == {
        "attacker_0": 256,
        "defender_0": 256,
    }


def test_training_commands_are_five_and_the_readme_has_them_too() -> None:
    # They are run by tests/train, where there is torch.
    commands, *_ = only("training.md", "sh")
    assert len(commands.splitlines()) == 5
    assert commands in only("README.md", "sh")


def test_evaluating_page_commands_and_program_leave_results(tmp_path: Path) -> None:
    shell = [line for text in only("evaluating.md", "sh") for line in text.splitlines()]
    (program,) = only("evaluating.md", "python")
    (tmp_path / "compare.py").write_text(program)
    commands = [[str(NETSECGAME), *shlex.split(line)[1:]] for line in shell]
    outputs = []
    for command in [*commands, [sys.executable, "-W", "error", "compare.py"]]:
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert ran.stderr == ""
        outputs.append(ran.stdout)
    told = r"random: won \d.* to .*\nno-repeat-random: won \d.* to .*\n"
    assert re.fullmatch(told, outputs[-1]) is not None
    found = {path.parent.name for path in (tmp_path / "results").glob("*/summary.md")}
    assert found == {"alone", "defended", "random", "no-repeat-random"}
    assert (tmp_path / "results.md").read_text().startswith("# Results")


def test_evaluating_page_table_has_every_option_and_field() -> None:
    page = (ROOT / "docs" / "evaluating.md").read_text()
    shown = subprocess.run(
        [str(NETSECGAME), "evaluate", "--help"],
        env={**os.environ, "COLUMNS": "200", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=True,
    )
    options = set(re.findall(r"--[a-z-]+", shown.stdout)) - {"--help"}
    assert options == set(re.findall(r"`(--[a-z-]+)`", page.partition("## Stopping")[0]))
    fields = {"return", *EpisodeRecord.__struct_fields__} - {"total_reward"}
    (row,) = re.findall(r"^\| `episodes/seed_0\.jsonl`.*$", page, re.MULTILINE)
    assert all(f"`{name}`" in row for name in fields)


def test_multi_agent_page_examples_play_and_say_who_learns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole_game, opponents, own_opponent = only("multi_agent.md", "python")
    monkeypatch.chdir(ROOT)
    exec(whole_game, {})
    told = re.fullmatch(r"(\w+) (\{.*\})\n", capsys.readouterr().out)
    assert told is not None
    assert told[1] in ("Success", "TimeoutReached")
    assert json.loads(told[2].replace("'", '"')).keys() == {"attacker_0", "defender_0", "benign_0"}

    exec(opponents, {})
    assert capsys.readouterr().out == "['attacker_0']\n"

    names: dict[str, Any] = {}
    exec(own_opponent, names)
    played: list[Action] = []
    watchman = names["Watchman"]
    choose = watchman.choose_action

    def note(*arguments: Any) -> Action:
        played.append(choose(*arguments))
        return played[-1]

    watchman.choose_action = note
    names["env"].reset(seed=1)
    names["env"].step({"attacker_0": 0})
    assert [action.type for action in played] == [ActionType.FindData]


def test_environments_page_examples_play_as_they_say(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    printed = []
    for example in only("environments.md", "python"):
        exec(example, {})
        printed.append(capsys.readouterr().out)
    (text,) = only("environments.md", "text")
    random_play, defender, texts = printed
    assert re.fullmatch(r"\w+ after \d+ steps with -?\d+\n", random_play)
    assert re.fullmatch(r"16 nodes, \d+ edges, \d+ legal actions\n", defender)
    assert texts == text


def test_environments_page_tables_are_complete() -> None:
    page = (ROOT / "docs" / "environments.md").read_text()
    for env_id, task in TASK_IDS.items():
        env = gymnasium.make(env_id)
        assert f"| `{env_id}` | `{task}` | {env.action_space.n:,} |" in page  # type: ignore[attr-defined]
    assert all(f"| `{env_id}` |" in page for env_id in (TASK_ID, REMOTE_ID))
    assert {f"### {kind}" for kind in KINDS} <= {*page.splitlines()}
    env = gymnasium.make("netsecgame/TwoNetworksTiny-v0", observation="graph")
    observer = env.get_wrapper_attr("observer")
    for feature in (*observer.node_features, *observer.edge_features):
        kind = feature.split(" ")[0]
        assert f"`{feature}`" in page or f"| `{kind} " in page
    _, info = env.reset(seed=1)
    assert all(f"| `{key}` |" in page for key in (*info, "is_success"))
    assert all(f"| `{kind.to_string()}(source_host=…, " in page for kind in GAME_ACTIONS)


def test_wrappers_page_examples_print_what_the_page_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed = []
    for example in only("wrappers.md", "python"):
        exec(example, {})
        printed.append(capsys.readouterr().out)
    shaping, curriculum, stack = printed
    assert shaping == "shaping added -20.0 in all, whatever was played\n"
    assert re.fullmatch(r"1742 actions; second stage after \d\d+ episodes\n", curriculum)
    assert stack == "(4, 44) (215,)\n"


def test_wrappers_page_tables_name_every_option_and_end() -> None:
    page = (ROOT / "docs" / "wrappers.md").read_text()
    options = [*inspect.signature(PotentialShaping).parameters][1:]
    assert all(f"| `{name}` |" in page for name in options)
    assert all(f"`{reason}`" in page for reason in END_REASONS.values())


def test_protocol_page_examples_are_a_request_and_a_reply() -> None:
    request, reply = only("protocol.md", "json")
    assert decode_request(request).type in GAME_ACTIONS
    assert decode_reply(reply.encode()).status is GameStatus.OK


def test_protocol_page_table_has_every_game_action_and_parameter() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text()
    for action, parameters in ACTION_PARAMETERS.items():
        (row,) = re.findall(rf"^\| {action.to_string()} \|.*$", page, re.MULTILINE)
        assert all(f"`{name}`" in row for name in parameters)


def test_tasks_page_task_and_network_pass_the_linter(tmp_path: Path) -> None:
    task, network = only("tasks.md", "yaml")
    (tmp_path / "my_task.yaml").write_text(task)
    (tmp_path / "my_network.yaml").write_text(network)
    assert check_game(tmp_path / "my_task.yaml") == ([], [])
    assert check_scenario(str(tmp_path / "my_network.yaml")) == []
    for command in only("tasks.md", "sh"):
        ran = subprocess.run(
            [str(NETSECGAME), *shlex.split(command)[1:]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert check_game(tmp_path / "big.yaml") == ([], [])


def test_tasks_page_tables_name_every_key_of_the_schema() -> None:
    page = (ROOT / "docs" / "tasks.md").read_text()
    named = set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))
    schema = json.loads((ROOT / "netsecgame" / "tasks" / "task.schema.json").read_text())
    env = schema["properties"]["env"]["properties"]
    assert {key for key in env if key not in IGNORED_KEYS} <= named
    assert yaml.safe_load(only("tasks.md", "yaml")[0]).keys() == schema["properties"].keys()


#: Read without complaint because public files have them; they do nothing.
IGNORED_KEYS = {
    "is_any_part_of_goal_random",
    "blocked_ips",
    "store_replay_buffer",
    "goal_reward",
    "detection_reward",
    "step_reward",
}


def test_policies_page_commands_train_a_table_that_wins_on_a_server(tmp_path: Path) -> None:
    (shell,) = only("policies.md", "sh")
    train, serve, play = (shlex.split(line) for line in shell.splitlines())
    (tmp_path / "agents").symlink_to(ROOT / "agents")

    def run(command: list[str]) -> str:
        assert command[0] == "python"
        ran = subprocess.run(
            [sys.executable, "-W", "error", *command[1:]],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, ran.stderr) == (0, "")
        return ran.stdout

    assert "100.0% of 200 episodes won" in run(train)
    with serving(tmp_path, str(NETSECGAME), *serve[1:]) as port:
        told = run([part.replace("9000", str(port)) for part in play]).splitlines()
    assert [line.partition(" after")[0] for line in told] == [
        f"episode {i}: Success" for i in range(1, 6)
    ]


def test_policies_page_programs_save_load_and_play_over_tcp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saving, over_tcp = only("policies.md", "python")
    monkeypatch.chdir(tmp_path)
    exec(saving, {})
    assert re.fullmatch(r"mine played \d+ steps\n", capsys.readouterr().out) is not None

    task = str(ROOT / "task_configs" / "two_networks_small.yaml")
    with serving(tmp_path, str(NETSECGAME), "serve", task, "--game_port", "9000") as port:
        exec(over_tcp.replace("9000", str(port)), {})
    told = re.fullmatch(r"\w+ after (\d+) steps\n", capsys.readouterr().out)
    assert told is not None
    assert 0 < int(told[1]) <= 50
