from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import netsecgame
from netsecgame.documents import Document, Schema, format_path
from netsecgame.documents.yaml_document import parse_yaml

SCHEMA = Schema(
    {
        "type": "object",
        "required": ["name"],
        "additionalProperties": False,
        "patternProperties": {"^x_": {}},
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "count": {"type": "integer", "minimum": 1, "maximum": 9},
            "share": {"type": ["number", "null"]},
            "color": {"enum": ["red", "green"]},
            "flag": {"type": "boolean", "errorMessage": "expected a flag"},
            "address": {"type": "string", "format": "ipv4"},
            "by_address": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"format": "ipv4", "errorMessage": "expected an address"},
            },
            "networks": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "anyOf": [{"type": "string", "format": "ipv4-network"}, {"enum": ["random"]}],
                    "errorMessage": "expected a network or random",
                },
            },
            "either": {
                "anyOf": [
                    {"type": "integer"},
                    {"type": "array", "items": {"type": "integer"}},
                    {"enum": ["many"]},
                ]
            },
        },
    }
)


@pytest.mark.parametrize(
    "text",
    [
        "name: a\nx_1: 5",
        "name: a\ncount: 9\nshare: null\ncolor: red\nflag: false\naddress: 10.0.0.1",
        "name: a\nshare: 1\nby_address: {10.0.0.1: x}\nnetworks: [10.0.0.0/8, random]",
        "name: a\neither: [1, 2]",
        "name: a\neither: many",
    ],
)
def test_schema_valid_document_has_no_problems(text: str) -> None:
    assert SCHEMA.find_problems(parse_yaml(text)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ": expected a mapping, got nothing"),
        ("[]", ": expected a mapping, got a list of 0"),
        ("count: 5", ": the key 'name' is missing"),
        ("names: x", "names: unknown key (did you mean 'name'?)"),
        ("name: a\nCOUNT: 5", "COUNT: unknown key (did you mean 'count'?)"),
        (
            "name: a\nzzz: 5",
            (
                "zzz: unknown key; known keys: name, count, share, color, flag, address, "
                "by_address, networks, either"
            ),
        ),
        ("name: ''", "name: expected at least 1 letter, got ''"),
        ("name: 8.10", 'name: expected text, got 8.10; put it in quotes: "8.10"'),
        ("name: no", 'name: expected text, got no; put it in quotes: "no"'),
        ("name: [a]", "name: expected text, got a list of 1"),
        ("name: a\ncount: 0", "count: expected at least 1, got 0"),
        ("name: a\ncount: 10", "count: expected at most 9, got 10"),
        ("name: a\ncount: 5.0", "count: expected a whole number, got 5.0"),
        ("name: a\ncount: true", "count: expected a whole number, got true"),
        ("name: a\nshare: .nan", "share: expected a number or nothing, got .nan"),
        ("name: a\nshare: x", "share: expected a number or nothing, got 'x'"),
        (
            "name: a\ncolor: gren",
            "color: expected red or green, got 'gren' (did you mean 'green'?)",
        ),
        ("name: a\nflag: 1", "flag: expected a flag, got 1"),
        ("name: a\naddress: 10.0.0.256", "address: expected format ipv4, got '10.0.0.256'"),
        ("name: a\nby_address: {}", "by_address: expected at least 1 key, got a mapping"),
        ("name: a\nby_address: {x: 1}", "by_address.x: expected an address, got 'x'"),
        ("name: a\nnetworks: []", "networks: expected at least 1 in this list, got a list of 0"),
        (
            "name: a\nnetworks: [rondom]",
            "networks[0]: expected a network or random, got 'rondom' (did you mean 'random'?)",
        ),
        (
            "name: a\nnetworks: [10.0.0.5/8]",
            (
                "networks[0]: expected a network or random, got '10.0.0.5/8'; "
                "the network around that address is 10.0.0.0/8"
            ),
        ),
        ("name: a\nnetworks: [10.0.0.0/33]", "networks[0]: expected a network or random, got "),
        ("name: a\nnetworks: [10.0.0.0]", "networks[0]: expected a network or random, got "),
        ("name: a\neither: [1, x]", "either[1]: expected a whole number, got 'x'"),
        (
            "name: a\neither: man",
            "either: expected a whole number, a list or many, got 'man' (did you mean 'many'?)",
        ),
        (f"name: a\neither: {'x' * 200}", f"got '{'x' * 57}...'"),
    ],
)
def test_schema_wrong_document_is_explained(text: str, expected: str) -> None:
    (problem,) = SCHEMA.find_problems(parse_yaml(text))

    assert expected in f"{format_path(problem.path)}: {problem.reason}"


def test_schema_several_mistakes_are_all_found() -> None:
    problems = SCHEMA.find_problems(parse_yaml("count: 0\nflag: x\nflag: y\nzzz: 1"))

    assert {format_path(problem.path) for problem in problems} == {"", "count", "flag", "zzz"}


def test_schema_values_without_text_are_described_by_value() -> None:
    (problem,) = SCHEMA.find_problems(Document.from_values({"name": True}))

    assert problem.reason == "expected text, got true"


@pytest.mark.parametrize("package", ["tasks", "scenarios"])
def test_shipped_schema_is_valid_and_every_advice_says_what_is_expected(package: str) -> None:
    (path,) = (Path(netsecgame.__file__).parent / package).glob("*.schema.json")
    schema = json.loads(path.read_text())

    Draft202012Validator.check_schema(schema)

    advice = re.findall(r'"errorMessage": "([^"]*)"', path.read_text())
    assert advice
    assert all(text.startswith("expected ") for text in advice)
