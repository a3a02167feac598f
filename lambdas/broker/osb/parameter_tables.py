"""Every parameter, with its type. The catalog's schemas and the checks of requests are both made from these tables."""

from collections.abc import Mapping

from msgspec import Struct

from lambdas.broker.osb.address_types import Domain, Email, Emails, Networks, Subdomain, Url
from lambdas.broker.osb.errors import BadParameter
from lambdas.broker.osb.fields import Fields
from lambdas.broker.osb.parameter_types import (
    Boolean,
    Choice,
    Choices,
    EndpointService,
    Guid,
    Parameters,
    Schema,
    WholeNumber,
    object_schema,
)
from lambdas.domain.webhooks.batch import MAX_BATCH, MAX_GATHERING
from lambdas.domain.webhooks.webhook import DEFAULT_EVENTS, WEBHOOK_FORMATS, EventKind, Scope

INSTANCE: Parameters = {
    "admin_email": Email("The address that is notified of alarms; it has to confirm an SNS subscription"),
    "mail_from_subdomain": Subdomain(
        "What stands before the domain in the envelope sender, such as bounce; empty: SES's own"
    ),
    "dmarc_report_aggregate_recipients": Emails("Receive DMARC's aggregate reports"),
    "dmarc_report_failure_recipients": Emails("Receive DMARC's failure reports"),
    "enable_feedback_notifications": Boolean(
        "Whether bounces, complaints and deliveries are sent to the bindings' webhooks"
    ),
}
WEBHOOK: Parameters = {
    "notification_webhook": Url("An https URL"),
    "notification_events": Choices(choices=tuple(EventKind), default=tuple(DEFAULT_EVENTS)),
    "notification_format": Choice(choices=WEBHOOK_FORMATS, default=WEBHOOK_FORMATS[0]),
    "notification_scope": Choice(
        choices=tuple(Scope),
        default=Scope.INSTANCE,
        description="Events of the whole instance, or only of what this binding's credentials sent",
    ),
    "notification_batch": WholeNumber(
        least=1,
        most=MAX_BATCH,
        default=1,
        description="The most events of one request; above 1 every request is a batch. standard-webhooks and "
        "cloudevents only",
    ),
    "notification_batch_seconds": WholeNumber(
        least=0,
        most=MAX_GATHERING,
        default=0,
        description="With a notification_batch above 1: how long events may be gathered, s",
    ),
}
BINDING: Parameters = {
    **WEBHOOK,
    "notification_email": Email("Receives digests of bounces and complaints"),
    "notification_rotate_secret": Boolean("With a predecessor: whether the webhook they share gets a new secret"),
    "predecessor_binding_id": Guid(
        "binding of this service instance",
        "The guid of the binding that this one succeeds, for platforms that do not say it",
    ),
    "source_ips": Networks("The only addresses the credentials work from"),
    "privatelink_instance_id": Guid(
        "privatelink service instance",
        "The guid of a privatelink instance in this space, through which mail is sent",
    ),
}


class ByBinding(Struct, frozen=True):
    """An object of binding ids, each with the parameters of its webhook to change."""

    parameters: Parameters
    description: str

    def schema(self) -> Schema:
        each = {**object_schema(self.parameters), "minProperties": 1}
        return {"type": "object", "description": self.description, "additionalProperties": each}

    def read(self, value: object, _field: str) -> Mapping[str, Fields]:
        """The fields of each binding, yet to be checked."""
        if not isinstance(value, dict):
            raise BadParameter("bindings", "must be an object of binding ids, each with the parameters to change")
        for binding_id, changes in value.items():
            if not isinstance(changes, dict) or not changes:
                raise BadParameter(f"bindings.{binding_id[:50]}", "must be an object of the parameters to change")
        return {binding_id: Fields(changes, f"bindings.{binding_id[:50]}.") for binding_id, changes in value.items()}


PROVISION: Parameters = {**INSTANCE, "domain": Domain("The domain to send from; empty: one is generated")}
UPDATE: Parameters = {
    **INSTANCE,
    "domain": Domain("Cannot be changed; accepted if it is the same"),
    "bindings": ByBinding(WEBHOOK, "By binding id, the parameters of its webhook to change; the credentials stay"),
}


def privatelink(service_name: str) -> Parameters:
    """The parameters of a new `privatelink` instance: *service_name* is the region's one endpoint service."""
    return {"serviceName": EndpointService(service_name, "The endpoint service to connect to")}
