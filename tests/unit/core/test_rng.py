from __future__ import annotations

from netsecgame.core.rng import RandomStreams

STREAMS = ("start", "goal", "actions", "detection", "addresses")


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

    assert firsts == {
        "start": 0.078635,
        "goal": 0.824936,
        "actions": 0.416485,
        "detection": 0.964406,
        "addresses": 0.620576,
    }
