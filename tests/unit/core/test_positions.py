from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from netsecgame.core.addressing import Labels
from netsecgame.core.bits import iter_bits, mask_of
from netsecgame.core.knowledge import Knowledge
from netsecgame.core.positions import (
    draw_position,
    named_networks,
    named_services,
    start_knowledge,
)
from netsecgame.core.task import Position, Word
from netsecgame.core.topology import compile_scenario
from netsecgame.errors import TaskError
from netsecgame.game_components import IP, Data, Network, Service
from tests.unit.core.office import (
    ABOVE,
    BACKUP,
    BASH,
    BELOW,
    CLIENTS,
    DB,
    EVERYWHERE,
    GATEWAY,
    GATEWAY_2,
    HTTP,
    INSIDE,
    LAPTOP,
    LOG,
    NOTES,
    NOWHERE,
    OFFICE,
    OUTSIDE,
    OUTSIDE_NET,
    PAGE,
    PC,
    SERVERS,
    SSH,
    TABLE,
    UNKNOWN_DATA,
    UNKNOWN_SERVICE,
    WEB,
    office_topology,
)

TOPOLOGY = office_topology()
AT = TOPOLOGY.address_index
RANDOM, ALL, ALL_LOCAL = Word.RANDOM, Word.ALL, Word.ALL_LOCAL


def draw(position: Position, seed: int = 1) -> Knowledge:
    return draw_position(position, TOPOLOGY, Random(seed)).knowledge


def ips(mask: int) -> set[IP]:
    return {TOPOLOGY.addresses[i] for i in iter_bits(mask)}


def networks(mask: int) -> set[Network]:
    return {TOPOLOGY.networks[i] for i in iter_bits(mask)}


def services(known: Knowledge) -> dict[IP, set[Service]]:
    return {
        TOPOLOGY.addresses[a]: {TOPOLOGY.services[i] for i in iter_bits(mask)}
        for a, mask in known.services.items()
    }


def data(known: Knowledge) -> dict[IP, set[Data]]:
    return {
        TOPOLOGY.addresses[a]: {TOPOLOGY.data[i] for i in iter_bits(mask)}
        for a, mask in known.data.items()
    }


# --- concrete parts and words ---------------------------------------------------------------------


def test_draw_position_without_words_is_what_it_says() -> None:
    drawn = draw(
        Position(
            known_networks=(SERVERS, ABOVE),
            known_hosts=(WEB, DB),
            controlled_hosts=(PC,),
            known_services={WEB: (SSH, HTTP)},
            known_data={DB: (TABLE, LOG), WEB: (BACKUP,)},
            known_blocks={WEB: (PC, DB)},
        )
    )

    assert networks(drawn.networks) == {SERVERS, ABOVE}
    assert ips(drawn.hosts) == {WEB, DB}
    assert ips(drawn.controlled) == {PC}
    assert services(drawn) == {WEB: {SSH, HTTP}}
    assert data(drawn) == {DB: {TABLE, LOG}, WEB: {BACKUP}}
    assert drawn.logs == {AT[DB]: LOG}
    assert {a: ips(mask) for a, mask in drawn.blocks.items()} == {AT[WEB]: {PC, DB}}


def test_draw_position_with_nothing_for_a_host_leaves_it_out() -> None:
    empty = Position(known_services={WEB: ()}, known_data={WEB: ()}, known_blocks={WEB: ()})

    assert draw(empty) == Knowledge()


def test_draw_position_of_random_controlled_hosts_are_start_places() -> None:
    position = Position(controlled_hosts=(RANDOM,))
    drawn = [ips(draw(position, seed).controlled) for seed in range(20)]

    assert all(len(one) == 1 for one in drawn)
    assert set.union(*drawn) == {PC, LAPTOP}


@pytest.mark.parametrize("seed", range(10))
def test_draw_position_of_several_random_hosts_are_different_while_there_are_any(seed: int) -> None:
    two = draw(Position(controlled_hosts=(RANDOM, RANDOM)), seed)
    one_given = draw(Position(controlled_hosts=(RANDOM, PC)), seed)
    too_many = draw(Position(controlled_hosts=(RANDOM,) * 3), seed)

    assert ips(two.controlled) == ips(one_given.controlled) == ips(too_many.controlled)
    assert ips(two.controlled) == {PC, LAPTOP}


def test_draw_position_of_all_local_are_all_addresses_in_private_networks() -> None:
    drawn = draw(Position(controlled_hosts=(ALL_LOCAL,), known_hosts=(ALL_LOCAL, OUTSIDE)))

    assert ips(drawn.controlled) == set(INSIDE)
    assert ips(drawn.hosts) == set(EVERYWHERE)


def test_draw_position_of_all_local_networks_are_the_private_ones_of_the_scenario() -> None:
    drawn = draw(Position(known_networks=(ALL_LOCAL,)))

    assert networks(drawn.networks) == {SERVERS, CLIENTS}


def test_draw_position_of_a_random_network_is_any_of_the_scenario() -> None:
    position = Position(known_networks=(RANDOM,))
    drawn = [networks(draw(position, seed).networks) for seed in range(30)]

    assert all(len(one) == 1 for one in drawn)
    assert set.union(*drawn) == {SERVERS, CLIENTS, OUTSIDE_NET}


def test_draw_position_of_a_random_known_host_is_any_address() -> None:
    position = Position(known_hosts=(RANDOM,))
    drawn = [ips(draw(position, seed).hosts) for seed in range(80)]

    assert all(len(one) == 1 for one in drawn)
    assert set.union(*drawn) == set(EVERYWHERE)


def test_draw_position_of_services_by_word_are_those_of_the_host() -> None:
    every = draw(Position(known_services={WEB: (ALL,)}))
    some = [services(draw(Position(known_services={WEB: (RANDOM,)}), seed)) for seed in range(30)]

    assert services(every) == {WEB: {HTTP, SSH, BASH}}
    assert all(len(one[WEB]) == 1 for one in some)
    assert set.union(*(one[WEB] for one in some)) == {HTTP, SSH, BASH}


def test_draw_position_of_random_data_is_any_in_the_world_but_logs() -> None:
    position = Position(known_data={OUTSIDE: (RANDOM,)})
    drawn = [data(draw(position, seed))[OUTSIDE] for seed in range(60)]

    assert all(len(one) == 1 for one in drawn)
    assert set.union(*drawn) == {PAGE, TABLE, BACKUP, NOTES}


def test_draw_position_of_routers_are_all_their_addresses_but_the_key_itself() -> None:
    drawn = draw(Position(known_blocks={WEB: (Word.ALL_ROUTERS,), GATEWAY: (Word.ALL_ROUTERS,)}))
    as_key = draw(Position(known_blocks={Word.ALL_ROUTERS: (PC, GATEWAY)}))

    assert {TOPOLOGY.addresses[a]: ips(mask) for a, mask in drawn.blocks.items()} == {
        WEB: {GATEWAY, GATEWAY_2},
        GATEWAY: {GATEWAY_2},
    }
    assert {TOPOLOGY.addresses[a]: ips(mask) for a, mask in as_key.blocks.items()} == {
        GATEWAY: {PC},
        GATEWAY_2: {PC, GATEWAY},
    }


def test_draw_position_of_a_host_blocked_from_itself_is_what_it_says() -> None:
    drawn = draw(Position(known_blocks={WEB: (WEB, Word.ALL_ROUTERS)}))

    assert ips(drawn.blocks[AT[WEB]]) == {WEB, GATEWAY, GATEWAY_2}


def test_draw_position_of_all_attackers_is_kept_apart_from_the_blocks() -> None:
    drawn = draw_position(
        Position(known_blocks={WEB: (Word.ALL_ATTACKERS, DB), PC: (Word.ALL_ATTACKERS,)}),
        TOPOLOGY,
        Random(1),
    )

    assert drawn.all_attackers == mask_of((AT[WEB], AT[PC]))
    assert drawn.knowledge.blocks == {AT[WEB]: 1 << AT[DB]}


def test_draw_position_with_the_same_generator_draws_the_same() -> None:
    position = Position(
        known_networks=(RANDOM, RANDOM),
        known_hosts=(RANDOM,),
        controlled_hosts=(RANDOM,),
        known_services={WEB: (RANDOM,), DB: (RANDOM,)},
        known_data={PC: (RANDOM,)},
    )
    drawn = [draw(position, seed) for seed in range(20)]

    assert drawn == [draw(position, seed) for seed in range(20)]
    assert len(set(map(repr, drawn))) > 10


# --- what cannot be drawn -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (Position(controlled_hosts=(NOWHERE,)), r"no address 10\.9\.9\.9"),
        (Position(known_data={NOWHERE: (TABLE,)}), r"no address 10\.9\.9\.9"),
        (Position(known_data={WEB: (UNKNOWN_DATA,)}), "no data .*Nothing"),
        (Position(known_services={WEB: (UNKNOWN_SERVICE,)}), "gopher.* as a service"),
        (Position(known_networks=(Network("10.0.0.0", 8),)), r"10\.0\.0\.0/8 as a network"),
        (Position(known_networks=(ALL,)), "as a network"),
        (Position(controlled_hosts=(ALL,)), "as a host"),
        (Position(controlled_hosts=(Word.ALL_ATTACKERS,)), "as a host"),
        (Position(known_services={WEB: (ALL_LOCAL,)}), "as a service"),
        (Position(known_services={GATEWAY: (RANDOM,)}), "no service to draw"),
    ],
)
def test_draw_position_of_what_there_is_not_is_an_error(position: Position, reason: str) -> None:
    with pytest.raises(TaskError, match=reason):
        draw(position)


def test_draw_position_without_candidates_is_an_error() -> None:
    bare = tuple(replace(host, is_start_place=False, data=()) for host in OFFICE.hosts)
    topology = compile_scenario(replace(OFFICE, hosts=bare))

    with pytest.raises(TaskError, match="no start place to draw"):
        draw_position(Position(controlled_hosts=(RANDOM,)), topology, Random(1))
    with pytest.raises(TaskError, match="no data to draw"):
        draw_position(Position(known_data={WEB: (RANDOM,)}), topology, Random(1))


# --- the start view -------------------------------------------------------------------------------


def start(position: Position) -> Knowledge:
    return start_knowledge(draw(position), Labels.original(TOPOLOGY))


def test_start_knowledge_knows_controlled_hosts_and_their_neighbourhood() -> None:
    known = start(Position(controlled_hosts=(PC, OUTSIDE)))

    assert ips(known.controlled) == ips(known.hosts) == {PC, OUTSIDE}
    assert networks(known.networks) == {SERVERS, CLIENTS, ABOVE, OUTSIDE_NET}


def test_start_knowledge_has_the_neighbours_below_and_above() -> None:
    assert networks(start(Position(controlled_hosts=(WEB,))).networks) == {BELOW, SERVERS, CLIENTS}


def test_start_knowledge_of_a_public_host_has_no_neighbours() -> None:
    assert networks(start(Position(controlled_hosts=(OUTSIDE,))).networks) == {OUTSIDE_NET}


def test_start_knowledge_keeps_everything_configured() -> None:
    position = Position(
        known_networks=(OUTSIDE_NET,),
        known_hosts=(DB,),
        controlled_hosts=(PC,),
        known_services={DB: (SSH,)},
        known_data={DB: (TABLE,)},
        known_blocks={DB: (PC,)},
    )
    known = start(position)

    assert ips(known.hosts) == {PC, DB}
    assert networks(known.networks) == {OUTSIDE_NET, SERVERS, CLIENTS, ABOVE}
    assert (known.services, known.data, known.blocks) == (
        draw(position).services,
        draw(position).data,
        draw(position).blocks,
    )


def test_start_knowledge_does_not_add_networks_of_hosts_that_are_only_known() -> None:
    assert start(Position(known_hosts=(WEB, PC))).networks == 0


def test_named_networks_and_services_are_those_given_concretely() -> None:
    position = Position(
        known_networks=(SERVERS, RANDOM, ABOVE), known_services={WEB: (SSH, ALL), DB: (BASH,)}
    )

    assert named_networks(position) == [SERVERS, ABOVE]
    assert named_services(position) == [SSH, BASH]
