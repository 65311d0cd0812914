"""How a process that does nothing but serve looks for garbage."""

from __future__ import annotations

import gc

#: New objects between two looks; Python's own 700 are for programs that know nothing of themselves.
_THRESHOLD = 10_000


def collect_seldom() -> None:
    """Never look again at what there is now, and less often at the rest.

    Games leave hardly any cycles behind. With a task loaded there are some 40,000 objects that
    live as long as the process; to look at all of them holds every game up for 20 ms or more.
    """
    gc.freeze()
    gc.set_threshold(_THRESHOLD)
