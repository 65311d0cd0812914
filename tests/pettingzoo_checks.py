"""PettingZoo's own checkers, wherever what they build on is."""

import warnings

with warnings.catch_warnings():
    # They import games of PettingZoo, where pygame is, in a way that it deprecates itself.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pettingzoo.test import (
        api_test,
        max_cycles_test,
        parallel_api_test,
        render_test,
        seed_test,
    )

__all__ = ["api_test", "max_cycles_test", "parallel_api_test", "render_test", "seed_test"]
