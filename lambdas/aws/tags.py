"""Whose a resource is, by the tag that everything made for a service instance carries."""

from collections.abc import Iterable, Mapping
from typing import Any

from lambdas.domain.tenants.aws_names import INSTANCE_TAG, id_in_tag


def owner_in(tags: Iterable[Mapping[str, Any]]) -> str | None:
    """The id of the instance that *tags*, a list of {"Key": ..., "Value": ...}, name; None without the tag."""
    values = {tag["Key"]: tag["Value"] for tag in tags}
    return id_in_tag(values[INSTANCE_TAG]) if INSTANCE_TAG in values else None


def owner_of(tags: Mapping[str, str]) -> str:
    """The id of the instance that *tags*, which a new resource is to get, name."""
    return id_in_tag(tags[INSTANCE_TAG])
