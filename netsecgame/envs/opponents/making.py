"""Opponents by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netsecgame.agents.policies.scripted_attacker import ScriptedAttacker
from netsecgame.agents.policies.stochastic_defender import StochasticDefender
from netsecgame.envs.opponents.policy_opponent import PolicyOpponent
from netsecgame.envs.opponents.random_opponent import RandomOpponent
from netsecgame.envs.opponents.saved_policy_opponent import SavedPolicyOpponent
from netsecgame.envs.opponents.scripted_defender import ScriptedDefender
from netsecgame.envs.policies import SavedPolicy, load_policy
from netsecgame.errors import ConfigurationError, suggest_nearest
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from netsecgame.envs.game import Game
    from netsecgame.envs.opponents.opponent import Opponent

#: How the file of a saved policy ends.
POLICY_SUFFIX = ".npz"

#: The names there are, by role.
OPPONENT_NAMES = {
    AgentRole.Attacker: ("random", "scripted"),
    AgentRole.Defender: ("random", "scripted", "stochastic"),
    AgentRole.Benign: ("random",),
}


def make_opponent(
    what: str | Path | SavedPolicy | Opponent, role: AgentRole, game: Game, seat: int = 0
) -> Opponent:
    """Who plays an agent.

    Args:
        what: One of `OPPONENT_NAMES`, a saved policy or its file (``.npz``), or an opponent, which
            is given back.
        role: What it plays.
        game: Where it plays.
        seat: Which agent of its role it is, from 0: each makes other random choices.

    Raises:
        ConfigurationError: If there is no such name, or the policy is one for another task or
            another role.
        RoleNotAvailableError: If the task has no such role.
    """
    if isinstance(what, str | Path) and str(what).endswith(POLICY_SUFFIX):
        what = load_policy(what)
    if isinstance(what, SavedPolicy):
        game.role_task(role)
        return SavedPolicyOpponent(what, game, role, seat)
    if not isinstance(what, str | Path):
        return what
    game.role_task(role)
    name = str(what)
    names = OPPONENT_NAMES[role]
    if name not in names:
        raise ConfigurationError(
            f"there is no {role.lower()} {name!r}{suggest_nearest(name, names)}; "
            f"expected {', '.join(names)} or a policy's {POLICY_SUFFIX} file",
        )
    if name == "random":
        return RandomOpponent(game, role, seat)
    if name == "stochastic":
        return PolicyOpponent(StochasticDefender, game, seat)
    if role is AgentRole.Defender:
        return ScriptedDefender(game)
    return PolicyOpponent(ScriptedAttacker, game, seat)
