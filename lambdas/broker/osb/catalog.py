"""The catalog: what is offered, with a JSON schema for every parameter object. Ids never change."""

from typing import Any

from lambdas.broker.osb.json_fields import MAX_EMAIL, MAX_ITEMS
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.webhooks.batch import MAX_BATCH, MAX_GATHERING
from lambdas.domain.webhooks.webhook import DEFAULT_EVENTS, WEBHOOK_FORMATS, EventKind, Scope

SES_SERVICE = "5f1c4c0e-2b9a-5c39-9c1e-6a0d7f3b8e21"
SES_PLAN = "b7d0a6f2-41f7-5a5e-8d3c-0f9e6c2a1b54"
PRIVATELINK_SERVICE = "8a2e5b7d-93c4-5d10-a6f8-1c7b4e9d2f63"
PRIVATELINK_PLAN = "e3c9f1a8-6d25-5b7e-9f04-7a8d3c5b1e92"
MAXIMUM_POLLING = 14_400  # s: a generated domain waits for SES to see its DKIM records, mostly minutes
_DRAFT = "http://json-schema.org/draft-04/schema#"  # the draft that OSB platforms must support
Schema = dict[str, Any]


def catalog(settings: BrokerSettings) -> dict[str, Any]:
    """The answer to GET /v2/catalog. Without a VPC the privatelink service is not offered."""
    services = [_ses(settings)]
    if settings.privatelink_vpc_id:
        services.append(_privatelink(settings))
    return {"services": services}


def privatelink_service_name(region: str) -> str:
    """The endpoint service of SES's SMTP interface in *region*."""
    return f"com.amazonaws.{region}.email-smtp"


def plans(settings: BrokerSettings) -> dict[str, str]:
    """The plan id of each service id on offer: each service has one plan."""
    offered = {SES_SERVICE: SES_PLAN}
    return offered | {PRIVATELINK_SERVICE: PRIVATELINK_PLAN} if settings.privatelink_vpc_id else offered


def _ses(settings: BrokerSettings) -> dict[str, Any]:
    return {
        "id": SES_SERVICE,
        "name": "aws-ses",
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
                "id": SES_PLAN,
                "name": "domain",
                "description": "A sending domain: yours, or one generated for you",
                **_plan(["SMTP and API", "DKIM, SPF and DMARC", "Signed webhooks", "Reputation protection"]),
                "schemas": _schemas(_ses_create(), _ses_update(), _ses_bind()),
            }
        ],
    }


def _privatelink(settings: BrokerSettings) -> dict[str, Any]:
    create = _object(
        {
            "serviceName": {
                "type": "string",
                "enum": [privatelink_service_name(settings.region)],
                "description": "The endpoint service to connect to",
            }
        },
        required=["serviceName"],
    )
    return {
        "id": PRIVATELINK_SERVICE,
        "name": "privatelink",
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
                "id": PRIVATELINK_PLAN,
                "name": "standard",
                "description": "An interface endpoint in the platform's network",
                **_plan(["SMTP with STARTTLS on port 2587", "No way over the internet"]),
                "schemas": _schemas(create, _object({}), _object({})),
            }
        ],
    }


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


def _object(properties: Schema, *, required: list[str] | None = None) -> Schema:
    schema = {"$schema": _DRAFT, "type": "object", "properties": properties, "additionalProperties": False}
    return schema | {"required": required} if required else schema


def _ses_create() -> Schema:
    domain = {"type": "string", "maxLength": 254, "description": "The domain to send from; empty: one is generated"}
    return _object({**_ses_properties(), "domain": domain}, required=["admin_email"])


def _ses_update() -> Schema:
    bindings = {
        "type": "object",
        "description": "By binding id, the parameters of its webhook to change; the credentials stay",
        "additionalProperties": {
            "type": "object",
            "properties": _webhook_properties(),
            "additionalProperties": False,
            "minProperties": 1,
        },
    }
    domain = {"type": "string", "maxLength": 254, "description": "Cannot be changed; accepted if it is the same"}
    return _object({**_ses_properties(), "domain": domain, "bindings": bindings})


def _ses_properties() -> Schema:
    return {
        "admin_email": _email("The address that is told of alarms; it has to confirm an SNS subscription"),
        "mail_from_subdomain": {
            "type": "string",
            "description": "What stands before the domain in the envelope sender, such as bounce; empty: SES's own",
        },
        "dmarc_report_aggregate_recipients": _addresses("Receive DMARC's aggregate reports"),
        "dmarc_report_failure_recipients": _addresses("Receive DMARC's failure reports"),
        "enable_feedback_notifications": {
            "enum": [True, False, "true", "false"],
            "default": False,
            "description": "Whether bounces, complaints and deliveries are sent to the bindings' webhooks",
        },
    }


def _ses_bind() -> Schema:
    network = {"type": "string", "description": "An IP address or a CIDR"}
    return _object(
        {
            **_webhook_properties(),
            "notification_email": _email("Receives digests of bounces and complaints"),
            "notification_rotate_secret": {
                "enum": [True, False, "true", "false"],
                "default": False,
                "description": "With a predecessor: whether the webhook they share gets a new secret",
            },
            "predecessor_binding_id": {
                "type": "string",
                "minLength": 1,
                "maxLength": 50,
                "description": "The guid of the binding that this one succeeds, for platforms that do not say it",
            },
            "source_ips": {
                **_list(network, MAX_ITEMS),
                "minItems": 1,
                "description": "The only addresses the credentials work from",
            },
            "privatelink_instance_id": {
                "type": "string",
                "minLength": 1,
                "maxLength": 50,
                "description": "The guid of a privatelink instance in this space, through which mail is sent",
            },
        }
    )


def _webhook_properties() -> Schema:
    return {
        "notification_webhook": {"type": "string", "format": "uri", "maxLength": 2000, "description": "An https URL"},
        "notification_events": {
            **_list({"type": "string", "enum": [kind.value for kind in EventKind]}, len(EventKind)),
            "minItems": 1,
            "default": [kind.value for kind in DEFAULT_EVENTS],
        },
        "notification_format": {
            "type": "string",
            "enum": [format.value for format in WEBHOOK_FORMATS],
            "default": WEBHOOK_FORMATS[0].value,
        },
        "notification_scope": {
            "type": "string",
            "enum": [scope.value for scope in Scope],
            "default": Scope.INSTANCE.value,
            "description": "Events of the whole instance, or only of what this binding's credentials sent",
        },
        "notification_batch": {
            **_whole_number(1, MAX_BATCH, default=1),
            "description": "The most events of one request; above 1 every request is a batch. standard-webhooks and "
            "cloudevents only",
        },
        "notification_batch_seconds": {
            **_whole_number(0, MAX_GATHERING, default=0),
            "description": "With a notification_batch above 1: how long events may be gathered, s",
        },
    }


def _email(description: str) -> Schema:
    return {"type": "string", "format": "email", "maxLength": MAX_EMAIL, "description": description}


def _addresses(description: str) -> Schema:
    """A list, or one string with commas; each address bare or as a mailto: URI."""
    address = {"type": "string", "maxLength": len("mailto:") + MAX_EMAIL}
    words = f"{description}; a list, or one string with commas; each an address or a mailto: URI"
    return {"type": ["array", "string"], "items": address, "maxItems": MAX_ITEMS, "description": words}


def _whole_number(least: int, most: int, *, default: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most, "default": default}


def _list(items: Schema, longest: int) -> Schema:
    return {"type": "array", "items": items, "maxItems": longest}
