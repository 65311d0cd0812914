"""Who can be evaluated: names, and the files of saved policies."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from netsecgame.envs.evaluation.no_repeat import NoRepeatRandom
from netsecgame.envs.opponents.making import OPPONENT_NAMES, POLICY_SUFFIX, make_opponent
from netsecgame.envs.policies import load_policy
from netsecgame.errors import ConfigurationError, suggest_nearest
from netsecgame.game_components import AgentRole

if TYPE_CHECKING:
    from netsecgame.envs.game import Game
    from netsecgame.envs.opponents import Opponent
    from netsecgame.envs.policies import SavedPolicy

#: In place of a defender.
NOBODY = "none"

NO_REPEAT_RANDOM = "no-repeat-random"

ATTACKERS = (*OPPONENT_NAMES[AgentRole.Attacker], NO_REPEAT_RANDOM)
DEFENDERS = (NOBODY, *OPPONENT_NAMES[AgentRole.Defender])


def check_name(what: str, known: tuple[str, ...], part: str) -> None:
    """ConfigurationError if that is neither a known name nor the file of a saved policy.

    Args:
        what: What somebody typed.
        known: `ATTACKERS` or `DEFENDERS`.
        part: What it was typed for.
    """
    if what in known:
        return
    if not is_policy(what):
        names = ", ".join(known)
        hint = suggest_nearest(what, known)
        reason = f"there is no {what!r}{hint}; expected {names} or a policy's {POLICY_SUFFIX} file"
        raise ConfigurationError(reason, path=part)
    if not Path(what).is_file():
        raise ConfigurationError(f"there is no policy file {what!r}", path=part)


def is_policy(what: str) -> bool:
    """Whether that is the path of a saved policy, and not a name."""
    return what.endswith(POLICY_SUFFIX)


def identify(what: str) -> str:
    """What says which agent that is, also when its file has changed."""
    if not is_policy(what):
        return what
    path = Path(what)
    return f"{path.name} (sha256 {sha256(path.read_bytes()).hexdigest()})"


def load_agent(what: str) -> str | SavedPolicy:
    """A saved policy, if that is the path of one; a name as it is.

    Raises:
        PolicyError: If there is something else in the file.
    """
    return load_policy(what) if is_policy(what) else what


def make_attacker(what: str | SavedPolicy, game: Game) -> Opponent:
    """The attacker of that name, or with that policy.

    Raises:
        ConfigurationError: If there is none, or its policy is one for another task.
    """
    if what == NO_REPEAT_RANDOM:
        return NoRepeatRandom(game)
    return make_opponent(what, AgentRole.Attacker, game)
