from __future__ import annotations

import gc
import threading
import weakref

from netsecgame.remote.deadlines import Deadline

#: Longer than any of these tests takes.
_LONG_S = 1000.0


class _Waiting:
    """What has a deadline."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.ends = 0
        self.deadline = Deadline(self._end)

    def _end(self) -> None:
        self.ends += 1
        self.ended.set()


def test_deadline_that_passes_ends_what_waits_once() -> None:
    waiting = _Waiting()
    waiting.deadline.set(0.01)
    assert waiting.ended.wait(_LONG_S)
    assert waiting.deadline.is_over
    assert waiting.ends == 1


def test_deadline_that_is_lifted_ends_nothing() -> None:
    lifted, other = _Waiting(), _Waiting()
    lifted.deadline.set(0.01)
    lifted.deadline.lift()
    other.deadline.set(0.05)  # is looked at later
    assert other.ended.wait(_LONG_S)
    assert not lifted.deadline.is_over
    assert lifted.ends == 0


def test_deadline_set_again_counts_from_then() -> None:
    waiting, other = _Waiting(), _Waiting()
    waiting.deadline.set(0.01)
    waiting.deadline.set(_LONG_S)
    other.deadline.set(0.05)
    assert other.ended.wait(_LONG_S)
    assert not waiting.deadline.is_over


def test_deadline_earlier_than_the_one_before_counts() -> None:
    waiting = _Waiting()
    waiting.deadline.set(_LONG_S)
    waiting.deadline.lift()
    waiting.deadline.set(0.01)
    assert waiting.ended.wait(_LONG_S)


def test_deadline_looked_at_too_early_is_looked_at_again() -> None:
    waiting = _Waiting()
    waiting.deadline.set(0.01)
    waiting.deadline.set(0.05)
    assert waiting.ended.wait(_LONG_S)
    assert waiting.ends == 1


def test_deadlines_of_many_end_each_for_itself() -> None:
    many = [_Waiting() for _ in range(50)]
    for number, waiting in enumerate(many):
        waiting.deadline.set(0.001 * (number % 7 + 1) if number % 2 else _LONG_S)
    for number, waiting in enumerate(many):
        if number % 2:
            assert waiting.ended.wait(_LONG_S)
    assert [waiting.ends for waiting in many] == [number % 2 for number in range(50)]


def test_deadline_that_was_looked_at_is_forgotten() -> None:
    waiting = _Waiting()
    waiting.deadline.set(0.01)
    assert waiting.ended.wait(_LONG_S)
    other = _Waiting()
    other.deadline.set(0.01)
    assert other.ended.wait(_LONG_S)  # so the watch is through with the first
    gone = weakref.ref(waiting)
    del waiting
    gc.collect()
    assert gone() is None
