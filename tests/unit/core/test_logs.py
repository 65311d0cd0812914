from __future__ import annotations

import json
from collections import deque
from random import Random

import msgspec
import pytest

from netsecgame.core.actions.indexed import log_entry
from netsecgame.core.bits import mask_of
from netsecgame.core.logs import MAX_LOG_ENTRIES, Log, LogBook, log_data, log_json
from netsecgame.core.topology import LOG_DATA
from netsecgame.game_components import ActionType
from tests.unit.core.office import DB, GATEWAY, GATEWAY_2, PC, WEB, office_topology

TOPOLOGY = office_topology()
AT = TOPOLOGY.address_index
WEB_DEVICE, DB_DEVICE = TOPOLOGY.device_of[AT[WEB]], TOPOLOGY.device_of[AT[DB]]
ON_WEB = mask_of([AT[WEB]])
SCANNED, BLOCKED = log_entry(ActionType.ScanNetwork, PC), log_entry(ActionType.BlockIP, DB)


@pytest.fixture
def book() -> LogBook:
    return LogBook(TOPOLOGY)


def sources(content: str) -> list[str]:
    return [entry["source_host"] for entry in json.loads(content)]


def test_write_makes_a_json_list_whose_length_is_its_size(book: LogBook) -> None:
    book.write(ON_WEB, SCANNED)
    book.write(ON_WEB, BLOCKED)

    log = book.read(WEB_DEVICE).data
    assert json.loads(log.content) == [
        {"source_host": "192.168.2.2", "action_type": "ActionType.ScanNetwork"},
        {"source_host": "192.168.1.3", "action_type": "ActionType.BlockIP"},
    ]
    assert log.size == len(log.content)
    assert log == LOG_DATA


def test_read_of_a_device_without_entries_is_empty(book: LogBook) -> None:
    book.write(ON_WEB, SCANNED)

    log = book.read(DB_DEVICE).data
    assert (log, log.size, log.content) == (LOG_DATA, 0, "")


def test_write_on_two_addresses_of_a_device_gives_two_entries(book: LogBook) -> None:
    gateways = mask_of([AT[GATEWAY], AT[GATEWAY_2]])
    book.write(gateways | ON_WEB, SCANNED)

    assert len(sources(book.read(TOPOLOGY.device_of[AT[GATEWAY]]).content)) == 2
    assert len(sources(book.read(WEB_DEVICE).content)) == 1


def test_write_beyond_the_cap_drops_the_oldest_entries(book: LogBook) -> None:
    book.write(ON_WEB, BLOCKED)
    for _ in range(MAX_LOG_ENTRIES):
        book.write(ON_WEB, SCANNED)

    found = sources(book.read(WEB_DEVICE).content)
    assert len(found) == MAX_LOG_ENTRIES == 1_000
    assert set(found) == {"192.168.2.2"}


def test_log_read_once_does_not_change_with_later_entries(book: LogBook) -> None:
    logs = []
    for step in range(5_000):
        book.write(ON_WEB if step % 2 else ON_WEB << 1, BLOCKED if step % 3 else SCANNED)
        if step % 97 == 0:
            log = book.read(WEB_DEVICE)
            logs.append((log, log.content))

    assert all(log.content == content for log, content in logs)
    assert len({content for _, content in logs}) > 10


@pytest.mark.parametrize("seed", range(2))
def test_log_looked_at_whenever_says_what_was_written_before_it_was_read(
    book: LogBook, seed: int
) -> None:
    rng = Random(seed)
    kept: dict[int, deque[str]] = {
        device: deque(maxlen=MAX_LOG_ENTRIES) for device in set(TOPOLOGY.device_of)
    }
    unseen: list[tuple[Log, str]] = []
    for _ in range(16_000):
        addresses = rng.getrandbits(len(TOPOLOGY.addresses))
        entry = rng.choice([SCANNED, BLOCKED])
        book.write(addresses, entry)
        for address, device in enumerate(TOPOLOGY.device_of):
            if addresses >> address & 1:
                kept[device].append(entry)
        if rng.random() < 0.004:
            device = rng.choice(sorted(kept))
            entries = ", ".join(kept[device])
            unseen.append((book.read(device), f"[{entries}]" if entries else ""))
        if rng.random() < 0.002 and unseen:
            log, content = unseen.pop(rng.randrange(len(unseen)))
            assert log.content == content

    assert len(unseen) > 10
    for log, content in unseen:
        assert log.content == content


def test_log_json_is_that_of_its_datum(book: LogBook) -> None:
    empty = book.read(WEB_DEVICE)
    book.write(ON_WEB, SCANNED)
    book.write(ON_WEB, BLOCKED)

    for log in (empty, book.read(WEB_DEVICE), book.read(WEB_DEVICE).data):
        assert log_json(log) == msgspec.json.encode(log_data(log))


def test_log_data_of_a_datum_is_itself() -> None:
    assert log_data(LOG_DATA) is LOG_DATA
