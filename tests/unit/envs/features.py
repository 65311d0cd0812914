"""What flat observations say, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netsecgame.game_components import GameState


def names_of(state: GameState) -> set[str]:
    """The features that a state has."""
    return {
        *(f"known_networks {network}" for network in state.known_networks),
        *(f"known_hosts {host}" for host in state.known_hosts),
        *(f"controlled_hosts {host}" for host in state.controlled_hosts),
        *(
            f"known_services {host} {service.name} {service.version} {service.type}"
            for host, services in state.known_services.items()
            for service in services
        ),
        *(
            f"known_data {host} {datum.owner} {datum.id}"
            for host, data in state.known_data.items()
            for datum in data
        ),
        *(
            f"known_blocks {host} {other}"
            for host, others in state.known_blocks.items()
            for other in others
        ),
    }
