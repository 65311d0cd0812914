from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from netsecgame.documents import Problem, read_yaml
from netsecgame.documents.yaml_document import parse_yaml
from netsecgame.errors import ConfigurationError, TaskError

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
# a comment
coordinator:
  agents:
    Attacker: {max_steps: 50}

env:
  hosts:
    - 192.168.1.1
    - 192.168.1.2
"""


def test_parse_yaml_every_value_has_its_line() -> None:
    document = parse_yaml(TEXT, "task.yaml")

    assert document.content == {
        "coordinator": {"agents": {"Attacker": {"max_steps": 50}}},
        "env": {"hosts": ["192.168.1.1", "192.168.1.2"]},
    }
    assert document.line_of(("coordinator", "agents")) == 3
    assert document.line_of(("coordinator", "agents", "Attacker", "max_steps")) == 4
    assert document.line_of(("env", "hosts", 1)) == 9


def test_parse_yaml_alias_is_the_same_value_at_its_own_line() -> None:
    document = parse_yaml("a: &x [1]\nb: *x\n")

    assert document.content == {"a": [1], "b": [1]}
    assert document.line_of(("b",)) == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8.1.0", "8.1.0"),
        ("192.168.1.2", "192.168.1.2"),
        ("2024-01-31", "2024-01-31"),
        ("yes", True),
        ("off", False),
        ("~", None),
        ("-5", -5),
        ("1_000", 1000),
        ("0.5", 0.5),
        ("'010'", "010"),
        ("0x10", 16),
        ("!!str 8.1", "8.1"),
        ("=", "="),
    ],
)
def test_parse_yaml_scalar_is_read_as_people_mean_it(text: str, value: object) -> None:
    document = parse_yaml(f"key: {text}")

    assert document.content == {"key": value}
    assert type(document.content["key"]) is type(value)
    assert document.problems == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3", Problem(("a",), "is given twice, first in line 1", 3)),
        (
            "a: 010",
            Problem(
                ("a",),
                'YAML reads 010 as 8; write that number, or put it in quotes if it is text: "010"',
            ),
        ),
        (
            "a: 1:30",
            Problem(
                ("a",),
                "YAML reads 1:30 as 90; write that number, "
                'or put it in quotes if it is text: "1:30"',
            ),
        ),
        ("a: 089", None),
        (
            "x:\n  8.1: 1",
            Problem(("x",), 'expected text as a key, got 8.1; put it in quotes: "8.1"', 2),
        ),
        ("? [a]\n: 1", Problem((), "expected text as a key, got a list or a mapping", 1)),
        ("<<: {a: 1}", Problem((), "merge keys (<<) are not supported; write the entries out", 1)),
        ("a: !!set {b}", Problem(("a",), "the YAML tag tag:yaml.org,2002:set has no place here")),
        ("a: !env HOME", Problem(("a",), "the YAML tag !env has no place here")),
        ("a: !!int x", Problem(("a",), "'x' is not a number")),
    ],
)
def test_parse_yaml_what_would_surprise_is_a_problem(text: str, problem: Problem | None) -> None:
    assert parse_yaml(text).problems == ((problem,) if problem else ())


def test_parse_yaml_python_tag_is_not_executed() -> None:
    document = parse_yaml("a: !!python/object/apply:os.abort []")

    assert document.content == {"a": None}
    assert "python/object/apply:os.abort has no place here" in document.problems[0].reason


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"a: [1\nb: 2\n", ":2: is not YAML: while parsing a flow sequence"),
        (b"a: 1\n\tb: 2\n", ":2: is not YAML: while scanning"),
        (b"a: *missing\n", ":1: is not YAML: found undefined alias"),
        (b"a: 1\n---\nb: 2\n", ":2: is not YAML: expected a single document"),
        (b"a: 1\nb: \xff\n", ":2: is not UTF-8 text"),
        (b"a: \x00\n", "is not YAML: "),
        (b"a: " + b"[" * 100_000, ":1: is nested more than 64 levels deep"),
        (b"a: &a [*a]", ":1: is nested more than 64 levels deep"),
        (b"#" * (16 * 1024 * 1024 + 1), "is longer than 16777216 bytes"),
        (
            b"a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n"
            + b"".join(
                b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 10))
                for i in range(1, 9)
            ),
            "has more than 500000 values",
        ),
    ],
)
def test_read_yaml_unusable_file_raises_with_file_and_line(
    tmp_path: Path, raw: bytes, message: str
) -> None:
    path = tmp_path / "task.yaml"
    path.write_bytes(raw)

    with pytest.raises(TaskError) as caught:
        read_yaml(path, TaskError)

    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_read_yaml_missing_file_raises_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"none\.yaml: there is no such file"):
        read_yaml(tmp_path / "none.yaml", TaskError)


def test_read_yaml_folder_raises_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path, ConfigurationError)


def test_read_yaml_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")

    assert read_yaml(path, TaskError).content == {"a": 1}


@pytest.mark.parametrize("library", ["yaml", "jsonschema"])
@pytest.mark.parametrize("package", ["netsecgame.tasks", "netsecgame.scenarios"])
def test_import_without_server_extra_says_how_to_get_it(library: str, package: str) -> None:
    code = f"import sys; sys.modules[{library!r}] = None; import {package}"

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 1
    assert done.stderr.rstrip().endswith(
        f"ImportError: {library} is not installed; get it with: pip install netsecgame[server]"
    )
