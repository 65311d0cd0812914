"""Trains attackers and defenders against each other, by PPO of RLlib, here or on a Ray cluster.

Each role has one policy, and both learn. Needs the extra `rllib`. The policies that are exported
need none of it: `agents/play_policy.py` plays them over TCP.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import ray

from agents.rllib.training import Training, make_headers
from netsecgame.conductor import RayWorkers, open_cluster
from netsecgame.envs.evaluation import Plan, TaskVariant, evaluate
from netsecgame.errors import ConfigurationError, NetSecGameError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

EVALUATION_EPISODES = 200


def train(options: argparse.Namespace) -> None:
    """Learn, and write checkpoints and the policies."""
    training = Training(options, make_headers(options))  # what is wrong is told before Ray starts
    with open_cluster(options.ray_address):
        _check_processors(options.num_env_runners)
        training.begin()
        training.learn()
        paths = training.export()
        counts = f"{training.algorithm.rounds:,} rounds in {training.count_episodes():,} episodes"
        training.algorithm.stop()
        share = evaluate_policies(options, paths)
    against = "the exported defender" if "defender" in paths else "nobody"
    files = " and ".join(map(str, paths.values()))
    print(
        f"{counts}; the exported attacker won {share:.1%} of {EVALUATION_EPISODES} episodes against"
        f" {against}; the policies are {files}"
    )


def evaluate_policies(options: argparse.Namespace, paths: Mapping[str, Path]) -> float:
    """The share of some episodes that the attacker wins, their seeds not seen before."""
    plan = Plan(
        TaskVariant.find(options.task),
        str(paths["attacker"]),
        str(paths.get("defender", "none")),
        options.benign,
        EVALUATION_EPISODES,
    )
    with TemporaryDirectory() as folder:
        return evaluate(plan, folder, workers=RayWorkers()).episodes["win_rate"].value


def main(arguments: Sequence[str] | None = None) -> int:
    """Train from the command line."""
    options = _make_parser().parse_args(arguments)
    try:
        train(options)
    except NetSecGameError as error:
        print(f"rllib: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; --resume goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def _check_processors(num_env_runners: int) -> None:
    """Ray would wait for more without a word."""
    there = int(ray.cluster_resources().get("CPU", 0))
    if num_env_runners > there:
        reason = f"expected at most {there}, one for each processor, got {num_env_runners}"
        raise ConfigurationError(reason, path="num-env-runners")


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rllib",
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add, some, any_number = parser.add_argument, _at_least(1), _at_least(0)
    add("--task", default="two_networks_defended", help="task file, or a shipped one")
    add("--attackers", type=some, default=1, help="how many play")
    add("--defenders", type=any_number, default=1, help="how many play; 0: attackers learn alone")
    add("--benign", type=any_number, default=0, help="how many play, at random")
    add("--timesteps", type=some, default=400_000, help="rounds to learn from")
    add("--batch-rounds", type=some, default=4_000, help="about how many to learn from at once")
    add("--num-envs", type=some, default=16, help="games at once in each env runner")
    add("--num-env-runners", type=any_number, default=1, help="processes that play; 0: this one")
    add("--ray-address", help="of a cluster: HOST:PORT, or auto (default: this machine alone)")
    add("--seed", type=int, default=1, help="of everything random")
    add("--out", type=Path, default=Path("rllib"), help="where everything goes")
    add("--resume", action="store_true", help="go on from the last checkpoint")
    add("--checkpoint-every", type=some, default=50_000, help="rounds between checkpoints")
    add("--quiet", action="store_true", help="no progress bar")
    return parser


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"expected at least {least}, got {text}")
        return value

    return number
