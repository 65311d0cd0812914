from __future__ import annotations

from pathlib import Path

import pytest

from netsecgame import IP, Action, ActionType, Data, Network, Service
from netsecgame.core.addressing import Labels, draw_labels
from netsecgame.core.rng import StreamRandom
from netsecgame.envs.action_text import explain_illegal, format_action, parse_action
from netsecgame.envs.game import open_game
from netsecgame.errors import ActionTextError

ROOT = Path(__file__).resolve().parents[3]
TASKS = sorted((ROOT / "task_configs").glob("*.yaml"))

HOST, OTHER = IP("192.168.2.2"), IP("192.168.1.3")
SCAN = "ScanNetwork(source_host=192.168.2.2, target_network=192.168.1.0/24)"


def exploit(service: Service) -> Action:
    parameters = {"source_host": HOST, "target_host": OTHER, "target_service": service}
    return Action(ActionType.ExploitService, parameters)


def exfiltrate(data: Data) -> Action:
    parameters = {"source_host": HOST, "target_host": OTHER, "data": data}
    return Action(ActionType.ExfiltrateData, parameters)


@pytest.mark.parametrize("task", TASKS, ids=lambda path: path.stem)
def test_action_text_of_every_action_of_a_shipped_task_reads_back(task: Path) -> None:
    game = open_game(task)
    labels = Labels.original(game.topology)
    texts = set()
    for number in range(game.full_index.size):
        action = game.full_index.action(number, labels)
        text = format_action(action)
        texts.add(text)
        assert parse_action(text) == action
        assert game.full_index.find(parse_action(text), labels) == number
    assert len(texts) == game.full_index.size


def test_action_text_under_new_addresses_reads_back() -> None:
    game = open_game(ROOT / "task_configs" / "two_networks_small_dynamic.yaml")
    labels = draw_labels(game.topology, StreamRandom(5))
    assert labels.addresses != game.topology.addresses
    for number in range(0, game.full_index.size, 7):
        text = format_action(game.full_index.action(number, labels))
        assert game.full_index.find(parse_action(text), labels) == number


def test_format_action_of_each_type_is_as_documented() -> None:
    ssh = Service("ssh", "passive", "8.1.0", is_local=False)
    source = "source_host=192.168.2.2, target_host=192.168.1.3"
    assert format_action(exploit(ssh)) == (
        f"ExploitService({source}, target_service=ssh/passive/8.1.0)"
    )
    assert format_action(exfiltrate(Data("User1", "Plan"))) == (
        f"ExfiltrateData({source}, data=User1/Plan)"
    )
    network = Network("192.168.1.0", 24)
    scan = Action(ActionType.ScanNetwork, {"target_network": network, "source_host": HOST})
    assert format_action(scan) == SCAN


@pytest.mark.parametrize(
    "word", ["remote desktop", "", "a/b", "(=,)", 'say "x"', "C:\\dir", "línea\nzwei", "\t", "é"]
)
def test_action_text_names_of_any_letters_read_back(word: str) -> None:
    for is_local in (False, True):
        service = Service(word, word, word, is_local=is_local)
        assert parse_action(format_action(exploit(service))) == exploit(service)
    data = Data(word, word, type=word)
    assert parse_action(format_action(exfiltrate(data))) == exfiltrate(data)


def test_parse_action_spaces_and_order_do_not_count() -> None:
    loose = "  ScanNetwork ( target_network = 192.168.1.0 / 24\n,source_host=192.168.2.2 ) "
    assert parse_action(loose) == parse_action(SCAN)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected an action, got the end"),
        ("ScanNetwrk(", "unknown action 'ScanNetwrk' (did you mean 'ScanNetwork'?)"),
        ("ResetGame()", "unknown action 'ResetGame'"),
        ("ScanNetwork source_host", "expected '(', got 'source_host'"),
        ('ScanNetwork"("', "expected '(', got '('"),
        ("ScanNetwork(source=1.1.1.1)", "unknown (did you mean 'source_host'?)"),
        ("FindData(source_host=1.1.1.1, source_host=1.1.1.1)", "'source_host': given twice"),
        ("FindData(source_host=1.1.1.1)", "target_host missing"),
        ("FindData()", "expected a parameter, got ')'"),
        ("FindData(source_host=1.1.1)", "expected an IPv4 address"),
        ("FindData(source_host=1.1.1.1 target_host=", "expected '/' or ',' or ')', got 'target"),
        ("FindData(source_host=1.1.1.1, target_host=1.1.1.1", "got the end"),
        ("FindData(source_host=1.1.1.1, target_host=1.1.1.1) now", "behind the ')', got 'now'"),
        (SCAN.replace("/24", ""), "a number to 32, got '192.168.1.0'"),
        (SCAN.replace("/24", "/33"), "a number to 32, got '192.168.1.0/33'"),
        (SCAN.replace("192.168.1.0", "home"), "expected an IPv4 address"),
        ("ExploitService(target_service=ssh)", "expected name/type/version"),
        ("ExploitService(target_service=ssh/passive/1/remote)", "and /local if it is local"),
        ("ExfiltrateData(data=User1)", "expected owner/id"),
        ('ExfiltrateData(data="User1', "cannot read '\"User1'"),
        ('ExfiltrateData(data="\\q"/x)', "cannot read the string"),
    ],
)
def test_parse_action_of_what_is_none_says_what_is_wrong(text: str, told: str) -> None:
    with pytest.raises(ActionTextError) as caught:
        parse_action(text)
    assert told in str(caught.value)
    assert caught.value.text == text


def test_parse_action_error_shows_how_it_should_look() -> None:
    with pytest.raises(ActionTextError, match=r"expected FindData\(source_host=<address>, target"):
        parse_action("FindData(where=1.1.1.1)")


def test_explain_illegal_names_the_first_parameter_that_does_not_fit() -> None:
    legal = [parse_action(SCAN), parse_action(SCAN.replace(".1.0/24", ".3.0/24"))]
    wrong = parse_action(SCAN.replace(".1.0/24", ".4.0/24"))
    error = explain_illegal(wrong, legal)
    assert error.reason == (
        "target_network=192.168.4.0/24 is not legal with source_host=192.168.2.2; "
        "legal is 192.168.1.0/24, 192.168.3.0/24"
    )
    assert parse_action(str(error.nearest)) in legal


def test_explain_illegal_type_that_nobody_may_play_says_so() -> None:
    error = explain_illegal(exfiltrate(Data("User1", "Plan")), [parse_action(SCAN)])
    assert error.reason == "no ExfiltrateData is legal now"
    assert error.nearest == SCAN


def test_explain_illegal_with_many_choices_lists_some() -> None:
    legal = [parse_action(SCAN.replace(".1.0/24", f".{i}.0/24")) for i in range(20)]
    error = explain_illegal(parse_action(SCAN.replace(".1.0/24", ".77.0/24")), legal)
    assert error.reason.endswith(" and 12 more")
    assert explain_illegal(parse_action(SCAN), []).nearest is None
