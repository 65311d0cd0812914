from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from netsecgame.core.addressing import Labels, draw_labels
from netsecgame.core.goal import Goal
from netsecgame.core.knowledge import Knowledge, knowledge_of, make_state
from netsecgame.core.rng import StreamRandom
from netsecgame.core.scenario import Host, Interface, Scenario
from netsecgame.core.topology import Topology, compile_scenario
from netsecgame.envs.rendering import View, render_ansi, render_rgb, render_rgb_many
from netsecgame.envs.rendering.layout import Box, lay_out
from netsecgame.envs.rendering.picture import AREA
from netsecgame.game_components import IP, Data, GameState, Network, Service
from netsecgame.scenarios import load_scenario
from netsecgame.scenarios.generator import generate_scenario

if TYPE_CHECKING:
    from numpy.typing import NDArray

INSIDE, OUTSIDE, EMPTY = Network("10.0.1.0", 24), Network("1.2.3.0", 24), Network("10.0.2.0", 24)
LAPTOP, SERVER, OTHER, AWAY = IP("10.0.1.2"), IP("10.0.1.3"), IP("10.0.1.4"), IP("1.2.3.4")
SSH = Service("ssh", "passive", "8.1.0", is_local=False)
LOCAL = Service("bash", "passive", "5.0.0", is_local=True)
LOOT, LETTER = Data("boss", "salaries"), Data("boss", "letter")

START = GameState(
    controlled_hosts={LAPTOP, AWAY},
    known_hosts={LAPTOP, AWAY},
    known_networks={INSIDE, OUTSIDE, EMPTY},
)
LATER = GameState(
    controlled_hosts={LAPTOP, AWAY, SERVER},
    known_hosts={LAPTOP, AWAY, SERVER},
    known_networks={INSIDE, OUTSIDE, EMPTY},
    known_services={SERVER: {SSH, LOCAL}, LAPTOP: set()},
    known_data={SERVER: {LOOT, LETTER}},
)
CONTROLLED = (0x00, 0x72, 0xB2)
GOAL = GameState(known_data={AWAY: {LOOT}}, controlled_hosts={SERVER})


def office(*, other: IP = OTHER, other_services: tuple[Service, ...] = (SSH,)) -> Topology:
    def host(
        name: str, ip: IP, network: Network, *services: Service, data: tuple[Data, ...]
    ) -> Host:
        return Host(name, (Interface(ip, network),), services, data)

    return compile_scenario(
        Scenario(
            "office",
            (
                host("laptop", LAPTOP, INSIDE, data=()),
                host("server", SERVER, INSIDE, SSH, LOCAL, data=(LOOT, LETTER)),
                host("other", other, INSIDE, *other_services, data=()),
                host("away", AWAY, OUTSIDE, data=()),
            ),
        )
    )


TOPOLOGY = office()


def view(
    state: GameState = START,
    goal: GameState = GOAL,
    *,
    topology: Topology = TOPOLOGY,
    steps: int = 3,
    max_steps: int | None = 10,
) -> View:
    labels = Labels.original(topology)
    known = make_state(knowledge_of(state, labels), labels)
    wanted = make_state(knowledge_of(goal, labels), labels)
    return View(known, Goal(wanted), steps, max_steps, "office attacker_0")


def under(labels: Labels, knowledge: Knowledge) -> View:
    nothing = make_state(Knowledge(), labels)
    return View(make_state(knowledge, labels), Goal(nothing), 0, None, "drawn")


def everything(topology: Topology) -> Knowledge:
    count = len(topology.addresses)
    return Knowledge(
        networks=(1 << len(topology.networks)) - 1,
        hosts=(1 << count) - 1,
        controlled=(1 << count) - 1,
        services=dict(enumerate(topology.services_of)),
        data={i: topology.data_of[topology.device_of[i]] & ~1 for i in range(count)},
        blocks={0: 0b10, 1: 0b1},
    )


def differing_rows(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.intp]:
    return np.flatnonzero((one != other).any(axis=(1, 2)))


# --- text -----------------------------------------------------------------------------------------


def test_render_ansi_later_state_tells_all_that_is_known() -> None:
    lines = render_ansi(view(LATER)).splitlines()

    assert lines == [
        "office attacker_0 step 3 of 10",
        "goal: 1 of 2 reached",
        "  ✓ control 10.0.1.3",
        "  ✗ boss/salaries on 1.2.3.4",
        "1.2.3.0/24",
        "  ● 1.2.3.4",
        "10.0.1.0/24",
        "  ● 10.0.1.2        services: none",
        "  ● 10.0.1.3        services: (bash 5.0.0), ssh 8.1.0 data: boss/letter, boss/salaries★",
        "no host found in 10.0.2.0/24",
    ]


def test_render_ansi_known_host_has_another_mark_than_a_controlled_one() -> None:
    state = replace(START, known_hosts={LAPTOP, AWAY, SERVER})
    assert "  ○ 10.0.1.3" in render_ansi(view(state)).splitlines()


def test_render_ansi_blocks_are_named_outsiders_too() -> None:
    labels = Labels.original(TOPOLOGY)
    outsider = labels.admit_outsider(IP("9.9.9.9"))
    known = knowledge_of(START, labels).with_blocks(0, 1 << outsider | 0b10)

    text = render_ansi(under(labels, known))

    assert "  ● 10.0.1.2        blocked: 9.9.9.9, 10.0.1.3" in text.splitlines()
    assert "  ○ 10.0.1.3" in text.splitlines()  # named by the block


def test_render_ansi_goal_about_all_attackers_is_open() -> None:
    shown = view(LATER)._replace(goal=Goal(GameState(), frozenset({SERVER})))
    assert "  ? block all attackers on 10.0.1.3" in render_ansi(shown).splitlines()


def test_render_ansi_host_in_a_network_that_is_not_known_hides_the_network() -> None:
    text = render_ansi(view(GameState(known_hosts={SERVER})))
    assert "unknown network" in text
    assert "10.0.1.0" not in text


def test_render_ansi_no_goal_and_no_limit_says_so() -> None:
    lines = render_ansi(view(START, GameState(), max_steps=None)).splitlines()
    assert lines[:2] == ["office attacker_0 step 3", "goal: none"]


def test_render_ansi_colours_are_escapes_around_the_same_text() -> None:
    plain, coloured = render_ansi(view(LATER)), render_ansi(view(LATER), colours=True)
    assert "\x1b" not in plain
    assert coloured.count("\x1b[0m") == coloured.count("\x1b[") / 2 > 5
    assert re.sub("\x1b\\[[\\d;]*m", "", coloured) == plain


def test_render_ansi_new_addresses_leave_the_order_of_hosts() -> None:
    topology = compile_scenario(load_scenario("two_networks"))
    new = draw_labels(topology, StreamRandom(5))
    texts = [
        render_ansi(under(labels, everything(topology)))
        for labels in (Labels.original(topology), new)
    ]
    lines = [re.findall(r"● ([\d.]+)", text) for text in texts]
    renamed = dict(zip(map(str, topology.addresses), map(str, new.addresses), strict=True))
    assert [renamed[ip] for ip in lines[0]] == lines[1]
    assert lines[1] != sorted(lines[1], key=IP)


def test_render_ansi_whole_large_network_is_at_most_100_columns_wide() -> None:
    topology = compile_scenario(generate_scenario(6, 60, 40))
    text = render_ansi(under(Labels.original(topology), everything(topology)))
    assert all(str(ip) in text for ip in topology.addresses)
    assert 90 < max(map(len, text.splitlines())) <= 100


# --- pictures -------------------------------------------------------------------------------------


def test_render_rgb_any_view_is_a_picture_of_fixed_size() -> None:
    picture = render_rgb(view())
    assert picture.shape == (600, 800, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


def test_render_rgb_same_view_is_the_same_picture() -> None:
    first = render_rgb(view(LATER))
    render_rgb(view(START))  # nothing of it is left in the next one
    assert np.array_equal(first, render_rgb(view(LATER)))


def test_render_rgb_pictures_are_not_shared() -> None:
    first = render_rgb(view())
    first[:] = 0
    assert render_rgb(view()).any()


@pytest.mark.parametrize(
    "state",
    [
        replace(START, controlled_hosts={AWAY}),
        replace(START, known_hosts={LAPTOP, AWAY, SERVER}),
        replace(START, known_data={LAPTOP: {LETTER}}),
        replace(START, known_services={LAPTOP: {SSH}}),
        replace(START, known_blocks={LAPTOP: {AWAY}}),
        replace(START, known_networks={INSIDE, OUTSIDE}),
    ],
    ids=["controlled", "known host", "data", "service", "block", "network"],
)
def test_render_rgb_each_part_of_the_state_shows(state: GameState) -> None:
    assert not np.array_equal(render_rgb(view(state)), render_rgb(view()))


def test_render_rgb_block_is_a_line_between_two_hosts() -> None:
    blocked = replace(START, known_blocks={LAPTOP: {AWAY}})
    between = (render_rgb(view(blocked)) != render_rgb(view())).any(axis=2)
    for address in (0, 3):
        cell = lay_out(TOPOLOGY, AREA).hosts[address]
        rows = slice(int(cell.y), int(cell.y + cell.height))
        between[rows, int(cell.x) : int(cell.x + cell.width)] = False
    assert between.sum() > 20


def test_render_rgb_goal_and_steps_show_in_the_head() -> None:
    before = render_rgb(view())
    steps = differing_rows(before, render_rgb(view(steps=9)))
    goal = differing_rows(before, render_rgb(view(goal=GameState(known_data={AWAY: {LETTER}}))))
    assert steps.size > 0
    assert steps.max() < 40
    assert goal.size > 0
    assert goal.min() > 40
    assert goal.max() < 80


def test_render_rgb_worlds_that_differ_in_what_is_unknown_look_the_same() -> None:
    other = office(other=IP("10.0.1.77"), other_services=(LOCAL,))
    assert np.array_equal(render_rgb(view()), render_rgb(view(topology=other)))
    assert render_ansi(view()) == render_ansi(view(topology=other))

    found = {LAPTOP, AWAY, OTHER}, {LAPTOP, AWAY, IP("10.0.1.77")}
    ours, theirs = (replace(START, known_hosts=hosts) for hosts in found)
    assert not np.array_equal(render_rgb(view(ours)), render_rgb(view(theirs, topology=other)))


def test_render_rgb_new_addresses_leave_every_host_at_its_place() -> None:
    topology = compile_scenario(load_scenario("two_networks"))
    known = Knowledge(hosts=0b1001, controlled=0b1)
    old = Labels.original(topology)
    new = draw_labels(topology, StreamRandom(3))
    assert not set(old.addresses) & set(new.addresses)
    above_legend = slice(0, 565)
    marks = [
        (render_rgb(under(labels, known))[above_legend] == CONTROLLED).all(axis=2)
        for labels in (old, new)
    ]
    assert marks[0].sum() > 30
    assert np.array_equal(*marks)


def test_render_rgb_text_in_any_script_and_with_markup_is_drawn() -> None:
    odd = Data("$\\frac{1}{$", "报告 ~ 100 %_^ 🎲")
    host = Host("h", (Interface(LAPTOP, INSIDE),), (), (odd,))
    topology = compile_scenario(Scenario("odd", (host,)))
    state = GameState({LAPTOP}, {LAPTOP}, {}, {LAPTOP: {odd}}, {INSIDE})
    assert render_rgb(view(state, GameState(), topology=topology)).any()


@pytest.mark.parametrize(("networks", "hosts"), [(2, 6), (6, 100), (300, 900)])
def test_render_rgb_generated_network_wholly_known_is_drawn(networks: int, hosts: int) -> None:
    topology = compile_scenario(generate_scenario(networks, hosts - hosts // 3, hosts // 3))
    labels = Labels.original(topology)
    whole = render_rgb(under(labels, everything(topology)))
    assert not np.array_equal(whole, render_rgb(under(labels, Knowledge())))


def test_render_rgb_many_views_are_side_by_side() -> None:
    both = render_rgb_many([view(START), view(LATER)])
    assert both.shape == (600, 1600, 3)
    assert np.array_equal(both[:, :800], render_rgb(view(START)))
    assert np.array_equal(both[:, 800:], render_rgb(view(LATER)))


def test_render_rgb_leaves_the_state_of_matplotlib_alone() -> None:
    script = (
        "import sys, netsecgame.envs.rendering\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib\n"
        "before = matplotlib.rcParams.copy()\n"
        "from tests.unit.envs.test_rendering import render_rgb, view\n"
        "render_rgb(view())\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_render_rgb_without_matplotlib_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*sys.modules]:
        if name.startswith("matplotlib") or name.endswith("rendering.picture"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install netsecgame\[render\]"):
        render_rgb(view())


# --- places ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["one_network", "two_networks", "three_net_scenario", "generated"])
def test_lay_out_hosts_are_inside_their_networks_and_nothing_overlaps(name: str) -> None:
    scenario = generate_scenario(7, 60, 40) if name == "generated" else load_scenario(name)
    topology = compile_scenario(scenario)

    layout = lay_out(topology, AREA)

    assert layout.hosts.keys() == set(range(len(topology.addresses)))
    for address, cell in layout.hosts.items():
        assert is_inside(cell, layout.networks[topology.network_of[address]])
    for boxes in (layout.hosts, layout.networks):
        placed = list(boxes.values())
        assert all(is_inside(box, AREA) for box in placed)
        pairs = ((a, b) for i, a in enumerate(placed) for b in placed[:i])
        assert not any(overlaps(a, b) for a, b in pairs)


def test_lay_out_hosts_of_a_network_are_in_the_order_of_their_addresses() -> None:
    ips = [IP(f"10.0.1.{i}") for i in (30, 4, 11)]
    hosts = tuple(Host(str(ip), (Interface(ip, INSIDE),)) for ip in ips)
    cells = lay_out(compile_scenario(Scenario("s", hosts)), AREA).hosts
    assert sorted(cells, key=lambda address: (cells[address].y, cells[address].x)) == [1, 2, 0]


def is_inside(box: Box, around: Box) -> bool:
    slack = 1e-6
    return (
        box.x >= around.x - slack
        and box.y >= around.y - slack
        and box.x + box.width <= around.x + around.width + slack
        and box.y + box.height <= around.y + around.height + slack
    )


def overlaps(one: Box, other: Box) -> bool:
    slack = 1e-6
    return (
        one.x + one.width > other.x + slack
        and other.x + other.width > one.x + slack
        and one.y + one.height > other.y + slack
        and other.y + other.height > one.y + slack
    )
