"""Seeded random agents: they try what makes sense, and now and then what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsecgame.game_components import IP, Action, ActionType, AgentRole, GameState, Network
from netsecgame.utils.utils import generate_valid_actions
from tests.integration.server import make_task

if TYPE_CHECKING:
    from random import Random

#: A task with everything switched on that draws by chance.
CHANCY = make_task(
    attacker={
        "max_steps": 25,
        "goal": {
            "description": "Carry the right data to 213.47.23.195.",
            "known_data": {"213.47.23.195": ["random"]},
        },
        "start_position": {"controlled_hosts": ["213.47.23.195", "random"]},
    },
    defender={"start_position": {"controlled_hosts": ["all_local"]}},
    benign={"start_position": {"controlled_hosts": ["random", "random"]}, "max_steps": 20},
    scenario="two_networks",
    use_dynamic_addresses=True,
    use_global_defender=True,
    actions={
        "scan_network": {"prob_success": 0.8},
        "find_services": {"prob_success": 0.9},
        "exploit_service": {"prob_success": 0.5},
        "exfiltrate_data": {"prob_success": 0.7},
        "block_ip": {"prob_success": 0.6},
    },
)

_NONSENSE_SHARE = 0.1


def choose_action(state: GameState, role: AgentRole, choices: Random) -> Action:
    """A random action; all types of action alike, so that games get somewhere."""
    if choices.random() < _NONSENSE_SHARE:
        return _choose_nonsense(choices)
    valid = generate_valid_actions(state, include_blocks=role is AgentRole.Defender)
    if not valid:
        return _choose_nonsense(choices)
    kind = choices.choice(sorted({str(action.type) for action in valid}))
    of_kind = [action for action in valid if str(action.type) == kind]
    return choices.choice(sorted(of_kind, key=Action.to_json))


def _choose_nonsense(choices: Random) -> Action:
    here, there = (IP(f"192.168.{choices.randint(0, 3)}.{choices.randint(0, 9)}") for _ in "12")
    if choices.random() < 0.5:
        network = Network(str(there), choices.choice((0, 8, 24, 31, 32)))
        return Action(ActionType.ScanNetwork, {"source_host": here, "target_network": network})
    return Action(
        ActionType.BlockIP,
        {"source_host": here, "target_host": there, "blocked_host": IP("8.8.8.8")},
    )
