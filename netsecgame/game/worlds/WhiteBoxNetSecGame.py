"""The same world, in which agents are told every action there can be."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netsecgame.core.action_index import ActionIndex
from netsecgame.core.action_list import format_all_actions
from netsecgame.game.worlds.NetSecGame import NetSecGame

if TYPE_CHECKING:
    from pathlib import Path

#: A longer list would stop the server at each join: one of these is a reply of 200 MB.
MAX_LISTED_ACTIONS = 1_000_000


class WhiteBoxNetSecGame(NetSecGame):
    """Serves one task; the reply to a join lists all actions.

    Its addresses never change, so that the list stays true. The list grows with the cube of the
    network: beyond `MAX_LISTED_ACTIONS` the server does not start.
    """

    step_is_immediate = True
    reset_is_immediate = True

    def __init__(
        self,
        game_host: str,
        game_port: int,
        task_config: str | Path | None,
        seed: int | None = None,
        *,
        include_block_action: bool = True,
        **options: Any,
    ) -> None:
        """Set up a server that has not started.

        Args:
            game_host: Address to listen on.
            game_port: Port to listen on; 0 takes a free one.
            task_config: The task file.
            seed: Seed of all chance; wins over the task's.
            include_block_action: Whether BlockIP actions are listed.
            options: As for `GameCoordinator`.
        """
        super().__init__(game_host, game_port, task_config, seed, **options)
        self._include_block_action = include_block_action

    def _initialize(self) -> None:
        if self.config_manager.spec.task.use_dynamic_addresses:
            reason = (
                "the white box lists all actions once, so its addresses cannot change; "
                "set it to false"
            )
            raise self.config_manager.error(("env", "use_dynamic_addresses"), reason)
        super()._initialize()
        size = self._action_index.size
        if size > MAX_LISTED_ACTIONS:
            reason = (
                f"this network has {size:,} actions, and the white box lists up to "
                f"{MAX_LISTED_ACTIONS:,}; choose a smaller one, or serve it without the white box"
            )
            raise self.config_manager.error(("env", "scenario"), reason)

    @cached_property
    def _action_index(self) -> ActionIndex:
        return ActionIndex(self.dynamics.topology, include_blocks=self._include_block_action)

    @cached_property
    def all_actions(self) -> str:
        """Every action there can be: a JSON list in wire form, sorted."""
        return format_all_actions(self._action_index, self.dynamics.labels)

    def _join_extras(self) -> dict[str, Any]:
        return {"all_actions": self.all_actions}


if __name__ == "__main__":
    from netsecgame.game.worlds.command_line import main

    sys.exit(main(WhiteBoxNetSecGame))
