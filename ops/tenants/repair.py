"""`ops repair`: create again in SES what somebody deleted of an instance by hand, or altered."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from lambdas.aws.clients import CLIENTS, client
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.aws.ses.control_plane import Ses
from lambdas.broker.adapters import Adapters
from lambdas.broker.instances.ses_steps import tags
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.errors import NotOurs, Throttled
from lambdas.domain.reputation.evaluation import SendingState
from lambdas.domain.tenants.aws_names import configuration_set
from lambdas.domain.tenants.instance import Instance, InstanceState
from ops.command_line.console import STACK, Json, StackName, clear_errors, fail, say
from ops.deployment.stack import Stack
from ops.deployment.tools import tools
from ops.doctor.account import Account
from ops.doctor.instances import compared

MAX_WAIT = 30.0  # s for SES's rate limiter, which the broker's operations share


def repair(
    instance: Annotated[str, typer.Argument(metavar="INSTANCE", help="Its id, name or domain.")],
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Create an instance's configuration set, event destination and its identity's default set again.

    What exists is not changed, but for an event destination that was altered: it is put right. A paused instance's set
    is created paused. A deleted identity is not created again: it would have other DKIM records.
    """
    with clear_errors():
        found = tools(stack)
        who = found.instance(instance)
        record = found.broker.instance(who.id)
        assert record is not None  # noqa: S101  # it was found a moment ago
        account = Account(stack=found.stack)
        if record.state is not InstanceState.READY or record.busy or not record.ses or record.lost_domain:
            fail(f"{who.id} cannot be repaired: only an aws-ses instance with its domain and without an operation can")
        before = [finding.text for finding in compared(account, record)]
        if before:
            _repair(found.stack, record)
        left = [finding.text for finding in compared(account, record)]
    if left:
        fail("\n".join(["not everything could be repaired:", *left]))
    text = "\n".join(["Repaired:", *before]) if before else "Nothing is missing."
    say(text, {"instance": who.id, "repaired": before}, as_json=as_json)


def _repair(stack: Stack, instance: Instance) -> None:
    """Create what is missing. Its state is read before and after: a pause meanwhile must not be lost."""
    settings = _settings(stack)
    ses = Adapters(settings, CLIENTS, lambda: datetime.now(UTC)).ses(MAX_WAIT)
    name = configuration_set(instance.id)
    try:
        if ses.identity(instance.domain) is None:
            fail(f"the identity {instance.domain} is gone: its DKIM records would change. Provision a new instance")
        _create(ses, name, instance, settings, paused=_is_paused(stack, instance))
    except Throttled:
        fail(f"SES's control plane is busy; nothing was lost. Run it again in {MAX_WAIT:.0f} s")
    except NotOurs as refused:
        fail(str(refused))
    if _is_paused(stack, instance):
        client("sesv2").put_configuration_set_sending_options(ConfigurationSetName=name, SendingEnabled=False)


def _create(ses: Ses, name: str, instance: Instance, settings: BrokerSettings, *, paused: bool) -> None:
    ses.ensure_configuration_set(name, tags(instance), sending=not paused)
    ses.ensure_event_destination(name, settings.event_topic_arn)
    ses.ensure_identity(instance.domain, name, tags(instance))


def _settings(stack: Stack) -> BrokerSettings:
    answer = client("lambda").get_function_configuration(FunctionName=stack.functions["broker"])
    return BrokerSettings.from_environment(answer["Environment"]["Variables"])


def _is_paused(stack: Stack, instance: Instance) -> bool:
    statuses = SendingStatusTable(client("dynamodb"), stack.tables["reputation"])
    return statuses.load(instance.id).state is SendingState.PAUSED
