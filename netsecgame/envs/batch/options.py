"""The choices there are when a batch is set up."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from netsecgame.errors import ConfigurationError, suggest_nearest

_E = TypeVar("_E", bound=StrEnum)


class Autoreset(StrEnum):
    """What happens to an environment whose episode has ended; the names are Gymnasium's.

    - NEXT_STEP: its next step begins a new episode, whatever the action: reward 0, not ended.
    - SAME_STEP: the step that ends it begins a new one too; `BatchStep.final_states` has the last
      state of the old one.
    - DISABLED: it has to be reset by hand; a step before that is an error.
    """

    NEXT_STEP = "NextStep"
    SAME_STEP = "SameStep"
    DISABLED = "Disabled"


class Backend(StrEnum):
    """What carries out the steps; all give the same results.

    - NUMBA: machine code, from the extra `batch`. The first use of a machine compiles it.
    - NUMPY: array operations.
    """

    NUMBA = "numba"
    NUMPY = "numpy"


class Defender(StrEnum):
    """Who plays against the attacker, one action after each of its own.

    - RANDOM, SCRIPTED: part of the world; see `netsecgame.envs.batch.defenders`. They do nothing
      after the attacker's last action.
    - AGENT: whoever calls `BatchedWorld.step`, with an action for each defender too.
    """

    RANDOM = "random"
    SCRIPTED = "scripted"
    AGENT = "agent"


def read_option(kind: type[_E], name: _E | str, path: str) -> _E:
    """The choice of a name; ConfigurationError if there is none."""
    try:
        return kind(name)
    except ValueError:
        known = [member.value for member in kind]
        reason = f"unknown {name!r}{suggest_nearest(str(name), known)}; expected {', '.join(known)}"
        raise ConfigurationError(reason, path=path) from None
