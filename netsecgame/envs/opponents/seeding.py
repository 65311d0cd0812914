"""Random choices of opponents: from the seed of the game, but others for each of them."""

from __future__ import annotations

from netsecgame.core.rng import Stream, first_word, mix
from netsecgame.game_components import AgentRole

_ROLES = list(AgentRole)
_SEATS_BITS = 32


def opponent_seed(seed: int, role: AgentRole, seat: int) -> int:
    """The seed of one opponent, who draws from its stream `Stream.DEFENDER`.

    The first defender has that of the game, as it has in the batched world.

    Args:
        seed: Of the game.
        role: What the opponent plays.
        seat: Which agent of this role it is, from 0.
    """
    if role is AgentRole.Defender and seat == 0:
        return seed
    place = _ROLES.index(role) << _SEATS_BITS | seat
    return mix(first_word(seed, Stream.DEFENDER) ^ place)
