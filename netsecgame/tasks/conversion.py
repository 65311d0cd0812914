"""From the values of a task file, already checked against the schema, to a `Task`."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from netsecgame.core.task import (
    DEFAULT_DETECTION,
    DEFAULT_DETECTION_WINDOW,
    Position,
    Rewards,
    RoleTask,
    Task,
    Word,
)
from netsecgame.game_components import ActionType, AgentRole
from netsecgame.tasks.positions import convert_position

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netsecgame.core.task import DetectionRule, RoleCounts

#: Game actions under the names they have in task files.
ACTION_KEYS: Mapping[str, ActionType] = MappingProxyType(
    {
        "scan_network": ActionType.ScanNetwork,
        "find_services": ActionType.FindServices,
        "find_data": ActionType.FindData,
        "exploit_service": ActionType.ExploitService,
        "exfiltrate_data": ActionType.ExfiltrateData,
        "block_ip": ActionType.BlockIP,
    }
)

#: Where benign agents start when the file does not say.
BENIGN_START = Position(controlled_hosts=(Word.RANDOM, Word.RANDOM, Word.RANDOM))


def convert_task(content: Mapping[str, Any]) -> Task:
    """The task that checked values describe."""
    env = content["env"]
    settings = {
        key: env[key]
        for key in ("use_firewall", "use_dynamic_addresses", "save_trajectories")
        if key in env
    }
    seed = env.get("random_seed", 42)
    overrides = env.get("global_defender") or {}
    return Task(
        scenario=env["scenario"],
        roles=_convert_roles(content["coordinator"]["agents"]),
        rewards=Rewards(**env.get("rewards") or {}),
        seed=None if seed == Word.RANDOM else seed,
        required_players=_convert_required_players(env.get("required_players", 1)),
        success_probability=_convert_probabilities(env.get("actions") or {}),
        detection=_convert_detection(overrides) if env.get("use_global_defender") else None,
        detection_window=overrides.get("window", DEFAULT_DETECTION_WINDOW),
        **settings,
    )


def _convert_roles(agents: Mapping[str, Any]) -> Mapping[AgentRole, RoleTask]:
    roles = {role: agents.get(role.value) or {} for role in AgentRole if role.value in agents}
    roles.setdefault(AgentRole.Benign, {})
    return MappingProxyType({role: _convert_role(role, said) for role, said in roles.items()})


def _convert_role(role: AgentRole, said: Mapping[str, Any]) -> RoleTask:
    start = said.get("start_position")
    goal = said.get("goal") or {}
    return RoleTask(
        start=(
            BENIGN_START
            if role is AgentRole.Benign and start is None
            else convert_position(start or {})
        ),
        goal=convert_position(goal),
        goal_description=goal.get("description") or "",
        max_steps=said.get("max_steps"),
    )


def _convert_required_players(said: int | Mapping[str, int]) -> int | RoleCounts:
    if isinstance(said, int):
        return said
    return MappingProxyType({AgentRole(role): count for role, count in said.items()})


def _convert_probabilities(said: Mapping[str, Any]) -> Mapping[ActionType, float]:
    return MappingProxyType(
        {
            action: (said.get(key) or {}).get("prob_success", 1.0)
            for key, action in ACTION_KEYS.items()
        }
    )


def _convert_detection(said: Mapping[str, Any]) -> Mapping[ActionType, DetectionRule]:
    return MappingProxyType(
        {
            action: replace(DEFAULT_DETECTION[action], **(said.get(key) or {}))
            for key, action in ACTION_KEYS.items()
        }
    )
