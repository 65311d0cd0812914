from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TASK = """\
coordinator:
  agents:
    Attacker:
      max_steps: 50
      goal:
        description: Take it.
        known_networks: [192.168.1.0/24]
        known_hosts: [192.168.1.2]
        controlled_hosts: [192.168.1.3]
        known_services: {192.168.1.3: [[ssh, passive, 8.1.0, false]]}
        known_data: {213.47.23.195: [[User1, DataFromServer1]]}
        known_blocks: {192.168.1.2: all_attackers}
      start_position:
        known_networks: [random]
        known_hosts: [192.168.1.4]
        controlled_hosts: [213.47.23.195, random]
        known_services: {192.168.1.2: all}
        known_data: {192.168.1.2: random}
        known_blocks: {192.168.1.2: [192.168.2.2]}
    Defender:
      start_position: {controlled_hosts: [all_local]}
env:
  scenario: two_networks_small
  random_seed: 7
  use_global_defender: true
  use_firewall: true
  required_players: {Attacker: 1, Defender: 1}
  rewards: {success: 100, step: -1, fail: -10, false_positive: -5}
  actions: {scan_network: {prob_success: 0.5}}
  global_defender: {window: 6, scan_network: {min_run: null}}
"""


@pytest.fixture
def task_text() -> str:
    return TASK


@pytest.fixture
def write_task(tmp_path: Path) -> Callable[..., Path]:
    """Write a task file in which some text is replaced, and return its path."""

    def write(old: str = "", new: str = "") -> Path:
        assert not old or TASK.count(old) == 1
        path = tmp_path / "task.yaml"
        path.write_text(TASK.replace(old, new) if old else TASK)
        return path

    return write
