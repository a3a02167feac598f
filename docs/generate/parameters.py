"""The schemas of what a platform may send at provision, update and bind: those of the broker's catalog."""

from typing import Any

from docs.generate.json_schema import Schema
from lambdas.broker.osb.catalog import catalog
from tests.broker.world import settings

_PLACES = {  # where the catalog has them, below a plan's schemas
    "provision": ("service_instance", "create"),
    "update": ("service_instance", "update"),
    "bind": ("service_binding", "create"),
}


def parameter_schemas() -> dict[str, Schema]:
    """Every schema by its path below docs/schemas: `parameters/aws-ses.bind.schema.json` and so on."""
    services: list[dict[str, Any]] = catalog(settings(privatelink_vpc_id="vpc-0123456a"))["services"]
    return {
        f"parameters/{service['name']}.{name}.schema.json": plan["schemas"][kind][call]["parameters"]
        for service in services
        for plan in service["plans"]
        for name, (kind, call) in _PLACES.items()
    }
