from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from netsecgame.core.rng import RandomStreams, Stream, StreamRandom

if TYPE_CHECKING:
    from random import Random

STREAMS = ("start", "goal", "actions", "detection", "addresses")

FIRSTS = {
    "start": 0.334377,
    "goal": 0.400181,
    "actions": 0.317704,
    "detection": 0.965495,
    "addresses": 0.641324,
}


def draw(streams: RandomStreams, name: str) -> list[float]:
    generator = getattr(streams, name)
    return [generator.random() for _ in range(5)]


def test_random_streams_of_the_same_seed_draw_the_same() -> None:
    for name in STREAMS:
        assert draw(RandomStreams(7), name) == draw(RandomStreams(7), name)


def test_random_streams_of_different_seeds_draw_differently() -> None:
    for name in STREAMS:
        assert draw(RandomStreams(7), name) != draw(RandomStreams(8), name)


def test_random_streams_of_one_seed_differ_from_each_other() -> None:
    streams = RandomStreams(7)

    assert len({tuple(draw(streams, name)) for name in STREAMS}) == len(STREAMS)


def test_random_streams_drawing_from_one_does_not_shift_the_others() -> None:
    for drained in STREAMS:
        streams = RandomStreams(7)
        draw(streams, drained)
        for name in STREAMS:
            if name != drained:
                assert draw(streams, name) == draw(RandomStreams(7), name)


def test_random_streams_of_a_seed_keep_their_meaning_in_every_release() -> None:
    firsts = {name: round(getattr(RandomStreams(42), name).random(), 6) for name in STREAMS}

    assert firsts == FIRSTS


def test_stream_random_draws_the_published_numbers() -> None:
    # The first outputs of SplitMix64 from the state 1234567, as its test vectors have them.
    rng = StreamRandom()
    rng.word = 1_234_567

    assert [rng.next_word() for _ in range(3)] == [
        6_457_827_717_110_365_317,
        3_203_168_211_198_807_973,
        9_817_491_932_198_370_423,
    ]


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 64, 65, 128, 200])
def test_stream_random_getrandbits_uses_all_bits_and_no_more(count: int) -> None:
    rng = StreamRandom(5)
    seen = either = 0
    for _ in range(200):
        bits = rng.getrandbits(count)
        seen |= bits
        either |= ~bits

    assert seen == (1 << count) - 1
    assert either & seen == seen


def test_stream_random_of_everything_a_random_gives_comes_from_the_stream() -> None:
    def draws(rng: Random) -> list[object]:
        return [
            rng.randint(-5, 5),
            rng.randrange(1 << 70),
            rng.choice("abc"),
            rng.sample(range(100), 5),
            rng.uniform(0, 1),
            rng.gauss(),
        ]

    assert draws(StreamRandom(1)) == draws(StreamRandom(1))
    assert draws(StreamRandom(1)) != draws(StreamRandom(1, Stream.GOAL))
    assert draws(StreamRandom(1)) != draws(StreamRandom(2))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda rng: pickle.loads(pickle.dumps(rng))])
def test_stream_random_copied_goes_on_from_where_it_was(copied: Any) -> None:
    rng = StreamRandom(9, Stream.ACTIONS)
    rng.random()
    other = copied(rng)

    assert [rng.random() for _ in range(3)] == [other.random() for _ in range(3)]
