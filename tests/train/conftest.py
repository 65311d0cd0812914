"""Tests of learning and of clusters: run by `make test-train`, in one environment for each learner.

In others, what is not installed is not tested.
"""

from __future__ import annotations

from importlib.util import find_spec

_NEEDED_BY = {
    "test_cluster.py": ("ray",),
    "test_learning.py": ("stable_baselines3",),
    "test_ppo.py": ("stable_baselines3",),
    "test_rllib.py": ("ray", "torch"),
    "test_training_page.py": ("stable_baselines3",),
}

collect_ignore = [name for name, needed in _NEEDED_BY.items() if not all(map(find_spec, needed))]
