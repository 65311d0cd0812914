"""Files a person writes: plain values with their lines, checked against a JSON Schema."""

from netsecgame.documents.document import Document, DocumentPath, Problem, format_path
from netsecgame.documents.schema import Schema
from netsecgame.documents.yaml_document import read_yaml

__all__ = ["Document", "DocumentPath", "Problem", "Schema", "format_path", "read_yaml"]
