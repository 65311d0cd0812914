"""A training and its folder."""

from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
import sys
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from ray import cloudpickle
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core import COMPONENT_RL_MODULE
from ray.rllib.core.rl_module.multi_rl_module import MultiRLModuleSpec
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

from agents.rllib.episode_runner import EpisodeRunner
from agents.rllib.game_env import GameEnv, role_of
from agents.rllib.masked_module import VALUE_SCALE, MaskedModule
from agents.rllib.self_play import SelfPlay
from netsecgame import AgentRole
from netsecgame.envs import open_game
from netsecgame.envs.policies import NetworkPolicy, PolicyHeader, save_policy
from netsecgame.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping

EPISODES_FILE = "episodes.jsonl"
SETTINGS_FILE = "settings.json"
KEPT_CHECKPOINTS = 3

#: Episodes that a point of the curves is about.
RECENT_EPISODES = 200

#: How long an episode is thought to be before there was one.
FIRST_GUESS_ROUNDS = 100

#: What RLlib tells of each role's learning.
LEARNER_CURVES = ("entropy", "policy_loss", "vf_loss", "vf_explained_var")

#: What reading a damaged checkpoint raises.
_DAMAGED = (
    AttributeError,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)

# Other machines need netsecgame, and none of its agents: what runs there is sent as a whole.
cloudpickle.register_pickle_by_value(sys.modules[__package__ or ""])


class Training:
    """Learns, and writes down what came of it.

    Attributes:
        algorithm: Who learns, from `begin` on.
    """

    algorithm: Any

    def __init__(self, options: argparse.Namespace, headers: Mapping[str, PolicyHeader]) -> None:
        """Look at the folder; nothing is started or written yet.

        Args:
            options: As the command line has them.
            headers: What `make_headers` gives.

        Raises:
            ConfigurationError: If options and folder do not fit together.
        """
        self._options = options
        self._headers = headers
        self._out: Path = options.out.resolve()
        self._checkpoints = self._out / "checkpoints"
        self._episodes = self._out / EPISODES_FILE
        self._recent: deque[dict[str, Any]] = deque(maxlen=RECENT_EPISODES)
        self._num_episodes = 0
        self._saved_at = 0
        self._found = max(self._checkpoints.glob("[0-9]*"), default=None)
        if self._episodes.exists() and not options.resume:
            reason = "exists; go on with --resume, or give another --out"
            raise ConfigurationError(reason, source=str(self._episodes))
        if self._found:
            self._check(self._found)

    def begin(self) -> None:
        """Begin, or go on from the last checkpoint; needs an open cluster.

        Raises:
            ConfigurationError: If the checkpoint is damaged.
        """
        with _nothing_on_stderr():
            self.algorithm = make_config(self._options, self._headers).build_algo()
        # Of each env runner that is lost it tells all it knows, and goes on.
        logging.getLogger("ray.rllib").setLevel(logging.CRITICAL)
        if self._found:
            print(f"going on from {self._found}")
            self._restore(self._found)
        self._out.mkdir(parents=True, exist_ok=True)
        self._saved_at = self.algorithm.rounds
        self._num_episodes = self._cut()

    def learn(self) -> None:
        """Play and learn until there were enough rounds."""
        options, algorithm = self._options, self.algorithm
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        bar = Progress(*columns, TimeRemainingColumn(), disable=options.quiet)
        curves = SummaryWriter(str(self._out / "tensorboard"), purge_step=algorithm.rounds)
        with curves, bar:
            task = bar.add_task("", total=options.timesteps, completed=algorithm.rounds)
            while algorithm.rounds < options.timesteps:
                told = self._learn_once()
                means = self.means()
                won, rounds, *returns = means.values()
                text = f"{won:.0%} won in {rounds:.0f} rounds, returns "
                text += " / ".join(f"{value:.0f}" for value in returns)
                bar.update(task, completed=algorithm.rounds, description=text)
                points = {f"episodes/{name}": value for name, value in means.items()}
                for role in self._headers:
                    points |= {f"{role}/{name}": told[role][name] for name in LEARNER_CURVES}
                for name, value in points.items():
                    curves.add_scalar(name, value, algorithm.rounds)
                if algorithm.rounds - self._saved_at >= options.checkpoint_every:
                    self.save()
        if algorithm.rounds > self._saved_at:
            self.save()

    def means(self) -> dict[str, float]:
        """Of the latest episodes: the share that attackers won, rounds, and each agent's return."""
        lines = self._recent
        agents = sorted({agent for line in lines for agent in line["returns"]})
        return {
            "won": fmean(line["won"] for line in lines),
            "rounds": fmean(line["rounds"] for line in lines),
            **{agent: fmean(line["returns"].get(agent, 0) for line in lines) for agent in agents},
        }

    def save(self) -> None:
        """Write a checkpoint: it is there in full or not at all. The last few are kept."""
        unfinished = self._checkpoints / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self.algorithm.save_to_path(unfinished)
        (unfinished / SETTINGS_FILE).write_text(json.dumps(self._settings()))
        unfinished.rename(self._checkpoints / f"{self.algorithm.rounds:012d}")
        self._saved_at = self.algorithm.rounds
        for old in sorted(self._checkpoints.glob("[0-9]*"))[:-KEPT_CHECKPOINTS]:
            shutil.rmtree(old)

    def count_episodes(self) -> int:
        """How many episodes were learned from.

        Raises:
            RuntimeError: If one is missing on the list or twice on it, or RLlib has counted others.
        """
        lines = list(map(json.loads, self._episodes.read_text().splitlines()))
        rounds = sum(line["rounds"] for line in lines)
        if [line["episode"] for line in lines] != list(range(len(lines))):
            raise RuntimeError(f"{self._episodes}: an episode is missing, or there twice")
        if rounds != self.algorithm.rounds:
            raise RuntimeError(f"{rounds} rounds listed, {self.algorithm.rounds} counted by RLlib")
        return len(lines)

    def export(self) -> dict[str, Path]:
        """Write the policies in the form that is played without torch; gives each role's file."""
        weights, paths = self.algorithm.weights()[COMPONENT_RL_MODULE], {}
        for role, header in self._headers.items():
            layers = [
                (value, weights[role][name.replace("weight", "bias")])
                for name, value in weights[role].items()
                if name.startswith("actor") and name.endswith("weight")
            ]
            header.training["timesteps"] = self.algorithm.rounds
            paths[role] = self._out / f"{role}.npz"
            save_policy(NetworkPolicy(header, layers), paths[role])
        return paths

    def _learn_once(self) -> Any:
        """One iteration; gives what RLlib tells of each role's learning."""
        algorithm = self.algorithm
        expected = fmean(
            line["rounds"] for line in self._recent or [{"rounds": FIRST_GUESS_ROUNDS}]
        )
        first, count = self._num_episodes, max(1, round(self._options.batch_rounds / expected))
        algorithm.next_episodes = range(first, first + count)
        told = algorithm.train()["learners"]
        with self._episodes.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in algorithm.learned)
        self._recent.extend(algorithm.learned)
        self._num_episodes += count
        return told

    def _settings(self) -> dict[str, Any]:
        """What a training cannot go on without."""
        layouts = {role: header.layout_hash for role, header in self._headers.items()}
        names = ("attackers", "defenders", "benign", "seed")
        return {"task": layouts, **{name: getattr(self._options, name) for name in names}}

    def _check(self, checkpoint: Path) -> None:
        """Make sure that a checkpoint is one of this training."""
        try:
            before = json.loads((checkpoint / SETTINGS_FILE).read_text())
            wrong = [name for name, value in self._settings().items() if before[name] != value]
        except _DAMAGED as error:
            raise _no_checkpoint(checkpoint, error) from error
        if wrong:
            reason = f"was made with another {', '.join(wrong)}"
            raise ConfigurationError(reason, source=str(checkpoint))

    def _restore(self, checkpoint: Path) -> None:
        try:
            self.algorithm.restore_from_path(checkpoint)
        except _DAMAGED as error:
            raise _no_checkpoint(checkpoint, error) from error

    def _cut(self) -> int:
        """Leave on the list what the checkpoint has learned from; gives how many episodes."""
        text = self._episodes.read_text() if self._episodes.exists() else ""
        lines = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
        kept = [line for line in lines if json.loads(line)["iteration"] <= self.algorithm.iteration]
        unfinished = self._episodes.with_suffix(".unfinished")
        unfinished.write_text("".join(kept))
        unfinished.replace(self._episodes)
        self._recent.extend(map(json.loads, kept[-RECENT_EPISODES:]))
        return len(kept)


def make_headers(options: argparse.Namespace) -> dict[str, PolicyHeader]:
    """What the policy of each role is for, by the role as agents' names have it.

    Raises:
        ConfigurationError: If the task is wrong.
        RoleNotAvailableError: If it has no such role.
    """
    game = open_game(options.task)
    counts = {AgentRole.Attacker: options.attackers, AgentRole.Defender: options.defenders}
    for role, count in {**counts, AgentRole.Benign: options.benign}.items():
        if count:
            game.role_task(role)
    return {
        role.lower(): PolicyHeader.of(
            game,
            role,
            "rllib",
            Path(options.task).stem,
            has_others=sum(counts.values()) + options.benign > 1,
            training={"seed": options.seed},
        )
        for role, count in counts.items()
        if count
    }


def make_config(options: argparse.Namespace, headers: Mapping[str, PolicyHeader]) -> PPOConfig:
    """How to learn; the numbers learn the small shipped tasks within minutes."""
    game = cloudpickle.dumps(open_game(options.task).spec)
    counts = {name: getattr(options, name) for name in ("attackers", "defenders", "benign")}
    modules = {role: RLModuleSpec(MaskedModule) for role in headers}
    return (
        PPOConfig(algo_class=SelfPlay)
        .environment(GameEnv, env_config={"game": game, **counts}, disable_env_checking=True)
        .env_runners(
            env_runner_cls=EpisodeRunner,
            num_env_runners=options.num_env_runners,
            num_envs_per_env_runner=options.num_envs,
            batch_mode="complete_episodes",
        )
        .fault_tolerance(
            restart_failed_env_runners=True,
            delay_between_env_runner_restarts_s=1,
            env_runner_health_probe_timeout_s=1,  # others wait that long for who is lost
        )
        .multi_agent(policies=list(headers), policy_mapping_fn=role_of)
        .rl_module(rl_module_spec=MultiRLModuleSpec(rl_module_specs=modules))
        .learners(num_learners=0)
        .training(
            lr=1e-3,
            gamma=0.99,
            lambda_=0.95,
            num_epochs=4,
            minibatch_size=1_024,
            # It would shuffle the roles in any order by one generator, and so each time otherwise.
            shuffle_batch_per_epoch=False,
            entropy_coeff=0.01,
            clip_param=0.2,
            use_kl_loss=False,
            vf_clip_param=float("inf"),
            vf_loss_coeff=1 / VALUE_SCALE**2,
            grad_clip=0.5,
        )
        .debugging(seed=options.seed, log_level="ERROR")
    )


@contextmanager
def _nothing_on_stderr() -> Iterator[None]:
    """Keep off the terminal what Ray says of itself: its core asks no logger. Errors are raised."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def _no_checkpoint(path: Path, error: Exception) -> ConfigurationError:
    reason = f"no checkpoint that can be read: {' '.join(str(error).split())}"
    return ConfigurationError(reason, source=str(path))
