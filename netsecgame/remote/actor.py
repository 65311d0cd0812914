"""Who acts in a world: tensors of a request become the action that an environment takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netsecgame.errors import InvalidActionError, ProtocolViolationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netsecgame.remote.codec import SpaceCodec


class Actor:
    """Who acts: the one agent of an environment, or one of several.

    Args:
        codec: Its actions as tensors.
        uids: Of the codec's fields.
        check: Whether its actions must be in their space.
    """

    def __init__(self, codec: SpaceCodec, uids: Sequence[int], *, check: bool) -> None:
        self._codec = codec
        self._check = check
        self.uids = tuple(uids)
        self._named = f"action uid{'s' * (len(self.uids) != 1)} {', '.join(map(str, self.uids))}"

    def is_in(self, tensors: Mapping[int, Any]) -> bool:
        """Whether any part of its action was sent."""
        return any(uid in tensors for uid in self.uids)

    def read(self, tensors: Mapping[int, Any]) -> Any:
        """The action as the environment takes it.

        Raises:
            ProtocolViolationError: If a tensor is missing or of another dtype or shape.
            InvalidActionError: If the action is outside its space.
        """
        for uid, field in zip(self.uids, self._codec.fields, strict=True):
            if uid not in tensors:
                raise ProtocolViolationError(f"action uid {uid} ({field.name}) is missing")
        try:
            return self._codec.read([tensors[uid] for uid in self.uids], check=self._check)
        except (ProtocolViolationError, InvalidActionError) as error:
            raise type(error)(f"{self._named}: {error}") from None
