"""`ops webhooks`: the webhooks with their health, and what an operator can do for one."""

import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.domain.webhooks.health import Health, HealthState, current, disabled_by_operator, enabled
from lambdas.domain.webhooks.payload import render_notice, test_notice
from lambdas.domain.webhooks.target import Target
from ops.command_line.console import STACK, Json, Shown, StackName, clear_errors, examples, fail, say, show, show_one
from ops.deployment.tools import Tools, as_webhook, tools
from ops.tenants.directory import Named
from ops.webhooks.rotation import rotate

NOTIFICATIONS_OFF = "notifications off"  # the health of a webhook that gets nothing, because its instance says so

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Webhooks: list, show, test, disable, enable, rotate."
)
app.command(epilog=examples("webhooks rotate WEBHOOK", "webhooks rotate WEBHOOK --now"))(rotate)

WebhookArgument = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id.")]
InstanceOption = Annotated[str | None, typer.Option(help="Only this instance's: its id, name or domain.")]
_STYLES = {HealthState.HEALTHY: "green", HealthState.FAILING: "yellow", HealthState.DISABLED: "red"}
_POLL = 0.5  # s between looks at a test's result


@app.command("list", epilog=examples("webhooks list --unwell", "webhooks list --instance mail.agency.gov --json"))
def list_(
    instance: InstanceOption = None,
    unwell: Annotated[bool, typer.Option(help="Only those that are failing or disabled.")] = False,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """List webhooks with their instances, their health and the number of deliveries that wait for them."""
    with clear_errors():
        found = tools(stack)
        instance_id = found.instance(instance).id if instance else None
        notifications = found.instances.notifications(instance_id)
        rows = [
            _row(found, target, item, notifications)
            for target, item in found.states.every(instance_id)
            if not unwell or _health(target).state is not HealthState.HEALTHY
        ]
    rows.sort(key=lambda row: (row["instance"], row["webhook"]))
    show(rows, title="Webhooks", empty="No webhooks.", as_json=as_json)


@app.command("show", epilog=examples("webhooks show WEBHOOK", "webhooks show WEBHOOK --json"))
def show_webhook(webhook: WebhookArgument, stack: StackName = STACK, as_json: Json = False) -> None:
    """Show all that is known of a webhook, except its secrets."""
    now = datetime.now(UTC)
    with clear_errors():
        found = tools(stack)
        target, item = found.webhook(webhook)
        health = _health(target)
        row = {
            **_row(found, target, item, found.instances.notifications(target.instance_id)),
            "admin_email": found.directory.of(target.instance_id).admin_email,
            "events": sorted(item.get("events", [])),
            "scope": item.get("scope"),
            "bindings": item.get("bindings", []),
            "failures_in_a_row": health.failures,
            "first_failure": health.first_failure,
            "last_failure_at": health.last_failure,
            "next_probe": health.probe_at,
            "last_test": item.get("test_result"),
            "old_secret_signs_until": target.previous_expires_at if len(target.ciphertexts(now=now)) > 1 else None,
            "version": target.version,
        }
    show_one(row, as_json=as_json)


@app.command("test", epilog=examples("webhooks test WEBHOOK", "webhooks test WEBHOOK --wait 0"))
def send_test(
    webhook: WebhookArgument,
    wait: Annotated[int, typer.Option(help="Wait this many seconds for the result; 0: do not wait.", min=0)] = 30,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Send a `webhook.test` and show what was answered. A test that succeeds starts a probe of a failing webhook.

    Exit status 1 if the receiver did not answer with a 2xx status in time.
    """
    now = datetime.now(UTC)
    with clear_errors():
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
    status = str(result.get("status", f"no result within {wait} s") if wait else "sent")
    row = {"webhook": webhook, "delivery": delivery.id, "status": status, "at": result.get("at")}
    answer = result.get("answer", "")
    text = f"Test {delivery.id} for webhook {webhook}: {status}" + (f"\n{answer}" if answer else "")
    say(text, {**row, "answer": answer}, as_json=as_json)
    if wait and not status.startswith("2"):
        raise typer.Exit(1)


@app.command(epilog=examples("webhooks disable WEBHOOK"))
def disable(webhook: WebhookArgument, stack: StackName = STACK, as_json: Json = False) -> None:
    """Stop sending to a webhook. Its events are kept until it is enabled, for 14 days at most."""
    now = datetime.now(UTC)
    with clear_errors():
        found = tools(stack)
        target, _ = found.webhook(webhook)
        changed = found.states.change(
            target, lambda health: disabled_by_operator(current(health, target.version, now=now), now=now)
        )
    if changed is None:
        fail(f"webhook {webhook} was removed in the meantime")
    say(f"Webhook {webhook} is disabled.", {"webhook": webhook, "health": HealthState.DISABLED}, as_json=as_json)


@app.command(epilog=examples("webhooks enable WEBHOOK"))
def enable(webhook: WebhookArgument, stack: StackName = STACK, as_json: Json = False) -> None:
    """Try a disabled or failing webhook at once. What waits follows when one delivery succeeds."""
    now = datetime.now(UTC)
    with clear_errors():
        found = tools(stack)
        target, _ = found.webhook(webhook)
        changed = found.states.change(target, lambda health: enabled(current(health, target.version, now=now), now=now))
        found.backlog.wake(target.instance_id, target.webhook_id, now=now)
    if changed is None:
        fail(f"webhook {webhook} was removed in the meantime")
    health = changed[1].state
    text = "healthy already" if health is HealthState.HEALTHY else "tried with the next delivery, within a minute"
    say(f"Webhook {webhook} is {text}.", {"webhook": webhook, "health": health}, as_json=as_json)


def attempts(
    webhook: Annotated[str | None, typer.Argument(metavar="[WEBHOOK]", help="Only this webhook's.")] = None,
    instance: InstanceOption = None,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Show recent failed attempts and each webhook's last test, the latest first, with what was answered."""
    with clear_errors():
        found = tools(stack)
        if webhook:
            pairs = [found.webhook(webhook)]
        else:
            pairs = list(found.states.every(found.instance(instance).id if instance else None))
        rows = [row for target, item in pairs for row in _attempts(found, target, item)]
    rows.sort(key=lambda row: row["at"], reverse=True)
    show(rows, title="Failed attempts and tests", empty="No failed attempts.", as_json=as_json)


def _attempts(found: Tools, target: Target, item: Mapping[str, Any]) -> list[dict[str, Any]]:
    who = {**_names(found.directory.of(target.instance_id)), "webhook": target.webhook_id}
    rows = [
        {
            "at": attempt.at,
            **who,
            "delivery": attempt.delivery,
            "type": attempt.type,
            "result": attempt.reason,
            "answer": attempt.excerpt,
        }
        for attempt in target.health.attempts
    ]
    if test := item.get("test_result"):
        rows.append(
            {
                "at": datetime.fromisoformat(test["at"]),
                **who,
                "delivery": test.get("delivery", ""),
                "type": "webhook.test",
                "result": test["status"],
                "answer": test.get("answer", ""),
            }
        )
    return rows


def _row(found: Tools, target: Target, item: Mapping[str, Any], notifications: Mapping[str, bool]) -> dict[str, Any]:
    health = _health(target)
    on = notifications.get(target.instance_id, False)
    test = item.get("test_result")
    return {
        **found.directory.of(target.instance_id).columns(),
        "webhook": target.webhook_id,
        "url": target.url,
        "format": target.format,
        "health": _shown(health, notifications=on),
        "notifications": on,
        "since": health.since,
        "last_failure": health.last_reason if health.failures or health.state is not HealthState.HEALTHY else None,
        "waiting": found.backlog.waiting(target.instance_id, target.webhook_id),
        "last_test": f"{test['status']} at {test['at']}" if test else None,
    }


def _shown(health: Health, *, notifications: bool) -> Shown:
    """A webhook is not called healthy while its instance sends it nothing."""
    if health.state is HealthState.HEALTHY and not notifications:
        return Shown(NOTIFICATIONS_OFF, "yellow")
    return Shown(health.state, _STYLES[health.state])


def _names(who: Named) -> dict[str, str]:
    return {"instance": who.id, "name": who.name}


def _health(target: Target) -> Health:
    return current(target.health, target.version, now=datetime.now(UTC))


def _await_test(found: Tools, target: Target, *, since: datetime, wait: int) -> dict[str, Any]:
    """The result of a test sent after *since*; empty if there was none within *wait* seconds."""
    while datetime.now(UTC) < since + timedelta(seconds=wait):
        for other, item in found.states.every(target.instance_id):
            result = item.get("test_result")
            if other.webhook_id == target.webhook_id and result and datetime.fromisoformat(result["at"]) >= since:
                return dict(result)
        time.sleep(_POLL)
    return {}
