"""The networks of one role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis import InferenceOnlyAPI, ValueFunctionAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping

HIDDEN = (128, 128)

#: What a win is worth in the shipped tasks; the critic thinks in parts of it.
VALUE_SCALE = 100

#: Of actions that are not legal: far below all others, but finite, as learners subtract these.
NEVER = -1e9


class MaskedModule(TorchRLModule, ValueFunctionAPI, InferenceOnlyAPI):
    """Actor and critic; an action that is not legal has no chance.

    Attributes:
        actor: From an observation to one number for each action.
        critic: From an observation to what is still to come.
    """

    def setup(self) -> None:
        """Build both."""
        inputs = self.observation_space["observation"].shape[0]
        self.actor = _make_network(inputs, self.action_space.n)
        self.critic = _make_network(inputs, 1)

    def get_non_inference_attributes(self) -> list[str]:
        """What only the learner needs."""
        return ["critic"]

    def compute_values(self, batch: Mapping[str, Any], embeddings: Any = None) -> Any:  # noqa: ARG002
        """What is still to come, as the critic has it."""
        return VALUE_SCALE * self.critic(batch[Columns.OBS]["observation"]).squeeze(-1)

    def _forward(self, batch: Mapping[str, Any], **_: Any) -> dict[str, Any]:
        seen = batch[Columns.OBS]
        outputs = self.actor(seen["observation"])
        return {Columns.ACTION_DIST_INPUTS: outputs.masked_fill(seen["action_mask"] == 0, NEVER)}


def _make_network(inputs: int, outputs: int) -> nn.Sequential:
    first, second = HIDDEN
    last = nn.Linear(second, outputs)
    nn.init.orthogonal_(last.weight, 0.01)  # all actions begin alike
    return nn.Sequential(
        nn.Linear(inputs, first), nn.Tanh(), nn.Linear(first, second), nn.Tanh(), last
    )
