"""Games of any size as files: a generated scenario, and a task that is played on it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from netsecgame.errors import ConfigurationError
from netsecgame.scenarios.generator import draw_scenario
from netsecgame.scenarios.writer import format_scenario, format_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from netsecgame.scenarios.generator import GeneratedScenario

#: With these an attacker can ask, take over and read every machine, and scan from many of them.
_STEPS_PER_HOST = 5
_STEPS_PER_NETWORK = 10

_SUFFIXES = (".yaml", ".yml")

_TASK = """
# The attacker starts on a client, drawn anew for every episode, and knows which networks the
# servers are in. The defender controls those servers that other networks reach.

coordinator:
  agents:
    Attacker:
      max_steps: {max_steps}
      goal:
        description: "Exfiltrate {owner}'s {id} from {prize_host} ({prize_ip}) to {command_ip}."
        known_data: {{{command_ip}: [[{owner}, {id}]]}}
      start_position:
        known_networks: {server_networks}
        controlled_hosts: [{command_ip}, random]
    Defender:
      goal:
        description: "Keep every attacker from its goal."
      start_position:
        controlled_hosts: {doors}
    Benign:
      goal:
        description: "Do ordinary work on a client."
      start_position:
        controlled_hosts: [random]

env:
  scenario: {scenario}
  random_seed: {seed}
  required_players: 1
  rewards: {{success: 100, step: -1, fail: -10, false_positive: -5}}
"""


class GeneratedGame(NamedTuple):
    """A game that was written.

    Attributes:
        task: The task file.
        scenario: The scenario file beside it.
        content: What is in them.
    """

    task: Path
    scenario: Path
    content: GeneratedScenario


def write_game(
    task: Path,
    *,
    networks: int,
    clients: int,
    servers: int,
    seed: int,
    overwrites: bool = False,
) -> GeneratedGame:
    """Write a task and, beside it, the scenario it is played on.

    The same arguments write the same bytes, always.

    Args:
        task: The task file, such as ``big.yaml``; the scenario goes to ``big.scenario.yaml``.
        networks: As for `generate_scenario`.
        clients: As for `generate_scenario`.
        servers: As for `generate_scenario`.
        seed: As for `generate_scenario`, and the task's `random_seed`.
        overwrites: Whether files that are there already may be lost.

    Raises:
        ConfigurationError: If there can be no such game, or a file is there already.
        OSError: If a file cannot be written.
    """
    if not -(2**63) <= seed < 2**63:
        raise ConfigurationError(f"expected a seed of at most 64 bits, got {seed}")
    if task.suffix not in _SUFFIXES:
        raise ConfigurationError(
            f"expected the name of the task file to write, such as big.yaml, got {str(task)!r}"
        )
    scenario = task.with_suffix(f".scenario{task.suffix}")
    content = draw_scenario(networks, clients, servers, seed)
    command = (
        f"netsecgame scenarios generate --networks {networks} --clients {clients} "
        f"--servers {servers} --seed {seed} -o {shlex.quote(task.name)}"
    )
    if not overwrites:
        for path in (task, scenario):
            if path.exists():
                raise ConfigurationError(
                    "is there already; --force overwrites it", source=str(path)
                )
    comment = ["Generated; this makes it again:", command]
    scenario_text = format_scenario(content.scenario, content.network_names, comment)
    scenario.write_text(scenario_text, encoding="utf-8", newline="\n")
    task_text = "".join(f"# {line}\n" for line in comment) + _format_task(
        content, scenario.name, seed
    )
    task.write_text(task_text, encoding="utf-8", newline="\n")
    return GeneratedGame(task, scenario, content)


def _format_task(content: GeneratedScenario, scenario: str, seed: int) -> str:
    hosts = len(content.scenario.hosts)
    networks = len(content.network_names)
    return _TASK.format(
        max_steps=_STEPS_PER_HOST * hosts + _STEPS_PER_NETWORK * networks,
        owner=content.prize.owner,
        id=content.prize.id,
        prize_host=content.prize_host.name,
        prize_ip=content.prize_host.interfaces[0].ip,
        command_ip=content.command_ip,
        server_networks=_format_list(content.server_networks),
        doors=_format_list(content.doors),
        scenario=format_text(scenario),
        seed=seed,
    )


def _format_list(items: Iterable[object]) -> str:
    """A list in YAML, one item a line when there are many."""
    texts = list(map(str, items))
    if len(texts) <= 4:
        return f"[{', '.join(texts)}]"
    return "".join(f"\n          - {text}" for text in texts)
