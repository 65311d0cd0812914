"""An environment that does as it is told: raises, hangs, ends its process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

#: Actions.
GO, RAISE, HANG, EXIT, KILL, END, TRUNCATE, REFUSE_TO_END, START_HELPER = range(9)


class Obedient(gymnasium.Env[Any, Any]):
    """Its observation is (env_id, episode, steps in it, process id, process id of its helper)."""

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012 - as Gymnasium has it

    def __init__(self, env_id: int, **told: Any) -> None:
        self.observation_space = gymnasium.spaces.Box(0, 2**31, (5,), np.int64)
        self.action_space = gymnasium.spaces.Discrete(9)
        self.secret = told.get("secret", 42)
        self._env_id = env_id
        self._told = told
        self._episode = 0
        self._steps = 0
        self._helper = 0
        self._resets_to_fail = told.get("resets_to_fail", 0)
        if "draws" in told:
            with Path(told["draws"]).open("a", encoding="utf-8") as file:
                file.write(f"{np.random.random()}\n")
        self._do("constructor")

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        if self._resets_to_fail:
            self._resets_to_fail -= 1
            raise RuntimeError("told to raise in reset")
        self._do("reset")
        self._episode += 1
        self._steps = 0
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._steps += 1
        match int(action):
            case 1:
                raise ValueError("told to raise")
            case 2:
                self._hang()
            case 3:
                os._exit(7)
            case 4:
                os.kill(os.getpid(), signal.SIGKILL)
            case 7:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                self._hang()
            case 8:
                self._helper = subprocess.Popen(
                    [sys.executable, "-c", "import time; time.sleep(1000)"]
                ).pid
        return self._observation(), 1.0, int(action) == END, int(action) == TRUNCATE, {}

    def close(self) -> None:
        if "closed" in self._told:
            with Path(self._told["closed"]).open("a", encoding="utf-8") as file:
                file.write(f"{self._env_id}\n")
        self._do("close")

    def _do(self, phase: str) -> None:
        if self._told.get("raise_in") == phase:
            raise RuntimeError(f"told to raise in {phase}")
        if self._told.get("hang_in") == phase:
            self._hang()
        if self._told.get("exit_in") == phase:
            os._exit(7)

    def _hang(self) -> None:
        if "hangs" in self._told:
            Path(self._told["hangs"]).touch()
        threading.Event().wait()

    def _observation(self) -> Any:
        seen = [self._env_id, self._episode, self._steps, os.getpid(), self._helper]
        return np.array(seen, np.int64)


def create_environment(env_id: int, **told: Any) -> gymnasium.Env[Any, Any]:
    return Obedient(env_id, **told)
