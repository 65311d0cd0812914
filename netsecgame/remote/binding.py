"""Values of a space as the tensors of a joined world."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from netsecgame.errors import InvalidActionError, ProtocolViolationError
from netsecgame.remote.codec import write_tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gymnasium import Space

    from netsecgame.remote.codec import Field, SpaceCodec


class Binding:
    """A codec, and the uid of each of its fields in one world.

    Attributes:
        space: What the values are in.
    """

    def __init__(self, codec: SpaceCodec, uids: list[int]) -> None:
        """Bind each field of a codec to the uid at its place."""
        self.space: Space[Any] = codec.space
        self._codec = codec
        self._fields = list(zip(uids, codec.fields, strict=True))

    @classmethod
    def by_name(cls, codec: SpaceCodec, offered: Mapping[int, Field]) -> Self:
        """Bind each field to the tensor of its name.

        Args:
            codec: What to bind.
            offered: The actions or observations of a world, by uid.

        Raises:
            ProtocolViolationError: If the world has no such tensor.
        """
        uids = {field.name: uid for uid, field in offered.items()}
        missing = [field.name for field in codec.fields if field.name not in uids]
        if missing:
            raise ProtocolViolationError(f"expected a tensor {missing[0]!r}, got {sorted(uids)}")
        return cls(codec, [uids[field.name] for field in codec.fields])

    def read(self, tensors: Mapping[int, Any]) -> Any:
        """The value in a server's tensors.

        Raises:
            ProtocolViolationError: If one of them is missing or of another kind.
        """
        for uid, field in self._fields:
            if uid not in tensors:
                raise ProtocolViolationError(f"expected a tensor {field.name!r} (uid {uid})")
        return self._codec.read([tensors[uid] for uid, _ in self._fields])

    def write(self, action: Any) -> dict[int, Any]:
        """An action as tensors by uid.

        Raises:
            InvalidActionError: If the space has nothing of that shape or kind.
        """
        try:
            values = self._codec.encode(action)
            return {
                uid: write_tensor(field, value)
                for (uid, field), value in zip(self._fields, values, strict=True)
            }
        except (TypeError, ValueError) as error:
            raise InvalidActionError(
                f"action {action!r}: expected one of {self.space} ({error})"
            ) from error
