"""What learners say where their libraries are missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

AGENTS = Path(__file__).resolve().parents[3] / "agents"

WITHOUT = """
import runpy, sys
for name in sys.argv[2].split(","):
    sys.modules[name] = None  # makes its import fail
program = sys.argv[1]
sys.argv[:] = [program, "--help"]
runpy.run_path(program, run_name="__main__")
"""


@pytest.mark.parametrize(
    ("program", "library", "extra"),
    [("ppo.py", "sb3_contrib", "train"), ("rllib", "ray", "rllib")],
)
def test_learner_without_its_library_names_the_extra(
    program: str, library: str, extra: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(AGENTS / program), library],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    name = program.removesuffix(".py")
    told = f"{name}: {library} is not installed; get it with: pip install netsecgame[{extra}]\n"
    assert (done.stdout, done.stderr) == ("", told)
