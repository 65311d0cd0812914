"""A task made ready: what all environments of it share."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from netsecgame.core.action_index import ActionIndex
from netsecgame.core.dynamics import compile_game
from netsecgame.core.task import GameSpec
from netsecgame.errors import RoleNotAvailableError
from netsecgame.game.loading import load_game
from netsecgame.game.task_files import find_task_file
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from pathlib import Path

    from netsecgame.core.task import RoleTask
    from netsecgame.core.topology import Topology

#: Tasks kept ready at once.
_MAX_KEPT = 32


class Game:
    """A task, its scenario compiled, and the numbers of its actions.

    Defenders may play BlockIP, others may not; so the actions of a defender are those of
    `full_index`, and those of the others the same without the block of BlockIP at its beginning.

    Attributes:
        spec: The task and its scenario.
        topology: The scenario compiled.
    """

    def __init__(self, spec: GameSpec) -> None:
        self.spec = spec
        self.topology: Topology = compile_game(spec)

    @cached_property
    def full_index(self) -> ActionIndex:
        """All actions."""
        return self.topology.action_index

    @cached_property
    def _index_without_blocks(self) -> ActionIndex:
        return ActionIndex(self.topology, include_blocks=False)

    def action_index(self, role: AgentRole) -> ActionIndex:
        """What the action numbers of a role mean."""
        return self.full_index if role is AgentRole.Defender else self._index_without_blocks

    def first_number(self, role: AgentRole) -> int:
        """What has to be added to an action number of a role to get that of `full_index`."""
        return self.full_index.size - self.action_index(role).size

    def role_task(self, role: AgentRole) -> RoleTask:
        """What the task says about a role.

        Raises:
            RoleNotAvailableError: If it has no such role.
        """
        part = self.spec.task.roles.get(role)
        if part is None:
            raise RoleNotAvailableError(role, map(str, self.spec.task.roles))
        return part


def open_game(task: Game | GameSpec | str | Path) -> Game:
    """The game of a task; that of a file is kept as long as the file stays the same.

    Args:
        task: A path, the name of a shipped task, or what is loaded already.

    Raises:
        ConfigurationError: If the task is wrong.
    """
    if isinstance(task, Game):
        return task
    if isinstance(task, GameSpec):
        return Game(task)
    path = find_task_file(str(task)).resolve()
    return _open_file(path, path.stat().st_mtime_ns)


@lru_cache(_MAX_KEPT)
def _open_file(path: Path, _changed_ns: int) -> Game:
    return Game(load_game(path))
