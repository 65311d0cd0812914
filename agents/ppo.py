"""Trains an attacker by proximal policy optimisation with masked actions.

Many games are played at once by the vectorised environment; the learner is MaskablePPO of
sb3-contrib. Needs the extra `train`. The policy that is exported needs none of it:
`agents/play_policy.py` plays it over TCP.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from netsecgame import AgentRole
from netsecgame.envs import NetSecGameVectorEnv, open_game
from netsecgame.envs.evaluation import TaskVariant
from netsecgame.envs.policies import NetworkPolicy, PolicyHeader, Selection, save_policy
from netsecgame.errors import NetSecGameError, missing_extra

try:
    from sb3_contrib import MaskablePPO
    from stable_baselines3.common.callbacks import BaseCallback, CallbackList, CheckpointCallback
    from stable_baselines3.common.vec_env import VecEnv, VecMonitor
except ImportError as error:
    sys.exit(f"ppo: {missing_extra(error, 'train')}")

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from netsecgame.envs import Game

CHECKPOINT_STEPS = 50_000
EVALUATION_EPISODES = 200

#: Where seeds begin that are not trained on: to choose how to play, and to tell how well that goes.
CHOICE_SEED, EVALUATION_SEED = 1_000_000, 2_000_000

HIDDEN = (128, 128)


class GameVecEnv(VecEnv):
    """The vectorised environment as Stable-Baselines3 wants it."""

    def __init__(self, env: NetSecGameVectorEnv) -> None:
        self._env = env  # the base class asks it for its render mode
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)
        self._masks: NDArray[np.bool_] = np.ones((env.num_envs, 1), np.bool_)
        self._seed: int | None = None
        self._actions: NDArray[np.int64]

    def reset(self) -> NDArray[np.float32]:
        """Begin new episodes everywhere."""
        observations, infos = self._env.reset(seed=self._seed)
        self._seed = None
        self._masks = infos["action_mask"].view(np.bool_)
        return observations

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the next reset."""
        self._seed = seed
        return [seed] * self.num_envs

    def step_async(self, actions: NDArray[np.int64]) -> None:
        """Note what is played."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Play it. Episodes that end begin anew at once, their last observation is in the infos."""
        observations, rewards, terminated, truncated, infos = self._env.step(self._actions)
        self._masks = infos["action_mask"].view(np.bool_)
        told: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        dones = terminated | truncated
        for i in np.flatnonzero(dones):
            told[i] = {
                "terminal_observation": infos["final_obs"][i],
                "TimeLimit.truncated": bool(truncated[i]),
                "is_success": bool(infos["is_success"][i]),
            }
        return observations, rewards, dones, told

    def env_method(
        self, method_name: str, *_args: Any, indices: Any = None, **_kwargs: Any
    ) -> list[Any]:
        """Only `action_masks` is ever asked for."""
        if method_name != "action_masks":
            raise AttributeError(method_name)
        return list(self._masks if indices is None else self._masks[indices])

    def has_attr(self, attr_name: str) -> bool:
        """Whether the environments have an attribute."""
        return attr_name == "action_masks"

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute of each environment; they are all alike."""
        count = self.num_envs if indices is None else len(list(indices))
        return [getattr(self._env, attr_name, None)] * count

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Nothing of one environment can be set."""
        raise AttributeError(attr_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """The environments are not wrapped."""
        return [False] * (self.num_envs if indices is None else len(list(indices)))

    def close(self) -> None:
        """Let go of the environments."""
        self._env.close()


class StopWhenSolved(BaseCallback):
    """Ends the training when nearly all of the latest episodes were won."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share = share

    def _on_step(self) -> bool:
        latest = self.model.ep_success_buffer
        if latest is None or len(latest) < (latest.maxlen or 1):
            return True
        return float(np.mean(latest)) < self._share


def make_envs(options: argparse.Namespace, game: Game) -> VecEnv:
    """The environments of a training."""
    env = NetSecGameVectorEnv(
        options.num_envs, game, defender=options.defender, autoreset_mode="SameStep"
    )
    return VecMonitor(GameVecEnv(env))


def make_model(options: argparse.Namespace, env: VecEnv) -> MaskablePPO:
    """A new learner; the numbers learn every small shipped task within minutes."""
    return MaskablePPO(
        "MlpPolicy",
        env,
        seed=options.seed,
        n_steps=64,
        batch_size=1_024,
        n_epochs=4,
        learning_rate=1e-3,
        gamma=0.99,
        ent_coef=0.01,
        stats_window_size=EVALUATION_EPISODES,
        policy_kwargs={"net_arch": list(HIDDEN)},
        tensorboard_log=str(options.out / "tensorboard"),
    )


def export(
    model: MaskablePPO, game: Game, selection: Selection, options: argparse.Namespace
) -> Path:
    """Write the policy in the form that is played without torch; gives its file."""
    network = model.policy
    modules = [*network.mlp_extractor.policy_net, network.action_net]
    layers = [
        (module.weight.detach().cpu().numpy(), module.bias.detach().cpu().numpy())
        for module in modules
        if hasattr(module, "weight")
    ]
    header = PolicyHeader.of(
        game,
        AgentRole.Attacker,
        "ppo",
        Path(options.task).stem,
        has_others=options.defender is not None,
        training={
            "timesteps": model.num_timesteps,
            "seed": options.seed,
            "opponent": options.defender,
            "global_defender": game.spec.task.detection is not None,
        },
    )
    path: Path = options.out / "policy.npz"
    save_policy(NetworkPolicy(header, layers, selection=selection), path)
    return path


def choose_selection(model: MaskablePPO, game: Game, options: argparse.Namespace) -> Selection:
    """Whether the likeliest action wins more, or one that is drawn.

    Where an agent cannot see all that counts, such as which of several files is the right one, the
    likeliest action may be the same useless one for ever.
    """
    first_seed = CHOICE_SEED + options.seed
    return max(Selection, key=lambda each: evaluate(model, game, each, first_seed, options))


def evaluate(
    model: MaskablePPO, game: Game, selection: Selection, seed: int, options: argparse.Namespace
) -> float:
    """The share of some episodes that the policy wins, from a seed on."""
    episodes = EVALUATION_EPISODES
    env = NetSecGameVectorEnv(episodes, game, defender=options.defender)
    observations, infos = env.reset(seed=seed)
    won, over = np.zeros(episodes, np.bool_), np.zeros(episodes, np.bool_)
    while not over.all():
        actions, _ = model.predict(
            observations,
            action_masks=infos["action_mask"].view(np.bool_),
            deterministic=selection is Selection.ARGMAX,
        )
        observations, _, terminated, truncated, infos = env.step(actions)
        ended = (terminated | truncated) & ~over
        if ended.any():
            won |= ended & infos["is_success"]
            over |= ended
    return float(won.mean())


def train(options: argparse.Namespace) -> None:
    """Learn, and write checkpoints and the policy."""
    variant = TaskVariant.find(options.task, global_defender=options.global_defender)
    game = open_game(variant.load())
    options.out.mkdir(parents=True, exist_ok=True)
    env = make_envs(options, game)
    checkpoints = sorted((options.out / "checkpoints").glob("ppo_*.zip"), key=steps_of)
    if options.resume and checkpoints:
        print(f"going on from {checkpoints[-1]}")
        model = MaskablePPO.load(checkpoints[-1], env)
    else:
        model = make_model(options, env)
    callbacks: list[BaseCallback] = [
        CheckpointCallback(
            max(1, options.checkpoint_every // options.num_envs),
            str(options.out / "checkpoints"),
            name_prefix="ppo",
        )
    ]
    if options.stop_at:
        callbacks.append(StopWhenSolved(options.stop_at))
    left = options.timesteps - model.num_timesteps
    if left > 0:
        model.learn(
            left,
            CallbackList(callbacks),
            reset_num_timesteps=not (options.resume and checkpoints),
            progress_bar=not options.quiet,
        )
    model.save(options.out / "checkpoints" / f"ppo_{model.num_timesteps}_steps.zip")
    selection = choose_selection(model, game, options)
    path = export(model, game, selection, options)
    share = evaluate(model, game, selection, EVALUATION_SEED + options.seed, options)
    print(
        f"{model.num_timesteps:,} steps; won {share:.1%} of {EVALUATION_EPISODES} episodes;"
        f" the policy is {path}"
    )


def steps_of(checkpoint: Path) -> int:
    """After how many steps a checkpoint was made."""
    return int(checkpoint.stem.split("_")[1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Train from the command line."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--task", default="two_networks_small", help="task file, or a shipped one")
    parser.add_argument("--defender", choices=["random", "scripted"], help="who plays against it")
    parser.add_argument(
        "--global-defender",
        action=argparse.BooleanOptionalAction,
        help="whether it watches the attacker; as the task says if you say nothing",
    )
    parser.add_argument("--timesteps", type=int, default=400_000, help="steps to learn from")
    parser.add_argument("--num-envs", type=int, default=64, help="games at once")
    parser.add_argument("--seed", type=int, default=1, help="of everything random")
    parser.add_argument("--out", type=Path, default=Path("ppo"), help="where everything goes")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "--checkpoint-every", type=int, default=CHECKPOINT_STEPS, help="steps between checkpoints"
    )
    parser.add_argument(
        "--stop-at", type=float, default=0.99, help="share of wins that is enough; 0 goes on"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    try:
        train(options)
    except NetSecGameError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; --resume goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
