"""Scenarios as YAML files: those shipped, and those of users."""

from netsecgame.scenarios.loader import (
    SCHEMA_PATH,
    SHIPPED_SCENARIOS,
    check_scenario,
    list_scenarios,
    load_scenario,
)

__all__ = [
    "SCHEMA_PATH",
    "SHIPPED_SCENARIOS",
    "check_scenario",
    "list_scenarios",
    "load_scenario",
]
