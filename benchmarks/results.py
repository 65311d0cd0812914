"""Trains both learners on all shipped tasks and writes the page of results.

Every task is learned twice, without and with the global defender. What is trained stays, and the
next run goes on with what is missing. Needs the extra `train`; `make results` brings it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import NamedTuple

from netsecgame.envs.evaluation.bench import Column, find_shipped_tasks
from netsecgame.envs.evaluation.workers import count_processors

ROOT = Path(__file__).resolve().parents[1]


class Learner(NamedTuple):
    """A program that learns a task.

    Attributes:
        title: What the page calls it.
        program: Among the agents.
        timesteps: Steps that it may learn from.
    """

    title: str
    program: str
    timesteps: int


LEARNERS = (Learner("Q-learning", "q_learning", 1_000_000), Learner("PPO", "ppo", 400_000))


def train(learner: Learner, task: Path, trained: Path, *, global_defender: bool) -> None:
    """Learn one task, unless it has been."""
    column = Column(learner.title, trained / learner.program)
    policy = column.file_for(task.stem, global_defender=global_defender)
    if policy.exists():
        return
    command = [sys.executable, str(ROOT / "agents" / f"{learner.program}.py"), "--quiet"]
    command += ["--task", str(task), "--out", str(policy.parent), "--resume"]
    command += ["--global-defender" if global_defender else "--no-global-defender"]
    command += ["--timesteps", str(learner.timesteps)]
    # Several learn at once: more than one thread each would only be in each other's way.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    print(f"{learner.title}, {task.stem}, global defender {global_defender}:", flush=True)
    print(done.stdout + done.stderr, flush=True)
    done.check_returncode()


def main() -> int:
    """Train what is missing, evaluate everything and write the page; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", default="docs/results.md", help="the page")
    parser.add_argument(
        "--trained", type=Path, default=Path("logs/trained"), help="where policies are kept"
    )
    parser.add_argument("--jobs", type=int, default=count_processors(), help="trainings at once")
    options = parser.parse_args()
    with ThreadPoolExecutor(options.jobs) as jobs:
        trainings = [
            jobs.submit(train, learner, task, options.trained, global_defender=watched)
            for learner, task, watched in product(LEARNERS, find_shipped_tasks(), (False, True))
        ]
        for training in trainings:
            training.result()
    table = [sys.executable, "-m", "netsecgame.cli", "bench-table", "--out", options.out]
    for learner in LEARNERS:
        table += ["--policy", f"{learner.title}={options.trained / learner.program}"]
    return subprocess.run(table, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
