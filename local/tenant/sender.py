"""Sends a mail for an instance from the command line, with a binding's credentials if there is a binding."""

from collections.abc import Mapping, Sequence
from typing import Any

from lambdas.domain.tenants.aws_names import configuration_set
from local.clients import Clients
from local.tenant.tenant import Mailbox
from ops.deployment.osb import Broker


class NoSender(Exception):
    """Nobody can send for that instance; the message says what is missing."""


def send_for(
    facts: Mapping[str, Any], instance_id: str, to: Sequence[str], *, binding_id: str, subject: str, smtp: bool
) -> str:
    """Send for an instance; SES's message id. *binding_id* empty: a binding of its webhooks. Raises NoSender."""
    binding_id = binding_id or _a_binding(facts, instance_id)
    if smtp and not binding_id:
        raise NoSender(f"Instance {instance_id} has no binding with a webhook: name one by --binding.")
    if not binding_id:
        mailbox = Mailbox(facts=facts, credentials=_operators(facts, instance_id))
        return mailbox.send(*to, subject=subject)
    with Broker(facts["broker_url"], facts["broker_username"], facts["broker_password"]) as broker:
        credentials = broker.binding(instance_id, binding_id)["credentials"]
    mailbox = Mailbox(facts=facts, credentials=credentials)
    return mailbox.send_by_smtp(*to, subject=subject) if smtp else mailbox.send(*to, subject=subject)


def _a_binding(facts: Mapping[str, Any], instance_id: str) -> str:
    dynamodb = Clients(facts["aws_endpoint_url"], facts["region"]).client("dynamodb")
    answer = dynamodb.query(
        TableName=facts["tables"]["webhooks"],
        KeyConditionExpression="instance_id = :instance",
        ExpressionAttributeValues={":instance": {"S": instance_id}},
    )
    bindings = (binding["S"] for item in answer["Items"] for binding in item.get("bindings", {}).get("L", ()))
    return str(next(bindings, ""))


def _operators(facts: Mapping[str, Any], instance_id: str) -> dict[str, str]:
    """Credentials like a binding's, with the operator's key and the identity that uses the instance's set."""
    name = configuration_set(instance_id)
    ses = Clients(facts["aws_endpoint_url"], facts["region"]).client("sesv2")
    for listed in ses.list_email_identities()["EmailIdentities"]:
        identity = listed["IdentityName"]
        if ses.get_email_identity(EmailIdentity=identity).get("ConfigurationSetName") == name:
            operator = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
            return {**operator, "region": facts["region"], "domain": identity, "configuration_set": name}
    raise NoSender(f"There is no instance {instance_id} here: no identity uses {name}.")
