"""With the parser in C or without it, a file is the same document."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from netsecgame.documents import yaml_document
from netsecgame.documents.yaml_document import parse_yaml
from netsecgame.errors import ConfigurationError

if TYPE_CHECKING:
    from netsecgame.documents import Document

ROOT = Path(__file__).resolve().parents[3]

TRICKY = [
    "",
    "# nothing but a comment\n",
    "a: &x [1, {b: ~}]\nc: *x\n",
    "a: 010\nb: 1:30\nc: 0x1F\nd: 1_000\ne: .inf\nf: 08\ng: -0.5e3\nh: +1\n",
    "a: yes\nb: No\nc: 'yes'\nd: ~\ne: 2024-01-31\nf: =\ng:\n",
    'a: |\n  two\n  lines\nb: >-\n  one\n  line\nc: "\\u00e9\\n"\n',
    "? a\n: - 1\n  - ? [b]\n    : 2\na: 3\n<<: {c: 4}\n5: 6\n",
    "a: !!set {b}\nc: !env X\nd: !!int x\ne: !!str 5\n",
    "größe: ['ü', \"\\U0001F600\"]\n",
    "a: [1\nb: 2\n",
    "a: *missing\n",
    "a: 1\n---\nb: 2\n",
    "[" * 65 + "]" * 65,
    "a: &a [*a]",
]
SHIPPED = [
    file
    for folder in ("netsecgame/scenarios/data", "task_configs")
    for file in sorted((ROOT / folder).glob("*.yaml"))
]


def outcome_of(text: str) -> Document | str:
    """The document; or the kind of error, which the two parsers word differently."""
    try:
        return parse_yaml(text)
    except (ConfigurationError, yaml.YAMLError) as error:
        return type(error).__name__


@pytest.mark.skipif(not hasattr(yaml, "CSafeLoader"), reason="this PyYAML has only one parser")
@pytest.mark.parametrize(
    "text",
    [
        *TRICKY,
        *(pytest.param(file.read_text(encoding="utf-8"), id=file.name) for file in SHIPPED),
    ],
)
def test_parse_yaml_without_the_parser_in_c_gives_the_same(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = outcome_of(text)
    monkeypatch.setattr(yaml_document, "_LOADER", yaml.SafeLoader)

    assert outcome_of(text) == fast


def test_parse_yaml_leaves_garbage_collection_as_it_was() -> None:
    try:
        gc.disable()
        parse_yaml("a: 1")
        assert not gc.isenabled()
    finally:
        gc.enable()
    with pytest.raises(yaml.YAMLError):
        parse_yaml("a: [")
    assert gc.isenabled()
