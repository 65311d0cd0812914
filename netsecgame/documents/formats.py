"""What text in a document may be checked for, by its schema's `format`."""

from __future__ import annotations

import ipaddress
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def is_ipv4(value: object) -> bool:
    """Whether text is an address such as ``192.168.1.2``; True for anything but text."""
    if isinstance(value, str):
        try:
            ipaddress.IPv4Address(value)
        except ValueError:
            return False
    return True


def is_ipv4_network(value: object) -> bool:
    """Whether text is a network such as ``192.168.1.0/24``; True for anything but text.

    Raises:
        ValueError: If it would be one, but for bits set to the right of the mask.
    """
    if not isinstance(value, str):
        return True
    address, _, mask = value.partition("/")
    if not (is_ipv4(address) and mask.isascii() and mask.isdigit() and int(mask) <= 32):
        return False
    network = ipaddress.IPv4Network((address, int(mask)), strict=False)
    if str(network) != value:
        raise ValueError(f"the network around that address is {network}")
    return True


#: The formats by name; `ipv4` is a standard one.
FORMATS: Mapping[str, Callable[[object], bool]] = MappingProxyType(
    {"ipv4": is_ipv4, "ipv4-network": is_ipv4_network}
)
