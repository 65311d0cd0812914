"""Policies that are small neural networks, with numpy alone."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Self

import numpy as np

from netsecgame.envs.policies.saved import SavedPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    from numpy.typing import ArrayLike, NDArray

    from netsecgame.envs.policies.header import PolicyHeader
    from netsecgame.envs.policies.saved import Arrays, Mask, Observation

    Floats: TypeAlias = NDArray[np.float32]


class Activation(StrEnum):
    """What is between two layers."""

    TANH = "tanh"
    RELU = "relu"


class Selection(StrEnum):
    """How an action is chosen from the outputs.

    - ARGMAX: the legal action of the highest output; the lowest number of several.
    - SAMPLE: a legal action by chance, its probability the softmax of the legal outputs.
    """

    ARGMAX = "argmax"
    SAMPLE = "sample"


class NetworkPolicy(SavedPolicy):
    """A multi-layer perceptron from flat observations to one output for each action."""

    kind = "network"

    def __init__(
        self,
        header: PolicyHeader,
        layers: Sequence[tuple[ArrayLike, ArrayLike]],
        activation: Activation | str = Activation.TANH,
        selection: Selection | str = Selection.ARGMAX,
    ) -> None:
        """Make a policy of the layers of a network.

        Args:
            header: What the network was trained for.
            layers: Weights (outputs, inputs), as torch has them, and biases (outputs,) of each
                layer; the first takes F + 1 inputs, the last gives N outputs.
            activation: Of all layers but the last.
            selection: How an action is chosen.

        Raises:
            ValueError: If the layers do not fit together, or an option is unknown.
        """
        super().__init__(header)
        self.activation = Activation(activation)
        self.selection = Selection(selection)
        self._layers = [
            (np.asarray(weights, np.float32), np.asarray(biases, np.float32))
            for weights, biases in layers
        ]
        self._check_shapes()

    def choose(self, observation: Observation, mask: Mask) -> int:
        """The number of a legal action; 0 if nothing is legal."""
        legal = np.flatnonzero(mask)
        if not len(legal):
            return 0
        outputs = self._outputs(observation)[legal]
        if self.selection is Selection.ARGMAX:
            return int(legal[np.argmax(outputs)])
        weights = np.exp(outputs.astype(np.float64) - outputs.max())
        ends = np.cumsum(weights)
        place = np.searchsorted(ends, self._rng.random() * ends[-1], side="right")
        return int(legal[min(int(place), len(legal) - 1)])

    @property
    def options(self) -> Mapping[str, str]:
        """Activation and selection."""
        return {"activation": self.activation, "selection": self.selection}

    @property
    def arrays(self) -> Arrays:
        """Those of each layer: ``weights_0``, ``biases_0``, ``weights_1`` and so on."""
        named = {}
        for place, (weights, biases) in enumerate(self._layers):
            named[f"weights_{place}"] = weights
            named[f"biases_{place}"] = biases
        return named

    @classmethod
    def restore(cls, header: PolicyHeader, options: Mapping[str, str], arrays: Arrays) -> Self:
        """The policy that had these options and arrays."""
        layers = [
            (arrays[f"weights_{place}"], arrays[f"biases_{place}"])
            for place in range(len(arrays) // 2)
        ]
        return cls(header, layers, options["activation"], options["selection"])

    def _outputs(self, observation: Observation) -> Floats:
        *inner, (weights, biases) = self._layers
        values: Floats = observation
        for its_weights, its_biases in inner:
            values = its_weights @ values + its_biases
            values = np.tanh(values) if self.activation is Activation.TANH else values.clip(0)
        return weights @ values + biases

    def _check_shapes(self) -> None:
        size = self.header.num_features + 1
        for place, (weights, biases) in enumerate(self._layers):
            if weights.ndim != 2 or weights.shape[1] != size or biases.shape != weights.shape[:1]:
                raise ValueError(
                    f"layer {place}: expected weights (outputs, {size}) and biases (outputs,),"
                    f" got {weights.shape} and {biases.shape}"
                )
            if not (np.isfinite(weights).all() and np.isfinite(biases).all()):
                raise ValueError(f"layer {place}: expected finite numbers")
            size = len(weights)
        if not self._layers or size != self.header.num_actions:
            raise ValueError(f"expected {self.header.num_actions} outputs, got {size}")
