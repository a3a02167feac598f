"""The catalog: what is offered, with a JSON schema for every parameter object. Ids never change.

A stack that is a cell of its own (context key `cell`) has ids and service names of its own: a platform with several
brokers takes an id, whichever broker says it, for the same thing (OSB 2.17, Service Offering Object).
"""

import uuid
from typing import Any

from lambdas.broker.osb.parameter_tables import BINDING, PROVISION, UPDATE, privatelink
from lambdas.broker.osb.parameter_types import Parameters, Schema, object_schema
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.portal import SIGN_IN_CALLBACK, OAuthClient

SES_SERVICE = "5f1c4c0e-2b9a-5c39-9c1e-6a0d7f3b8e21"
SES_PLAN = "b7d0a6f2-41f7-5a5e-8d3c-0f9e6c2a1b54"
PRIVATELINK_SERVICE = "8a2e5b7d-93c4-5d10-a6f8-1c7b4e9d2f63"
PRIVATELINK_PLAN = "e3c9f1a8-6d25-5b7e-9f04-7a8d3c5b1e92"
MAXIMUM_POLLING = 14_400  # s: a generated domain waits for SES to see its DKIM records, mostly minutes
_DRAFT = "http://json-schema.org/draft-04/schema#"  # the draft that OSB platforms must support


def catalog(settings: BrokerSettings, dashboard_client: OAuthClient | None = None) -> dict[str, Any]:
    """The answer to GET /v2/catalog. Without a VPC the privatelink service is not offered.

    *dashboard_client* is the portal's client at Cloud Foundry's UAA: the Cloud Controller makes it, and changes it,
    when the broker is registered or updated. It is of `aws-ses` alone: other instances have no page.
    """
    services = [_ses(settings) | _dashboard_client(settings, dashboard_client)]
    if settings.privatelink_vpc_id:
        services.append(_privatelink(settings))
    return {"services": services}


def privatelink_service_name(region: str) -> str:
    """The endpoint service of SES's SMTP interface in *region*."""
    return f"com.amazonaws.{region}.email-smtp"


def plans(settings: BrokerSettings) -> dict[str, str]:
    """The plan id of each service id on offer: each service has one plan."""
    offered = {SES_SERVICE: SES_PLAN}
    if settings.privatelink_vpc_id:
        offered[PRIVATELINK_SERVICE] = PRIVATELINK_PLAN
    return {id_in_cell(service, settings): id_in_cell(plan, settings) for service, plan in offered.items()}


def id_in_cell(id_: str, settings: BrokerSettings) -> str:
    """A service's or plan's id in the stack's cell: the same for the same cell, and *id_* itself without one."""
    return str(uuid.uuid5(uuid.UUID(id_), settings.cell)) if settings.cell else id_


def _name_in_cell(name: str, settings: BrokerSettings) -> str:
    return f"{name}-{settings.cell}" if settings.cell else name


def _ses(settings: BrokerSettings) -> dict[str, Any]:
    return {
        "id": id_in_cell(SES_SERVICE, settings),
        "name": _name_in_cell("aws-ses", settings),
        "description": "Send e-mail with Amazon SES from a domain of your own, and get feedback as webhooks",
        "tags": ["email", "smtp", "ses", "aws"],
        **_abilities(rotatable=True),
        "metadata": _metadata(
            settings,
            name=settings.display_name,
            long="SMTP and API credentials for a verified domain. Bounces, complaints and deliveries reach your "
            "application as signed webhooks; reputation is watched, and sending paused before it is lost.",
        ),
        "plans": [
            {
                "id": id_in_cell(SES_PLAN, settings),
                "name": "domain",
                "description": "A sending domain: yours, or one generated for you",
                **_plan(["SMTP and API", "DKIM, SPF and DMARC", "Signed webhooks", "Reputation protection"]),
                "schemas": _schemas(_object(PROVISION, required=["admin_email"]), _object(UPDATE), _object(BINDING)),
            }
        ],
    }


def _privatelink(settings: BrokerSettings) -> dict[str, Any]:
    create = _object(privatelink(privatelink_service_name(settings.region)), required=["serviceName"])
    return {
        "id": id_in_cell(PRIVATELINK_SERVICE, settings),
        "name": _name_in_cell("privatelink", settings),
        "description": "Reach Amazon SES's SMTP interface over a private endpoint",
        "tags": ["privatelink", "smtp", "aws"],
        **_abilities(rotatable=True),
        "metadata": _metadata(
            settings,
            name="AWS PrivateLink",
            long="An interface endpoint for SES's SMTP interface in the platform's own network.",
        ),
        "plans": [
            {
                "id": id_in_cell(PRIVATELINK_PLAN, settings),
                "name": "standard",
                "description": "An interface endpoint in the platform's network",
                **_plan(["SMTP with STARTTLS on port 2587", "No way over the internet"]),
                "schemas": _schemas(create, _object({}), _object({})),
            }
        ],
    }


def _dashboard_client(settings: BrokerSettings, client: OAuthClient | None) -> dict[str, Any]:
    if client is None:
        return {}
    redirect_uri = settings.portal_url + SIGN_IN_CALLBACK
    return {"dashboard_client": {"id": client.id, "secret": client.secret, "redirect_uri": redirect_uri}}


def _abilities(*, rotatable: bool) -> dict[str, bool]:
    return {
        "bindable": True,
        "instances_retrievable": True,
        "bindings_retrievable": True,
        "binding_rotatable": rotatable,
        "plan_updateable": False,
        "allow_context_updates": True,
    }


def _plan(bullets: list[str]) -> dict[str, Any]:
    return {
        "free": True,
        "bindable": True,
        "binding_rotatable": True,
        "plan_updateable": False,
        "maximum_polling_duration": MAXIMUM_POLLING,
        "metadata": {"bullets": bullets},
    }


def _metadata(settings: BrokerSettings, *, name: str, long: str) -> dict[str, Any]:
    metadata = {
        "displayName": name,
        "longDescription": long,
        "providerDisplayName": settings.provider_name,
        "documentationUrl": settings.documentation_url,
        "supportUrl": settings.support_url,
    }
    return {**{key: value for key, value in metadata.items() if value}, "shareable": False}


def _schemas(create: Schema, update: Schema, bind: Schema) -> dict[str, Any]:
    return {
        "service_instance": {"create": {"parameters": create}, "update": {"parameters": update}},
        "service_binding": {"create": {"parameters": bind}},
    }


def _object(parameters: Parameters, *, required: list[str] | None = None) -> Schema:
    schema = {"$schema": _DRAFT, **object_schema(parameters)}
    return schema | {"required": required} if required else schema
