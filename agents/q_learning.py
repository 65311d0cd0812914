"""Trains an agent by tabular Q-learning: the value of every action in every state it has met.

Values begin at 0, which is more than a step is worth, so that everything is tried. An episode is
learned from its end to its beginning: what a win is worth reaches its first step at once. The
result, `policy.npz`, is a saved policy that `agents/play_policy.py` plays over TCP, and at the
same time the checkpoint that `--resume` goes on from.
"""

from __future__ import annotations

import argparse
import sys
from argparse import BooleanOptionalAction
from collections import deque
from contextlib import closing
from importlib import import_module
from pathlib import Path
from random import Random
from time import perf_counter, time
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from msgspec.structs import replace
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from netsecgame import AgentRole
from netsecgame.envs import NetSecGameEnv
from netsecgame.envs.evaluation import TaskVariant
from netsecgame.envs.policies import PolicyHeader, TablePolicy, load_policy, save_policy, state_key
from netsecgame.errors import NetSecGameError, PolicyError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from netsecgame.envs.policies.table import Row as SavedRow

FILE_NAME = "policy.npz"

#: Episodes that a point of the curve is about.
RECENT_EPISODES = 100

#: Steps between two points of the curve.
CURVE_STEPS = 1_000

#: Where evaluation begins to count its episodes; training never gets so far.
FIRST_EVALUATION = 1 << 31


class Settings(NamedTuple):
    """How to learn.

    Attributes:
        seed: Of the games and of the learner's random choices.
        learning_rate: How far a value moves to what was seen, 0..1.
        discount: What a reward one step later is worth, 0..1.
        first_epsilon: How often any legal action is played at first, 0..1.
        last_epsilon: How often it is in the second half of the training.
    """

    seed: int = 1
    learning_rate: float = 0.5
    discount: float = 0.99
    first_epsilon: float = 0.3
    last_epsilon: float = 0.02


class Outcome(NamedTuple):
    """How an episode went."""

    steps: int
    total_reward: float
    is_success: bool


class Row:
    """The legal actions of one state, (A,): their numbers, values, and whether they were played."""

    __slots__ = ("is_tried", "numbers", "values")

    def __init__(self, mask: NDArray[np.int8], saved: SavedRow | None) -> None:
        legal = np.flatnonzero(mask)
        # Where nothing makes sense, something has to be played all the same.
        self.numbers = legal.astype(np.int32) if len(legal) else np.zeros(1, np.int32)
        self.values = np.zeros(len(self.numbers), np.float32)
        self.is_tried = np.zeros(len(self.numbers), np.bool_)
        if saved is not None:
            places = np.searchsorted(self.numbers, saved[0])
            self.values[places] = saved[1]
            self.is_tried[places] = True

    def best(self, rng: Random) -> int:
        """The place of an action of the highest value; any of several."""
        places = np.flatnonzero(self.values == self.values.max())
        return int(places[rng.randrange(len(places))] if len(places) > 1 else places[0])


class QLearner:
    """Plays an environment and learns.

    Every episode has a seed of its own, so that a training that goes on from a checkpoint does what
    one without a break does.

    Attributes:
        steps: Actions played so far.
        episodes: Episodes played so far.
        saved: The table that it goes on with; each state until it is met.
    """

    def __init__(self, env: NetSecGameEnv, settings: Settings, timesteps: int) -> None:
        """Begin with an empty table.

        Args:
            env: With flat observations.
            settings: How to learn.
            timesteps: How long it will be; sets the pace at which exploring gets less.
        """
        self.steps = 0
        self.episodes = 0
        self.saved: dict[bytes, SavedRow] = {}
        self._env = env
        self._settings = settings
        self._timesteps = timesteps
        self._rows: dict[bytes, Row] = {}

    @property
    def num_states(self) -> int:
        """How many states are in the table."""
        return len(self.saved) + len(self._rows)

    @property
    def epsilon(self) -> float:
        """How often any legal action is played now; falls until half of the training is done."""
        _, _, _, first, last = self._settings
        return last + (first - last) * max(0.0, 1 - 2 * self.steps / self._timesteps)

    def play_episode(self) -> Outcome:
        """Play one episode, and learn from it."""
        env, epsilon = self._env, self.epsilon
        seed = episode_seed(self._settings.seed, self.episodes)
        rng = Random(seed)
        observation, info = env.reset(seed=seed)
        key = state_key(observation)
        row = self._row(key, info)
        path: list[tuple[Row, int, float, Row | None]] = []
        has_ended = False
        while not has_ended:
            count = len(row.numbers)
            place = rng.randrange(count) if rng.random() < epsilon else row.best(rng)
            number = row.numbers[place]
            observation, reward, terminated, truncated, info = env.step(number)
            has_ended = terminated or truncated
            before, row = row, self._row(state_key(observation), info)
            # Where only the step limit has ended it, there would have been more to win.
            path.append((before, place, reward, None if terminated else row))
        self._learn(path)
        self.steps += len(path)
        self.episodes += 1
        return Outcome(len(path), sum(reward for _, _, reward, _ in path), info["is_success"])

    def table(self) -> dict[bytes, SavedRow]:
        """What was tried, as saved policies have it."""
        tried = {
            key: (row.numbers[row.is_tried], row.values[row.is_tried])
            for key, row in self._rows.items()
            if row.is_tried.any()
        }
        return {**self.saved, **tried}

    def _learn(self, path: Sequence[tuple[Row, int, float, Row | None]]) -> None:
        _, rate, discount, _, _ = self._settings
        for row, place, reward, after in reversed(path):
            target = reward if after is None else reward + discount * float(after.values.max())
            row.values[place] += rate * (target - float(row.values[place]))
            row.is_tried[place] = True

    def _row(self, key: bytes, info: Mapping[str, Any]) -> Row:
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = Row(info["action_mask"], self.saved.pop(key, None))
        return row


class Curve:
    """The course of a training, as event files of TensorBoard."""

    def __init__(self, folder: Path | None) -> None:
        """Write into a folder; None writes nothing.

        Raises:
            ImportError: If TensorBoard is not installed.
        """
        self._writer: Any = None
        if folder is not None:
            # Tensorboard need not be there, and has no types.
            self._event = import_module("tensorboard.compat.proto.event_pb2").Event
            self._summary = import_module("tensorboard.compat.proto.summary_pb2").Summary
            writer = import_module("tensorboard.summary.writer.event_file_writer")
            self._writer = writer.EventFileWriter(str(folder))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to each line."""
        if self._writer is not None:
            points = [self._summary.Value(tag=tag, simple_value=y) for tag, y in values.items()]
            summary = self._summary(value=points)
            self._writer.add_event(self._event(step=step, wall_time=time(), summary=summary))

    def close(self) -> None:
        """Write what is left."""
        if self._writer is not None:
            self._writer.close()


def episode_seed(seed: int, episode: int) -> int:
    """The seed of an episode of a training."""
    return seed << 32 | episode


def evaluate(policy: TablePolicy, env: NetSecGameEnv, seed: int, episodes: int) -> list[Outcome]:
    """Let the policy play episodes that were not trained on."""
    outcomes = []
    for episode in range(FIRST_EVALUATION, FIRST_EVALUATION + episodes):
        its_seed = episode_seed(seed, episode)
        observation, info = env.reset(seed=its_seed)
        policy.begin(env.state, env.goal, its_seed)
        steps, total_reward = 0, 0.0
        while "is_success" not in info:
            number = policy.choose(observation, info["action_mask"].view(np.bool_))
            observation, reward, _, _, info = env.step(number)
            steps += 1
            total_reward += reward
        outcomes.append(Outcome(steps, total_reward, info["is_success"]))
    return outcomes


def summarise(outcomes: Collection[Outcome]) -> dict[str, float]:
    """The share of wins, the mean return and the mean number of steps."""
    steps, returns, wins = (sum(column) / len(outcomes) for column in zip(*outcomes, strict=True))
    return {"wins": wins, "return": returns, "steps": steps}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and evaluate; returns the exit status."""
    options = _make_parser().parse_args(arguments)
    path = options.out / FILE_NAME
    try:
        if path.exists() and not options.resume:
            raise PolicyError(
                "exists; go on with --resume, or give another --out", source=str(path)
            )
        options.out.mkdir(parents=True, exist_ok=True)
        began = perf_counter()
        variant = TaskVariant.find(options.task, global_defender=options.global_defender)
        env = _make_env(options, variant)
        policy = _train(options, variant, env, path)
        seconds = perf_counter() - began
        outcomes = evaluate(policy, env, options.seed, options.episodes)
    except (NetSecGameError, OSError) as error:
        print(f"q_learning: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; --resume goes on", file=sys.stderr)
        return 130
    report = [f"{path}: {policy.num_states:,} states, trained for {seconds:.0f} s"]
    if outcomes:
        means = summarise(outcomes)
        report.append(
            f"{means['wins']:.1%} of {len(outcomes)} episodes won,"
            f" return {means['return']:.1f} in {means['steps']:.1f} steps"
        )
    print("\n".join(report))
    return 0


def _train(
    options: argparse.Namespace, variant: TaskVariant, env: NetSecGameEnv, path: Path
) -> TablePolicy:
    """Train, with a bar; the file is written now and then, and at the end, however that comes."""
    settings = Settings(*(getattr(options, name) for name in Settings._fields))
    header = PolicyHeader.of(
        env.game,
        env.role,
        "q_learning",
        variant.name,
        has_others=options.opponent is not None or env.role is not AgentRole.Attacker,
        training={
            "opponent": options.opponent,
            "global_defender": env.game.spec.task.detection is not None,
            **settings._asdict(),
        },
    )
    learner = QLearner(env, settings, options.timesteps)
    if options.resume and path.exists():
        _restore(learner, path, header)
    recent: deque[Outcome] = deque(maxlen=RECENT_EPISODES)
    with closing(_open_curve(options)) as curve, _make_bar(options) as bar:
        task = bar.add_task("", total=options.timesteps, completed=learner.steps)
        try:
            while learner.steps < options.timesteps:
                before = learner.steps
                recent.append(learner.play_episode())
                if before // CURVE_STEPS < learner.steps // CURVE_STEPS:
                    point = {**summarise(recent), "states": learner.num_states}
                    curve.add(learner.steps, {**point, "epsilon": learner.epsilon})
                    text = f"{point['wins']:.0%} won, {learner.num_states:,} states"
                    bar.update(task, completed=learner.steps, description=text)
                if before // options.checkpoint_every < learner.steps // options.checkpoint_every:
                    save_policy(_export(learner, header), path)
        finally:
            policy = _export(learner, header)
            save_policy(policy, path)
    return policy


def _export(learner: QLearner, header: PolicyHeader) -> TablePolicy:
    progress = {"timesteps": learner.steps, "episodes": learner.episodes}
    training = {**header.training, **progress}
    return TablePolicy(replace(header, training=training), learner.table())


def _restore(learner: QLearner, path: Path, header: PolicyHeader) -> None:
    """Let a learner go on from a file; PolicyError if that was not trained as it is now."""
    policy = load_policy(path)
    training = dict(policy.header.training)
    learner.steps, learner.episodes = training.pop("timesteps", 0), training.pop("episodes", 0)
    if not isinstance(policy, TablePolicy) or replace(policy.header, training=training) != header:
        raise PolicyError("was trained on something else, or in another way", source=str(path))
    learner.saved = dict(policy.table)


def _open_curve(options: argparse.Namespace) -> Curve:
    try:
        return Curve(options.out / "tensorboard" if options.tensorboard else None)
    except ImportError:
        reason = "TensorBoard is not installed, so there will be no curve"
        print(f"{reason}; get it with: pip install tensorboard")
        return Curve(None)


def _make_bar(options: argparse.Namespace) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    return Progress(*columns, TimeRemainingColumn(), disable=options.quiet)


def _make_env(options: argparse.Namespace, variant: TaskVariant) -> NetSecGameEnv:
    if options.opponent is None:
        return NetSecGameEnv(variant.load(), options.role)
    side = "defender" if options.role == AgentRole.Attacker else "attacker"
    return NetSecGameEnv(variant.load(), options.role, **{side: options.opponent})


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    defaults = Settings()
    add("--task", default="two_networks_small", help="task file, or the name of a shipped task")
    add("--role", default="Attacker", help="Attacker or Defender")
    add("--opponent", help="who plays the other side: a name such as scripted, or an .npz file")
    add("--global-defender", action=BooleanOptionalAction, help="whether it watches the attacker")
    add("--timesteps", type=_positive, default=300_000, help="steps to learn from")
    add("--seed", type=int, default=defaults.seed, help="of everything random")
    add("--out", type=Path, default=Path("q_learning"), help="where everything goes")
    add("--resume", action="store_true", help=f"go on from {FILE_NAME}, if it is there")
    add("--checkpoint-every", type=_positive, default=100_000, help="steps between checkpoints")
    add("--episodes", type=_not_negative, default=200, help="to evaluate the result by")
    add("--tensorboard", action="store_true", help="write event files for TensorBoard")
    add("--quiet", action="store_true", help="no progress bar")
    for name in Settings._fields[1:]:
        text = f"{name.replace('_', ' ')}, 0 to 1"
        add(f"--{name.replace('_', '-')}", type=_share, default=getattr(defaults, name), help=text)
    return parser


def _not_negative(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"expected at least 0, got {text}")
    return number


def _positive(text: str) -> int:
    number = _not_negative(text)
    if number == 0:
        raise argparse.ArgumentTypeError("expected at least 1, got 0")
    return number


def _share(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text}")
    return number


if __name__ == "__main__":
    sys.exit(main())
