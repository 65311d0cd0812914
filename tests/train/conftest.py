"""Tests of learning: run by `make test-train`, in an environment that has the extra `train`."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]
