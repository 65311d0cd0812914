"""Spaces and their values as tensors."""

from __future__ import annotations

from netsecgame.remote.extended_codec import extended_codec
from netsecgame.remote.fields import Field, field_spec, read_spec, read_tensor, write_tensor
from netsecgame.remote.plain_codec import (
    plain_codec,
    plain_spec_codec,
    space_of_plain,
    spaces_of_plain,
)
from netsecgame.remote.space_codec import SpaceCodec

__all__ = [
    "Field",
    "SpaceCodec",
    "extended_codec",
    "field_spec",
    "plain_codec",
    "plain_spec_codec",
    "read_spec",
    "read_tensor",
    "space_of_plain",
    "spaces_of_plain",
    "write_tensor",
]
