"""A task under the getters that worlds written for the public game use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netsecgame.core.task import RoleTask
from netsecgame.game.loading import load_game, parse_game
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from netsecgame.core.task import Position


class ConfigParser:
    """Reads a task and tells its parts.

    Roles may be given as `AgentRole` or by name. A role that the task does not have has an empty
    start and goal.

    Attributes:
        spec: The task and its scenario, as the rest of the package has them.
    """

    def __init__(
        self,
        task_config_file: str | Path | None = None,
        config_dict: Mapping[str, Any] | None = None,
    ) -> None:
        """Read a task.

        Args:
            task_config_file: A task file; wins if both are given.
            config_dict: What a task file would hold.

        Raises:
            ValueError: If neither is given.
            ConfigurationError: If the task is wrong.
        """
        if task_config_file is not None:
            self.spec = load_game(task_config_file)
        elif config_dict is not None:
            self.spec = parse_game(config_dict)
        else:
            raise ValueError("expected a task file or a dict, got neither")

    def get_start_position(self, agent_role: AgentRole | str) -> dict[str, Any]:
        """The six parts of the start; words such as `random` are text."""
        return as_parts(self._role(agent_role).start)

    def get_win_conditions(self, agent_role: AgentRole | str) -> dict[str, Any]:
        """The six parts of the goal; words such as `random` are text."""
        return as_parts(self._role(agent_role).goal)

    def get_max_steps(self, role: AgentRole | str) -> int | None:
        """The step limit of a role; None is no limit."""
        return self._role(role).max_steps

    def get_goal_description(self, agent_role: AgentRole | str) -> str:
        """The goal in prose."""
        return self._role(agent_role).goal_description

    def get_rewards(
        self, reward_names: Iterable[str], default_value: float = 0
    ) -> dict[str, float]:
        """Rewards by name (success, step, fail, false_positive); others have the default."""
        return {name: getattr(self.spec.task.rewards, name, default_value) for name in reward_names}

    def get_scenario(self) -> str:
        """Name or path of the scenario."""
        return self.spec.task.scenario

    def get_seed(self, section: str = "env") -> int | None:  # noqa: ARG002 - there is only one
        """The seed; None if one is to be drawn."""
        return self.spec.task.seed

    def get_required_num_players(self) -> int:
        """How many agents must have joined before the game starts."""
        required = self.spec.task.required_players
        return required if isinstance(required, int) else sum(required.values())

    def get_use_firewall(self) -> bool:
        """Whether the firewall rules decide who reaches whom."""
        return self.spec.task.use_firewall

    def get_use_dynamic_addresses(self) -> bool:
        """Whether agents may ask for new addresses."""
        return self.spec.task.use_dynamic_addresses

    def get_use_global_defender(self) -> bool:
        """Whether there is a global defender."""
        return self.spec.task.detection is not None

    def get_store_trajectories(self) -> bool:
        """Whether trajectories are stored."""
        return self.spec.task.save_trajectories

    def read_env_action_data(self, action_name: str) -> float:
        """The chance that an action (e.g. ``scan_network``) succeeds, 0..1."""
        for kind, chance in self.spec.task.success_probability.items():
            if kind.to_string().lower() == action_name.replace("_", "").lower():
                return chance
        known = ", ".join(kind.to_string() for kind in self.spec.task.success_probability)
        raise ValueError(f"unknown action {action_name!r}; expected one of {known}")

    def _role(self, role: AgentRole | str) -> RoleTask:
        if not isinstance(role, AgentRole):
            role = AgentRole.from_string(role)
        return self.spec.task.roles.get(role) or RoleTask()


def as_parts(position: Position) -> dict[str, Any]:
    """A position as mappings and lists, with words such as `random` as text."""
    return {
        "known_networks": list(position.known_networks),
        "known_hosts": list(position.known_hosts),
        "controlled_hosts": list(position.controlled_hosts),
        "known_services": {ip: list(items) for ip, items in position.known_services.items()},
        "known_data": {ip: list(items) for ip, items in position.known_data.items()},
        "known_blocks": {ip: list(items) for ip, items in position.known_blocks.items()},
    }
