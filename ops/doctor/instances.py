"""Compares a sample of instances with SES: what the broker made must still be there, and sending be as recorded."""

import random
import time
from collections.abc import Iterable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.aws.dynamodb.webhooks.instance_list import InstanceList
from lambdas.aws.ses.control_plane import EVENTS
from lambdas.domain.reputation.evaluation import SendingState
from lambdas.domain.tenants.aws_names import configuration_set
from lambdas.domain.tenants.instance import Instance, InstanceState
from ops.command_line.console import progress
from ops.doctor.account import Account, code_of
from ops.doctor.findings import Finding, ok, problem, warning

PAUSE = 1.0  # s between instances: SES's control plane takes about one call a second, and tenants share it


def instances(account: Account) -> Iterable[Finding]:
    """A random sample of the instances."""
    found = _sampled(account)
    bad = 0
    for number, instance in enumerate(progress(found, "instances compared")):
        if number:
            time.sleep(PAUSE)
        for finding in compared(account, instance):
            bad += 1
            yield finding
    if not bad:
        yield ok("instances", f"{len(found)} sampled instance(s) are in SES as recorded")


def _sampled(account: Account) -> list[Instance]:
    client, tables = account.client("dynamodb"), account.deployed.tables
    ids = list(InstanceList(client, tables["webhooks"]).part(0, of=1))
    broker = BrokerTable(client, tables["broker"])
    chosen = random.sample(ids, min(account.sample, len(ids)))
    records = (broker.instance(instance_id) for instance_id in chosen)
    return [record for record in records if record and record.state is InstanceState.READY and record.ses]


def compared(account: Account, instance: Instance) -> Iterator[Finding]:
    """What of *instance* is not in SES as it should be."""
    name, ses = configuration_set(instance.id), account.client("sesv2")
    runbook = "docs/runbooks/configuration-set-deleted.md"
    try:
        options = ses.get_configuration_set(ConfigurationSetName=name)
        destinations = ses.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"]
        identity = ses.get_email_identity(EmailIdentity=instance.domain)
    except ClientError as error:
        if code_of(error) != "NotFoundException":
            raise
        yield problem("instances", f"{instance.id}: {error.operation_name} finds nothing in SES", runbook)
        return
    if not any(_is_ours(one, account.deployed.outputs["EventTopicArn"]) for one in destinations):
        yield problem(
            "instances", f"{instance.id}: no event destination publishes all events to the event topic", runbook
        )
    if identity.get("ConfigurationSetName") != name:
        yield problem("instances", f"{instance.id}: {instance.domain} has not {name} as its default", runbook)
    status = SendingStatusTable(account.client("dynamodb"), account.deployed.tables["reputation"]).load(instance.id)
    enabled = options.get("SendingOptions", {}).get("SendingEnabled", True)
    if enabled is (status.state is SendingState.PAUSED):
        recorded = "paused" if enabled else "not paused"
        yield warning(
            "instances",
            f"{instance.id}: sending is {'enabled' if enabled else 'disabled'} in SES and recorded as {recorded}",
            "the reconciliation corrects it within a day; python -m ops reputation INSTANCE shows more",
        )


def _is_ours(destination: dict[str, Any], topic: str) -> bool:
    """Whether it publishes all events that ses-feedback reads to *topic*."""
    published = bool(destination.get("Enabled")) and set(destination.get("MatchingEventTypes", [])) >= set(EVENTS)
    return published and destination.get("SnsDestination", {}).get("TopicArn") == topic
