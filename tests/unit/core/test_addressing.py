from __future__ import annotations

from itertools import combinations
from random import Random

import pytest

from netsecgame.core import addressing
from netsecgame.core.addressing import Labels, draw_labels
from netsecgame.core.bits import mask_of
from netsecgame.core.scenario import Host, Scenario
from netsecgame.core.topology import Topology, compile_scenario
from netsecgame.game_components import IP, Network
from netsecgame.scenarios import list_scenarios, load_scenario
from tests.unit.core.office import (
    CLIENTS,
    DB,
    EVERYWHERE,
    INTERNET_IP,
    LAPTOP,
    NOWHERE,
    OUTSIDE,
    OUTSIDE_NET,
    PC,
    SERVERS,
    WEB,
    interfaces,
    office_topology,
)

SEEDS = range(30)


def network(text: str) -> Network:
    address, _, mask = text.partition("/")
    return Network(address, int(mask))


def compile_networks(*texts: str) -> Topology:
    """A topology of these networks, which end in 0, with a host at offset 1 in each."""
    hosts = (
        Host(text, interfaces(network(text), IP(network(text).ip.removesuffix("0") + "1")))
        for text in texts
    )
    return compile_scenario(Scenario("networks", tuple(hosts)))


def first_value(net: Network) -> int:
    return IP(net.ip).value


def span(net: Network) -> tuple[int, int]:
    first = first_value(net)
    return first, first + 2 ** (32 - net.mask) - 1


# --- Labels ---------------------------------------------------------------------------------------


def test_labels_find_what_there_is_and_nothing_else() -> None:
    topology = office_topology()
    labels = Labels.original(topology)

    assert [labels.find_address(ip) for ip in topology.addresses] == list(range(7))
    assert [labels.find_network(net) for net in topology.networks] == list(range(5))
    assert labels.find_address(INTERNET_IP) == -1
    assert labels.find_network(network("192.168.0.0/16")) == -1


def test_addresses_inside_a_network_of_any_mask_are_found_by_number() -> None:
    labels = Labels.original(office_topology())

    def inside(text: str) -> set[IP]:
        mask = labels.addresses_inside(network(text))
        return {ip for i, ip in enumerate(labels.addresses) if mask >> i & 1}

    assert inside("192.168.1.2/31") == {WEB, DB}
    assert inside("192.168.2.0/24") == inside("192.168.2.0/24") == {PC, LAPTOP, IP("192.168.2.1")}
    assert inside("0.0.0.0/0") == set(EVERYWHERE)
    assert inside("10.0.0.0/8") == set()


def test_addresses_inside_leaves_outsiders_out() -> None:
    labels = Labels.original(office_topology())
    labels.admit_outsider(NOWHERE)

    assert labels.addresses_inside(network("10.0.0.0/8")) == 0
    assert labels.addresses_inside(network("0.0.0.0/0")) == mask_of(range(len(EVERYWHERE)))


def test_admit_outsider_gives_each_address_one_index() -> None:
    labels = Labels.original(office_topology())

    index = labels.admit_outsider(NOWHERE)

    assert index == len(EVERYWHERE)
    assert labels.admit_outsider(NOWHERE) == labels.find_address(NOWHERE) == index
    assert labels.addresses[index] == NOWHERE
    assert labels.admit_outsider(PC) == labels.find_address(PC)


def test_admit_outsider_beyond_the_cap_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addressing, "MAX_OUTSIDERS", 1)
    labels = Labels.original(office_topology())
    first = labels.admit_outsider(IP("10.9.9.1"))

    assert labels.admit_outsider(IP("10.9.9.2")) == -1
    assert labels.admit_outsider(IP("10.9.9.1")) == first
    assert labels.find_address(IP("10.9.9.2")) == -1


# --- translate ------------------------------------------------------------------------------------

TRANSLATED = {
    "Go to 192.168.1.2 now": "Go to 10.0.5.2 now",
    "192.168.1.2": "10.0.5.2",
    "Exfiltrate it to 213.47.23.195.": "Exfiltrate it to 1.2.3.3.",
    "(192.168.1.2, 192.168.2.2)!": "(10.0.5.2, 10.0.6.2)!",
    "Find 192.168.1.0/24.": "Find 10.0.5.0/24.",
    "Look from 192.168.1.3/24 on": "Look from 10.0.5.3/24 on",
    "see http://192.168.1.2/index": "see http://10.0.5.2/index",
    "192.168.2.2:22": "10.0.6.2:22",
    # What the scenario does not have stays as it is.
    "192.168.1.20 and 92.168.1.2": "192.168.1.20 and 92.168.1.2",
    "192.168.1.2.7, 7.192.168.1.2": "192.168.1.2.7, 7.192.168.1.2",
    "192.168.1.200 1192.168.1.2": "192.168.1.200 1192.168.1.2",
    "999.168.1.2 999.168.1.0/24 192.168.001.2": "999.168.1.2 999.168.1.0/24 192.168.001.2",
    "192.168.0.0/16 192.168.1.0/25 192.168.1.0": "192.168.0.0/16 192.168.1.0/25 192.168.1.0",
    "10.9.9.9 is nowhere": "10.9.9.9 is nowhere",
    "": "",
}


@pytest.mark.parametrize(("text", "translated"), TRANSLATED.items())
def test_translate_replaces_the_scenario_s_addresses_and_networks(
    text: str, translated: str
) -> None:
    topology = office_topology()
    moved = {
        "192.168.1": "10.0.5",
        "192.168.2": "10.0.6",
        "192.168.0": "10.0.4",
        "192.168.3": "10.0.7",
    }

    def move(address: str) -> str:
        base, _, offset = address.rpartition(".")
        return f"{moved[base]}.{offset}" if base in moved else f"1.2.3.{int(offset) - 192}"

    labels = Labels(
        topology,
        [IP(move(str(ip))) for ip in topology.addresses],
        [Network(move(net.ip), net.mask) for net in topology.networks],
    )

    assert labels.translate(text) == translated


def test_translate_with_the_original_labels_changes_nothing() -> None:
    labels = Labels.original(office_topology())

    for text in TRANSLATED:
        assert labels.translate(text) == text


# --- draw_labels ----------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", list_scenarios())
def test_draw_labels_keeps_offsets_masks_and_who_is_private(scenario: str) -> None:
    topology = compile_scenario(load_scenario(scenario))

    for seed in SEEDS:
        labels = draw_labels(topology, Random(seed))
        for old, new in zip(topology.networks, labels.networks, strict=True):
            assert new.mask == old.mask
            assert new.is_private() == old.is_private()
            assert new != old
            assert first_value(new) % 2 ** (32 - new.mask) == 0
        for index, ip in enumerate(topology.addresses):
            own = topology.network_of[index]
            offset = ip.value - first_value(topology.networks[own])
            assert labels.addresses[index].value == first_value(labels.networks[own]) + offset


@pytest.mark.parametrize("scenario", list_scenarios())
def test_draw_labels_keeps_distances_between_private_networks(scenario: str) -> None:
    topology = compile_scenario(load_scenario(scenario))

    for seed in SEEDS:
        labels = draw_labels(topology, Random(seed))
        shifts = {
            first_value(new) - first_value(old)
            for old, new in zip(topology.networks, labels.networks, strict=True)
            if old.is_private()
        }
        assert len(shifts) == 1


@pytest.mark.parametrize("seed", SEEDS[:8])
def test_draw_labels_of_several_blocks_and_sizes_never_overlaps(seed: int) -> None:
    topology = compile_networks(
        "10.0.0.0/24",
        "10.200.0.0/16",
        "172.16.3.0/24",
        "192.168.0.0/17",
        "192.168.200.0/30",
        "8.8.0.0/16",
        "9.9.9.0/24",
        "9.9.10.0/24",
        "169.254.7.0/24",
    )

    labels = draw_labels(topology, Random(seed))

    scenario_networks = [
        new for i, new in enumerate(labels.networks) if topology.scenario_networks >> i & 1
    ]
    for one, other in combinations(map(span, scenario_networks), 2):
        assert one[1] < other[0] or other[1] < one[0]
    by_block = [labels.networks[topology.network_index[network(text)]] for text in (
        "10.0.0.0/24", "10.200.0.0/16", "192.168.0.0/17", "192.168.200.0/30"
    )]  # fmt: skip
    assert first_value(by_block[1]) - first_value(by_block[0]) == 200 << 16
    assert first_value(by_block[3]) - first_value(by_block[2]) == 200 << 8
    assert all(net.is_private() for net in by_block)


def test_draw_labels_gives_public_networks_new_public_places_of_their_own() -> None:
    topology = compile_networks("8.8.8.0/24", "9.9.9.0/24")

    drawn = {draw_labels(topology, Random(seed)).networks for seed in SEEDS}

    assert len(drawn) == len(SEEDS)
    for networks in drawn:
        assert not any(net.is_private() for net in networks)
        assert 1 <= int(networks[0].ip.partition(".")[0]) <= 223


@pytest.mark.parametrize("seed", SEEDS[:8])
def test_draw_labels_moves_a_network_inside_another_one_with_it(seed: int) -> None:
    around = [network("213.47.0.0/16"), network("192.168.0.0/16"), network("213.47.23.192/27")]
    topology = office_topology(extra_networks=around)

    labels = draw_labels(topology, Random(seed))

    moved = dict(zip(topology.networks, labels.networks, strict=True))
    for outer, inner in (
        (around[0], OUTSIDE_NET),
        (OUTSIDE_NET, around[2]),
        (around[1], SERVERS),
        (around[1], CLIENTS),
    ):
        kept = first_value(inner) - first_value(outer)
        assert first_value(moved[inner]) - first_value(moved[outer]) == kept
    assert labels.addresses[topology.address_index[OUTSIDE]] in moved[around[0]]


def test_draw_labels_of_a_public_network_never_hits_a_private_range() -> None:
    topology = compile_networks("8.0.0.0/8")

    for seed in range(600):
        (drawn,) = draw_labels(topology, Random(seed)).networks
        assert drawn.ip.partition(".")[0] not in ("8", "10", "127")


def test_draw_labels_with_little_room_still_moves_every_network() -> None:
    topology = compile_networks("172.20.0.0/14")

    drawn = {draw_labels(topology, Random(seed)).networks[0] for seed in range(100)}

    assert network("172.20.0.0/14") not in drawn
    assert network("172.24.0.0/14") in drawn
    assert all(net.is_private() for net in drawn)


def test_draw_labels_with_the_same_generator_draws_the_same() -> None:
    topology = office_topology()

    one, other = draw_labels(topology, Random(5)), draw_labels(topology, Random(5))

    assert (one.addresses, one.networks) == (other.addresses, other.networks)
    assert one.addresses != draw_labels(topology, Random(6)).addresses


def test_draw_labels_leaves_networks_where_no_other_place_is_big_enough() -> None:
    whole_block = Scenario("whole", (Host("a", interfaces(network("10.0.0.0/8"), IP("10.0.0.1"))),))
    topology = compile_scenario(whole_block)

    assert draw_labels(topology, Random(1)).networks == topology.networks
