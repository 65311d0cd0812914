from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netsecgame.documents import Document, Problem, format_path
from netsecgame.errors import TaskError

if TYPE_CHECKING:
    from netsecgame.documents import DocumentPath


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("env",), "env"),
        (("env", "rewards", "step"), "env.rewards.step"),
        (("goal", "known_data", "213.47.23.195", 0), "goal.known_data[213.47.23.195][0]"),
        (("hosts", "web server"), "hosts[web server]"),
    ],
)
def test_format_path_parts_of_all_kinds_reads_like_code(path: DocumentPath, text: str) -> None:
    assert format_path(path) == text


def test_document_error_path_without_line_takes_line_of_what_is_around() -> None:
    document = Document({"env": {"rewards": None}}, "task.yaml", lines={(): 1, ("env",): 7})

    error = document.error(TaskError, Problem(("env", "rewards"), "is odd"))

    assert str(error) == "task.yaml:7: env.rewards: is odd"
    assert (error.source, error.line, error.path, error.reason) == (
        "task.yaml",
        7,
        "env.rewards",
        "is odd",
    )


def test_document_error_path_that_document_lacks_is_cut_to_what_it_has() -> None:
    document = Document({"goal": {"known_data": {"10.0.0.1": "random"}}})

    error = document.error(TaskError, Problem(("goal", "known_data", "10.0.0.1", 0), "is odd"))

    assert error.path == "goal.known_data[10.0.0.1]"


def test_document_errors_of_one_file_come_in_order_of_lines() -> None:
    document = Document({"a": 0, "b": 0, "c": 0}, lines={("b",): 2, ("a",): 1, ("c",): 3})

    errors = document.errors(TaskError, [Problem((key,), "is odd") for key in "cab"])

    assert [error.line for error in errors] == [1, 2, 3]


def test_document_from_values_nested_containers_become_plain_copies() -> None:
    values = {"hosts": ("10.0.0.1", ["random"])}

    document = Document.from_values(values, "the service")

    assert document.content == {"hosts": ["10.0.0.1", ["random"]]}
    assert document.source == "the service"
    assert document.problems == ()


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"env": {1: "x"}}, Problem(("env",), "expected text as a key, got 1")),
        (
            {"env": {"seed": {1, 2}}},
            Problem(
                ("env", "seed"),
                "expected a mapping, a list, text, a number, true, false or null, got set",
            ),
        ),
    ],
)
def test_document_from_values_foreign_value_is_a_problem(values: object, problem: Problem) -> None:
    assert Document.from_values(values).problems == (problem,)
