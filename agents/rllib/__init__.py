"""Trains attackers and defenders against each other, by PPO of RLlib.

- `game_env` has the game as RLlib wants it, `masked_module` the networks.
- `episode_runner` plays numbered episodes, wherever it is started.
- `self_play` gives them out, and learns from them.
- `training` is a training and its folder: checkpoints, curves, the list of episodes, the policies.
- `command_line` is what people type.
"""
