"""`ops webhooks`: who is told, how each webhook does, and what an operator can do for one."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from lambdas.domain.delivery import DeliveryBatch
from lambdas.domain.health import State, current, disabled_by_operator, enabled
from lambdas.domain.payload import render_notice, test_notice
from lambdas.domain.target import Target
from ops.console import STACK, Json, Shown, StackName, fail, say, show, show_one, told
from ops.rotation import rotate
from ops.tools import Tools, as_webhook, tools

app = typer.Typer(no_args_is_help=True, help="Webhooks: list, show, test, disable, enable, rotate.")
app.command()(rotate)

WebhookArgument = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id.")]
_STYLES = {State.HEALTHY: "green", State.FAILING: "yellow", State.DISABLED: "red"}
_POLL = 0.5  # s between looks at a test's result


@app.command("list")
def list_(
    instance: Annotated[str | None, typer.Option(help="Only this instance's.")] = None,
    unwell: Annotated[bool, typer.Option(help="Only those that are failing or disabled.")] = False,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """List webhooks with their health and what waits for them."""
    with told():
        found = tools(stack)
        rows = [_row(found, target) for target, _ in found.states.every(instance) if not unwell or _is_unwell(target)]
    rows.sort(key=lambda row: (row["instance"], row["webhook"]))
    show(rows, title="Webhooks", empty="No webhooks.", as_json=as_json)


@app.command("show")
def show_webhook(webhook: WebhookArgument, stack: StackName = STACK, as_json: Json = False) -> None:
    """Show all that is known of a webhook, secrets apart."""
    with told():
        found = tools(stack)
        target, item = found.webhook(webhook)
        health = current(target.health, target.version, now=datetime.now(UTC))
        facts = {
            **_row(found, target),
            "events": sorted(item.get("events", [])),
            "scope": item.get("scope"),
            "bindings": item.get("bindings", []),
            "failures_in_a_row": health.failures,
            "first_failure": health.first_failure,
            "next_probe": health.probe_at,
            "last_test": item.get("test_result"),
            "version": target.version,
        }
    show_one(facts, as_json=as_json)


@app.command("test")
def send_test(
    webhook: WebhookArgument,
    wait: Annotated[int, typer.Option(help="Wait so many seconds for the result; 0: do not.")] = 30,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Send a `webhook.test`. One that gets through has a failing or disabled webhook tried at once."""
    now = datetime.now(UTC)
    with told():
        found = tools(stack)
        target, item = found.webhook(webhook)
        notice = test_notice(test_id=secrets.token_hex(8), instance_id=target.instance_id, binding_id=None, now=now)
        delivery = render_notice(
            notice, as_webhook(target, item), topic_arn=found.stack.outputs["EventTopicArn"], now=now
        )
        batch = DeliveryBatch(
            instance_id=target.instance_id, webhook_id=target.webhook_id, attempt=1, deliveries=(delivery,)
        )
        found.queue.send([batch])
        result = _await_test(found, target, since=now, wait=wait)
    status = result.get("status", "no result yet") if wait else "sent"
    row = {"webhook": webhook, "delivery": delivery.id, "status": status, "at": result.get("at")}
    say(f"Test {delivery.id} for webhook {webhook}: {status}", row, as_json=as_json)
    if wait and not str(status).startswith("2"):
        raise typer.Exit(1)


@app.command()
def disable(webhook: WebhookArgument, stack: StackName = STACK, as_json: Json = False) -> None:
    """Send nothing to a webhook any more; its events are parked until it is enabled, or 14 days."""
    now = datetime.now(UTC)
    with told():
        found = tools(stack)
        target, _ = found.webhook(webhook)
        found.states.change(
            target, lambda health: disabled_by_operator(current(health, target.version, now=now), now=now)
        )
    say(f"Webhook {webhook} is disabled.", {"webhook": webhook, "health": State.DISABLED}, as_json=as_json)


@app.command()
def enable(webhook: WebhookArgument, stack: StackName = STACK, as_json: Json = False) -> None:
    """Try a disabled or failing webhook at once; what waits follows as soon as one delivery gets through."""
    now = datetime.now(UTC)
    with told():
        found = tools(stack)
        target, _ = found.webhook(webhook)
        changed = found.states.change(target, lambda health: enabled(current(health, target.version, now=now), now=now))
        found.backlog.wake(target.instance_id, target.webhook_id, now=now)
    if changed is None:
        fail(f"webhook {webhook} is gone")
    health = changed[1].state
    text = "healthy already" if health is State.HEALTHY else "tried with the next delivery, within a minute"
    say(f"Webhook {webhook} is {text}.", {"webhook": webhook, "health": health}, as_json=as_json)


def attempts(
    webhook: Annotated[str | None, typer.Argument(metavar="[WEBHOOK]", help="Only this webhook's.")] = None,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Show recent failed attempts, the latest first: what was answered, and when."""
    with told():
        found = tools(stack)
        targets = [found.webhook(webhook)[0]] if webhook else [target for target, _ in found.states.every()]
    rows: list[dict[str, Any]] = [
        {
            "at": attempt.at,
            "instance": target.instance_id,
            "webhook": target.webhook_id,
            "delivery": attempt.delivery,
            "type": attempt.type,
            "result": attempt.reason,
            "answer": attempt.excerpt,
        }
        for target in targets
        for attempt in target.health.attempts
    ]
    rows.sort(key=lambda row: row["at"], reverse=True)
    show(rows, title="Failed attempts", empty="No failed attempts.", as_json=as_json)


def _row(found: Tools, target: Target) -> dict[str, Any]:
    health = current(target.health, target.version, now=datetime.now(UTC))
    return {
        "instance": target.instance_id,
        "webhook": target.webhook_id,
        "url": target.url,
        "format": target.format,
        "health": Shown(health.state, _STYLES[health.state]),
        "since": health.since,
        "last_failure": health.last_reason,
        "waiting": found.backlog.waiting(target.instance_id, target.webhook_id),
    }


def _is_unwell(target: Target) -> bool:
    return current(target.health, target.version, now=datetime.now(UTC)).state is not State.HEALTHY


def _await_test(found: Tools, target: Target, *, since: datetime, wait: int) -> dict[str, Any]:
    """The result of a test sent after *since*; empty if there was none within *wait* seconds."""
    while datetime.now(UTC) < since + timedelta(seconds=wait):
        for other, item in found.states.every(target.instance_id):
            result = item.get("test_result")
            if other.webhook_id == target.webhook_id and result and datetime.fromisoformat(result["at"]) >= since:
                return dict(result)
        time.sleep(_POLL)
    return {}
