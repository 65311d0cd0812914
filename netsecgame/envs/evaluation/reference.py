"""Figures of the public game that can be measured here, too."""

from __future__ import annotations

from typing import Any, NamedTuple

from netsecgame.envs.evaluation.plan import TaskVariant

#: Episodes behind each figure.
PUBLISHED_EPISODES = 300

_MAX_STEPS = 100
_OUTSIDE = "213.47.23.195"


class Reference(NamedTuple):
    """How the public game's random attacker did on one task.

    Attributes:
        scenario: What it played on.
        global_defender: Whether it was watched.
        won: How many of `PUBLISHED_EPISODES`.
    """

    scenario: str
    global_defender: bool
    won: int

    @property
    def task(self) -> TaskVariant:
        """The same task: the outside and a random start host, a fixed goal, 100 steps."""
        name = f"public_{self.scenario}"
        return TaskVariant(name, _task(self.scenario), self.global_defender)


REFERENCES = (
    Reference("scenario1_small", global_defender=False, won=24),
    Reference("scenario1_small", global_defender=True, won=1),
    Reference("scenario1", global_defender=False, won=21),
    Reference("scenario1", global_defender=True, won=0),
)


def _task(scenario: str) -> dict[str, Any]:
    attacker = {
        "max_steps": _MAX_STEPS,
        "start_position": {"controlled_hosts": [_OUTSIDE, "random"]},
        "goal": {
            "description": f"Exfiltrate User1's DatabaseData to {_OUTSIDE}.",
            "known_data": {_OUTSIDE: [["User1", "DatabaseData"]]},
        },
    }
    env = {"scenario": scenario, "rewards": {"success": 100, "step": -1, "fail": -10}}
    return {"coordinator": {"agents": {"Attacker": attacker}}, "env": env}
