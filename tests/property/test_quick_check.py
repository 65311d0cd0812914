"""The quick check and the full validator agree on what is valid."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from netsecgame.documents import Document, Schema
from netsecgame.documents.quick_check import compile_check
from netsecgame.scenarios import SCHEMA_PATH, SHIPPED_SCENARIOS

SCHEMA: dict[str, Any] = json.loads(SCHEMA_PATH.read_bytes())
FULL = Schema.from_file(SCHEMA_PATH)
QUICK = compile_check(SCHEMA)

SCENARIOS = [
    yaml.safe_load((SCHEMA_PATH.parent / "data" / f"{name}.yaml").read_text(encoding="utf-8"))
    for name in SHIPPED_SCENARIOS
]

#: What may be put anywhere; some of it fits somewhere.
ODD_VALUES: list[Any] = [
    None, True, 0, 1.5, float("nan"), "", "x", "10.0.0.1", "10.0.0.0/24", "10.0.0.1/24", "clients",
    [], ["10.0.0.1"], [5], {}, {"name": "ssh", "version": "1"}, {"from": "a", "to": ["b"]},
]  # fmt: skip
ODD_KEYS = ["x", "description", "same_as", "is_local", "data", "allow", "routers", "type"]


def spoil(value: Any, rng: Random) -> Any:
    """The value with one thing in it exchanged, left out or added."""
    if not isinstance(value, dict | list) or not value or rng.random() < 0.1:
        return rng.choice(ODD_VALUES)
    key: Any = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
    action = rng.random()
    if action < 0.15:
        del value[key]
    elif action < 0.3 and isinstance(value, dict):
        value[rng.choice(ODD_KEYS)] = rng.choice(ODD_VALUES)
    else:
        value[key] = spoil(value[key], rng)
    return value


@settings(max_examples=400, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32))
def test_compile_check_of_the_scenario_schema_agrees_with_the_full_validator(seed: int) -> None:
    rng = Random(seed)
    content = copy.deepcopy(rng.choice(SCENARIOS))
    for _ in range(rng.randint(1, 2)):
        content = spoil(content, rng)
    assert QUICK is not None

    assert QUICK(content) is FULL._validator.is_valid(content)
    assert bool(FULL.find_problems(Document(content))) is not QUICK(content)


@pytest.mark.parametrize("value", [*ODD_VALUES, False, -1, float("inf"), ["a", "b"]], ids=repr)
@pytest.mark.parametrize(
    "schema",
    [
        *({"type": name} for name in ("array", "boolean", "integer", "null", "number", "object")),
        {"type": ["string", "integer"]},
        {"enum": ["x", "clients"]},
        {"minLength": 1},
        {"minItems": 2},
        {"minProperties": 2},
        {"required": ["from"]},
        {"properties": {"from": {"type": "integer"}}},
        {"additionalProperties": {"type": "string"}},
    ],
    ids=str,
)
def test_compile_check_of_a_single_keyword_agrees_with_the_full_validator(
    schema: dict[str, Any], value: Any
) -> None:
    check = compile_check(schema)
    assert check is not None

    assert check(value) is Schema(schema)._validator.is_valid(value)


@pytest.mark.parametrize("content", SCENARIOS, ids=SHIPPED_SCENARIOS)
def test_compile_check_of_a_shipped_scenario_is_yes(content: Any) -> None:
    assert QUICK is not None
    assert QUICK(content)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "uniqueItems": True},
        {"properties": {"a": {"items": {"pattern": "x"}}}},
        {"format": "date"},
        {"enum": [1]},
        {"$ref": "https://example.org/schema.json"},
        {"anyOf": [{"type": "string"}, {"not": {}}]},
    ],
    ids=str,
)
def test_compile_check_of_what_it_does_not_know_is_none(schema: dict[str, Any]) -> None:
    assert compile_check(schema) is None


def test_compile_check_of_a_schema_that_names_itself_follows_it() -> None:
    check = compile_check(
        {
            "type": ["array", "integer"],
            "items": {"$ref": "#/$defs/me"},
            "$defs": {"me": {"type": ["array", "integer"], "items": {"$ref": "#/$defs/me"}}},
        }
    )
    assert check is not None

    assert check([1, [2, [3]]])
    assert not check([1, [2, ["3"]]])
