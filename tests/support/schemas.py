"""JSON held to the schemas that arcgrad documents."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from arcgrad.explore.schema import schema_of


@cache
def _validator(name: str) -> Any:
    return pytest.importorskip("jsonschema").Draft202012Validator(schema_of(name))


def validate(instance: Any, name: str) -> None:
    """Raise ValidationError where an instance is not what the schema of that name says."""
    _validator(name).validate(instance)
