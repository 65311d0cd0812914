from __future__ import annotations

import pickle
import zipfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest

from netsecgame import AgentRole
from netsecgame.core.goal import Goal
from netsecgame.core.knowledge import KnownState
from netsecgame.envs.game import open_game
from netsecgame.envs.observations import lay_out
from netsecgame.envs.policies import (
    NetworkPolicy,
    PolicyHeader,
    PolicyPlayer,
    SavedPolicy,
    TablePolicy,
    load_policy,
    save_policy,
    state_key,
)
from netsecgame.envs.rounds import Rounds, Seat
from netsecgame.errors import PolicyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from netsecgame.envs.policies.saved import Arrays

ATTACKER, DEFENDER = AgentRole.Attacker, AgentRole.Defender
SMALL = open_game("two_networks_small")
LAYOUT = lay_out(SMALL, ATTACKER, has_others=False)
NUM_ACTIONS = SMALL.action_index(ATTACKER).size
HEADER = PolicyHeader.of(SMALL, ATTACKER, "mine", "two_networks_small", training={"steps": 3})


def make_observation(*features: int, share: float = 0.25) -> NDArray[np.float32]:
    observation = np.zeros(LAYOUT.num_features + 1, np.float32)
    observation[list(features)] = 1
    observation[-1] = share
    return observation


def make_mask(*legal: int) -> NDArray[np.bool_]:
    mask = np.zeros(NUM_ACTIONS, np.bool_)
    mask[list(legal)] = True
    return mask


def make_table(rows: dict[tuple[int, ...], dict[int, float]]) -> TablePolicy:
    """A policy that knows states of these features, and values of actions in them."""
    return TablePolicy(
        HEADER,
        {
            state_key(make_observation(*features)): (
                np.array(list(values), np.int32),
                np.array(list(values.values()), np.float32),
            )
            for features, values in rows.items()
        },
    )


def make_network(activation: str = "tanh", selection: str = "argmax") -> NetworkPolicy:
    generator = np.random.default_rng(2)
    sizes = [LAYOUT.num_features + 1, 7, 5, NUM_ACTIONS]
    layers = [
        (generator.normal(size=(end, start)), generator.normal(size=end))
        for start, end in pairwise(sizes)
    ]
    return NetworkPolicy(HEADER, layers, activation, selection)


def begin(policy: SavedPolicy, seed: int | None) -> None:
    state = Rounds(SMALL, [Seat("attacker_0", ATTACKER)], 1).reset()["attacker_0"]
    policy.begin(state, Goal(state), seed)


def observe(count: int) -> list[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Observations and masks drawn by chance."""
    generator = np.random.default_rng(3)
    return [
        (
            make_observation(*generator.integers(LAYOUT.num_features, size=9)),
            make_mask(*generator.integers(NUM_ACTIONS, size=30)),
        )
        for _ in range(count)
    ]


# --- tables ---------------------------------------------------------------------------------------


def test_table_known_state_plays_the_best_legal_action() -> None:
    policy = make_table({(1, 2): {4: 1.0, 9: 3.0, 6: 2.0, 5: 2.0}})

    assert policy.choose(make_observation(1, 2), make_mask(4, 5, 6, 9)) == 9
    assert policy.choose(make_observation(1, 2), make_mask(4, 5, 6)) == 6  # the first of two
    assert policy.choose(make_observation(1, 2, share=0.9), make_mask(4, 9)) == 9


@pytest.mark.parametrize("features", [(1, 2, 3), (1, 2)], ids=["unknown state", "untried actions"])
def test_table_that_does_not_help_plays_any_legal_action(features: tuple[int, ...]) -> None:
    policy = make_table({(1, 2): {4: 1.0}})
    mask = make_mask(7, 8, 9)

    played = Counter(policy.choose(make_observation(*features), mask) for _ in range(300))

    assert played.keys() == {7, 8, 9}
    assert min(played.values()) > 60


@pytest.mark.parametrize("policy", [make_table({}), make_network(), make_network("relu", "sample")])
def test_policy_nothing_legal_plays_0(policy: SavedPolicy) -> None:
    assert policy.choose(make_observation(1), make_mask()) == 0


@pytest.mark.parametrize("policy", [make_table({}), make_network(selection="sample")])
def test_policy_same_seed_makes_the_same_choices(policy: SavedPolicy) -> None:
    def play(seed: int | None) -> list[int]:
        begin(policy, seed)
        return [policy.choose(observation, mask) for observation, mask in observe(20)]

    first = play(0)

    assert play(None) != first  # it goes on
    assert play(1) != first
    assert play(0) == first


@pytest.mark.parametrize(
    ("key", "numbers", "values"),
    [
        (b"short", [1], [1.0]),
        (state_key(make_observation(1)), [1, 2], [1.0]),
        (state_key(make_observation(1)), [-1], [1.0]),
        (state_key(make_observation(1)), [NUM_ACTIONS], [1.0]),
    ],
)
def test_table_that_does_not_fit_raises(
    key: bytes, numbers: list[int], values: list[float]
) -> None:
    with pytest.raises(ValueError, match=r"do not fit|expected actions"):
        TablePolicy(HEADER, {key: (np.array(numbers, np.int32), np.array(values, np.float32))})


# --- networks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_network_argmax_plays_the_legal_action_of_the_highest_output(activation: str) -> None:
    policy = make_network(activation)
    arrays = policy.arrays
    played = set()
    for observation, mask in observe(20):
        values = observation
        for place in range(2):
            values = arrays[f"weights_{place}"] @ values + arrays[f"biases_{place}"]
            values = np.tanh(values) if activation == "tanh" else np.maximum(values, 0)
        outputs = arrays["weights_2"] @ values + arrays["biases_2"]

        number = policy.choose(observation, mask)

        assert number == max(np.flatnonzero(mask), key=outputs.__getitem__)
        played.add(number)
    assert len(played) > 5


def test_network_sample_follows_the_softmax_of_what_is_legal() -> None:
    weights = np.zeros((NUM_ACTIONS, LAYOUT.num_features + 1))
    biases = np.full(NUM_ACTIONS, 1_000.0)
    biases[[3, 5]] = np.log([1.0, 3.0])
    policy = NetworkPolicy(HEADER, [(weights, biases)], selection="sample")

    played = Counter(policy.choose(make_observation(), make_mask(3, 5)) for _ in range(4_000))

    assert played.keys() == {3, 5}
    assert played[5] / 4_000 == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([], "outputs"),
        ([(NUM_ACTIONS, LAYOUT.num_features)], "layer 0: expected weights"),
        ([(5, LAYOUT.num_features + 1), (NUM_ACTIONS, 4)], "layer 1: expected weights"),
        ([(5, LAYOUT.num_features + 1)], f"expected {NUM_ACTIONS} outputs, got 5"),
    ],
)
def test_network_that_does_not_fit_raises(shapes: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NetworkPolicy(HEADER, [(np.zeros(shape), np.zeros(shape[0])) for shape in shapes])


def test_network_numbers_that_are_not_finite_raise() -> None:
    weights = np.full((NUM_ACTIONS, LAYOUT.num_features + 1), np.nan)

    with pytest.raises(ValueError, match="finite"):
        NetworkPolicy(HEADER, [(weights, np.zeros(NUM_ACTIONS))])


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "policy",
    [
        make_table({}),
        make_table({(1, 2): {4: 1.0, 9: 3.0}, (5,): {0: -2.5}, (1,): {NUM_ACTIONS - 1: 0.0}}),
        make_network("tanh", "sample"),
        make_network("relu", "argmax"),
    ],
    ids=["empty table", "table", "tanh network", "relu network"],
)
def test_load_policy_what_was_saved_plays_the_same(policy: SavedPolicy, tmp_path: Path) -> None:
    path, again = tmp_path / "policy.npz", tmp_path / "again.npz"
    save_policy(policy, path)

    loaded = load_policy(path)

    assert type(loaded) is type(policy)
    assert loaded.header == policy.header
    assert loaded.role is ATTACKER
    begin(policy, 1)
    begin(loaded, 1)
    seen = [(make_observation(1, 2), make_mask(4, 9)), *observe(20)]
    assert [loaded.choose(*pair) for pair in seen] == [policy.choose(*pair) for pair in seen]
    save_policy(loaded, again)
    assert again.read_bytes() == path.read_bytes()


def test_save_policy_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    class Broken(TablePolicy):
        @property
        def arrays(self) -> Arrays:
            return {"keys": np.zeros(9), "objects": np.array([object()])}

    path = tmp_path / "policy.npz"
    save_policy(make_table({(1,): {2: 3.0}}), path)
    before = path.read_bytes()

    with pytest.raises(ValueError, match="allow_pickle"):
        save_policy(Broken(HEADER, {}), path)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_save_policy_who_reads_the_old_file_reads_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "policy.npz"
    save_policy(make_network(), path)
    before = path.read_bytes()

    with path.open("rb") as old:
        save_policy(make_table({(1,): {2: 3.0}}), path)
        assert old.read() == before

    assert isinstance(load_policy(path), TablePolicy)


def _write(path: Path, **arrays: Any) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, **arrays)


def _change_header(path: Path, **changes: Any) -> None:
    """Write a policy whose header says something else."""
    save_policy(make_table({(1,): {2: 3.0}}), path)
    with np.load(path) as file:
        arrays = dict(file)
    header = {**msgspec.json.decode(arrays["header"].tobytes()), **changes}
    arrays["header"] = np.frombuffer(msgspec.json.encode(header), np.uint8)
    _write(path, **arrays)


def _change_arrays(path: Path, **changes: Any) -> None:
    save_policy(make_table({(1,): {2: 3.0}}), path)
    with np.load(path) as file:
        arrays = {**dict(file), **changes}
    _write(path, **{name: array for name, array in arrays.items() if array is not None})


def _truncate(path: Path) -> None:
    save_policy(make_network(), path)
    path.write_bytes(path.read_bytes()[:-100])


def _flip_bits(path: Path) -> None:
    save_policy(make_network(), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(bytes(content))


def _write_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def _write_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "a")


def _write_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", bytes(1_000))
    content = path.read_bytes()
    # The directory says that the member is as long as a member can be.
    place = content.index(b"PK\x01\x02") + 24
    path.write_bytes(content[:place] + b"\xfe\xff\xff\xff" + content[place + 4 :])


def _no_header(path: Path) -> None:
    _write(path, keys=np.zeros(3))


OTHER_FILES: dict[str, Callable[[Path], object]] = {
    "absent": lambda path: None,
    "a folder": Path.mkdir,
    "empty": Path.touch,
    "text": lambda path: path.write_text("policy: mine"),
    "damaged array": lambda path: path.write_bytes(b"\x93NUMPY" + bytes(100)),
    "one whole array": _write_array,
    "a zip of something else": _write_zip,
    "no header": _no_header,
    "truncated": _truncate,
    "flipped bits": _flip_bits,
    "a header that is no text": lambda path: _write(path, header=np.zeros((2, 2))),
    "objects": lambda path: _write(path, header=np.array([{}])),
    "another format": lambda path: _change_header(path, format="other"),
    "a later version": lambda path: _change_header(path, version=2),
    "an unknown kind": lambda path: _change_header(path, kind="tree"),
    "the wrong kind": lambda path: _change_header(path, kind="network"),
    "no role": lambda path: _change_header(
        path, made_for={**msgspec.to_builtins(HEADER), "role": "Nobody"}
    ),
    "no actions": lambda path: _change_header(
        path, made_for={**msgspec.to_builtins(HEADER), "num_actions": 0}
    ),
    "no keys": lambda path: _change_arrays(path, keys=None),
    "flat keys": lambda path: _change_arrays(path, keys=np.zeros(30, np.uint8)),
    "text for values": lambda path: _change_arrays(path, values=np.array(["a"])),
    "floats for actions": lambda path: _change_arrays(path, numbers=np.array([1.5])),
    "actions in rows": lambda path: _change_arrays(
        path, numbers=np.zeros((1, 1), np.int32), values=np.zeros((1, 1), np.float32)
    ),
    "starts that go on": lambda path: _change_arrays(path, starts=np.array([0, 7])),
    "no starts": lambda path: _change_arrays(path, starts=np.int64(0)),
}


@pytest.mark.parametrize("make", OTHER_FILES.values(), ids=OTHER_FILES)
def test_load_policy_other_file_raises(make: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "policy.npz"
    make(path)

    with pytest.raises(PolicyError) as raised:
        load_policy(path)

    assert str(raised.value).startswith(str(path))
    assert len(str(raised.value)) < len(str(path)) + 200


def test_load_policy_longer_than_allowed_raises_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "policy.npz"
    _write_bomb(path)

    with pytest.raises(PolicyError, match="expected at most 1073741824 bytes, got 4294967294"):
        load_policy(path)


class _Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("as_array", [False, True])
def test_load_policy_code_in_a_file_is_not_run(as_array: bool, tmp_path: Path) -> None:
    path, touched = tmp_path / "policy.npz", tmp_path / "touched"
    if as_array:
        _write(path, header=np.array([_Touch(touched)], object))
    else:
        path.write_bytes(pickle.dumps(_Touch(touched)))

    with pytest.raises(PolicyError):
        load_policy(path)

    assert not touched.exists()


# --- what a policy was made for -------------------------------------------------------------------


def test_check_game_of_the_same_network_passes() -> None:
    make_table({}).check(open_game("two_networks_small_dynamic"))


@pytest.mark.parametrize("task", ["two_networks_tiny", "two_networks", "three_net_scenario"])
def test_check_other_network_raises(task: str) -> None:
    with pytest.raises(PolicyError, match="'mine' was made for 'two_networks_small'"):
        make_table({}).check(open_game(task))


def test_check_role_that_the_task_lacks_raises() -> None:
    defended = open_game("two_networks_defended")
    header = PolicyHeader.of(defended, DEFENDER, "mine", "two_networks_defended")

    TablePolicy(header, {}).check(defended)
    with pytest.raises(PolicyError, match="plays Defender"):
        TablePolicy(header, {}).check(SMALL)


def test_check_same_size_other_meaning_raises() -> None:
    header = msgspec.structs.replace(HEADER, layout_hash="0" * 64)

    with pytest.raises(PolicyError, match="or they mean something else"):
        TablePolicy(header, {}).check(SMALL)


# --- playing --------------------------------------------------------------------------------------


class _Recorder(TablePolicy):
    """Notes what it is shown, and plays any legal action."""

    def __init__(self, header: PolicyHeader) -> None:
        super().__init__(header, {})
        self.seen: list[tuple[NDArray[np.float32], NDArray[np.bool_]]] = []

    def choose(self, observation: NDArray[np.float32], mask: NDArray[np.bool_]) -> int:
        self.seen.append((observation, mask))
        return super().choose(observation, mask)


def test_player_shows_what_an_environment_would() -> None:
    from netsecgame.envs import NetSecGameEnv  # noqa: PLC0415

    env = NetSecGameEnv("two_networks_small")
    policy = _Recorder(HEADER)
    player = PolicyPlayer(policy, SMALL)
    for seed in (1, 2):
        observation, info = env.reset(seed=seed)
        player.begin(env.state, env.goal, seed)
        has_ended = False
        while not has_ended:
            number = player.act(env.state)
            assert np.array_equal(policy.seen[-1][0], observation)
            assert np.array_equal(policy.seen[-1][1], info["action_mask"])
            assert info["action_mask"][number]
            observation, _, terminated, truncated, info = env.step(number)
            has_ended = terminated or truncated


def test_player_policy_that_was_trained_alone_does_not_see_blocks() -> None:
    defended = open_game("two_networks_defended")
    header = PolicyHeader.of(defended, ATTACKER, "mine", "two_networks_defended")
    policy = _Recorder(header)
    player = PolicyPlayer(policy, defended)
    rounds = Rounds(defended, [Seat("attacker_0", ATTACKER)], 1)
    state = rounds.reset()["attacker_0"]
    host = next(i for i in range(64) if state.knowledge.controlled >> i & 1)
    blocked = KnownState(state.knowledge._replace(blocks={host: 0b10}), state.labels)

    player.act(state)
    player.act(blocked)

    (before, _), (after, _) = policy.seen
    assert np.array_equal(before[:-1], after[:-1])
    with_others = PolicyHeader.of(defended, ATTACKER, "", "", has_others=True)
    seeing = _Recorder(with_others)
    player = PolicyPlayer(seeing, defended)
    player.act(state)
    player.act(blocked)
    (before, _), (after, _) = seeing.seen
    assert (before[:-1] != after[:-1]).sum() == 1


def test_player_policy_for_another_task_raises() -> None:
    with pytest.raises(PolicyError):
        PolicyPlayer(make_table({}), open_game("two_networks_tiny"))
