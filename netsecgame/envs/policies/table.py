"""Policies that look up what they have seen: the result of tabular learning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np

from netsecgame.envs.policies.saved import SavedPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from numpy.typing import NDArray

    from netsecgame.envs.policies.header import PolicyHeader
    from netsecgame.envs.policies.saved import Arrays, Mask, Observation

    #: Numbers of actions, and what each is worth, (A,) float32.
    Row: TypeAlias = tuple[NDArray[np.int32], NDArray[np.float32]]

_NO_NUMBERS = np.zeros(0, np.int32)
_NO_VALUES = np.zeros(0, np.float32)


class TablePolicy(SavedPolicy):
    """Plays the legal action of the highest value; the lowest number of several.

    A state is known by its features alone: the share of the steps that are used does not count. In
    a state it has never seen, or none of whose actions that it has tried is legal, it plays any
    legal action.
    """

    kind = "table"

    def __init__(self, header: PolicyHeader, table: Mapping[bytes, Row]) -> None:
        """Make a policy of a table.

        Args:
            header: What the table was made for.
            table: As the attribute.

        Raises:
            ValueError: If a key, a number or a pair of lengths does not fit.
        """
        super().__init__(header)
        self.table = table
        size = -(-header.num_features // 8)
        for key, (numbers, values) in table.items():
            if len(key) != size or len(numbers) != len(values):
                raise ValueError("a state's key, actions and values do not fit together")
            if len(numbers) and not 0 <= numbers.min() <= numbers.max() < header.num_actions:
                raise ValueError(f"expected actions from 0 to {header.num_actions - 1}")

    @property
    def num_states(self) -> int:
        """How many states it knows."""
        return len(self.table)

    def choose(self, observation: Observation, mask: Mask) -> int:
        """The number of a legal action; 0 if nothing is legal."""
        known = self.table.get(state_key(observation))
        if known is not None:
            numbers, values = known
            is_legal = mask[numbers]
            if is_legal.any():
                return int(numbers[is_legal][np.argmax(values[is_legal])])
        return self._any_legal(mask)

    @property
    def options(self) -> Mapping[str, str]:
        """None."""
        return {}

    @property
    def arrays(self) -> Arrays:
        """Keys (S, K) in order; where each state's actions begin, (S + 1,); numbers and values."""
        keys = sorted(self.table)
        rows = [self.table[key] for key in keys]
        size = -(-self.header.num_features // 8)
        return {
            "keys": np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), size),
            "starts": np.cumsum([0, *(len(numbers) for numbers, _ in rows)], dtype=np.int64),
            "numbers": np.concatenate([_NO_NUMBERS, *(numbers for numbers, _ in rows)]),
            "values": np.concatenate([_NO_VALUES, *(values for _, values in rows)]),
        }

    @classmethod
    def restore(cls, header: PolicyHeader, options: Mapping[str, str], arrays: Arrays) -> Self:  # noqa: ARG003
        """The policy that had these arrays."""
        keys = arrays["keys"].astype(np.uint8, casting="same_kind")
        starts = arrays["starts"].astype(np.int64, casting="same_kind")
        numbers = arrays["numbers"].astype(np.int32, casting="same_kind")
        values = arrays["values"].astype(np.float32, casting="same_kind")
        if keys.ndim != 2 or numbers.ndim != 1 or values.shape != numbers.shape:
            raise ValueError("expected keys (S, K), numbers (A,) and values (A,)")
        if starts.shape != (len(keys) + 1,) or starts[0] or starts[-1] != len(numbers):
            raise ValueError("starts does not fit to keys and numbers")
        return cls(
            header,
            {
                key.tobytes(): (numbers[first:end], values[first:end])
                for key, first, end in zip(keys, starts[:-1], starts[1:], strict=True)
            },
        )


def state_key(observation: Observation) -> bytes:
    """The features of a flat observation, (F + 1,), as bits: the first one is the lowest."""
    return np.packbits(observation[:-1] > 0.5, bitorder="little").tobytes()
