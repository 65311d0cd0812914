"""Arguments of the environments of a client."""

from __future__ import annotations

import warnings
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from netsecgame.errors import suggest_nearest
from netsecgame.remote.options import ClientOptions, load_client_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def read_options(extra: Sequence[Any], keywords: Mapping[str, Any]) -> ClientOptions:
    """The options among the arguments; the others are ignored with one warning.

    Raises:
        RemoteConfigError: If the value of an option makes no sense.
    """
    known = {each.name for each in fields(ClientOptions)}
    options = {name: value for name, value in keywords.items() if name in known}
    ignored = [repr(value) for value in extra]
    ignored += [f"{name}{suggest_nearest(name, known)}" for name in keywords if name not in known]
    if ignored:
        warnings.warn(f"unknown arguments are ignored: {', '.join(ignored)}", stacklevel=3)
    return load_client_options(options)
