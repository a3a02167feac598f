"""Sign-in links to the local stack's portal, made as `ops portal` makes them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lambdas.aws.dynamodb.portal_table import PortalTable
from lambdas.domain.portal import LONGEST, OPERATOR, Link, Right
from local.clients import Clients


def sign_in_link(facts: Mapping[str, Any], instance_id: str = OPERATOR, *, right: Right = Right.MANAGE) -> str:
    """A link that signs in once, to one instance or as the operator. *facts* is `stack.json`."""
    table = PortalTable(
        Clients(facts["aws_endpoint_url"], facts["region"]).client("dynamodb"), facts["tables"]["portal"]
    )
    lasts = int(LONGEST.total_seconds())
    link = Link(instance_id=instance_id, right=right, who="the local operator", session_seconds=lasts)
    return table.new_link(link, url=facts["portal_url"], now=datetime.now(UTC))
