"""`ops replay`: send a binding's deliveries again, delivered or parked, with the webhook-ids they had."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

import typer

from lambdas.domain.webhooks.backlog import Parked
from lambdas.domain.webhooks.delivery import KEPT_FOR, Delivery, DeliveryBatch, batched
from lambdas.domain.webhooks.webhook import WebhookId
from ops.command_line.console import STACK, Json, StackName, clear_errors, fail, say
from ops.command_line.moments import moment
from ops.deployment.tools import Tools, tools

MAX_ITEMS = 10_000  # of a partition, up to 50 deliveries each, that are looked at


def replay(
    binding: Annotated[str, typer.Option(help="The binding whose deliveries are sent again.")],
    since: Annotated[
        str | None,
        typer.Option(help="All since then: 2026-11-21T04:00:00Z, or how long ago: 90m, 12h, 3d."),
    ] = None,
    id_: Annotated[str | None, typer.Option("--id", help="The one with this webhook-id.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Only count.")] = False,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Send a binding's deliveries again: all since a time, or one by its webhook-id. They are kept for 14 days."""
    now = datetime.now(UTC)
    if (since is None) == (id_ is None):
        fail("give either --since or --id")
    start = moment(since, now=now) if since is not None else now - KEPT_FOR
    with clear_errors():
        found = tools(stack)
        webhook_id, chosen = send_again(found, binding, since=start, id_=id_, now=now, dry_run=dry_run)
    row = {"binding": binding, "webhook": webhook_id, "deliveries": len(chosen), "sent": not dry_run}
    what = "would be sent" if dry_run else "are sent"
    say(f"{len(chosen)} deliveries {what} again to webhook {webhook_id}.", row, as_json=as_json)
    if id_ and not chosen:
        raise typer.Exit(1)


def send_again(
    found: Tools, binding: str, *, since: datetime, now: datetime, id_: str | None = None, dry_run: bool = False
) -> tuple[WebhookId, dict[str, Delivery]]:
    """Queue a binding's deliveries again, all since then or the one with that id: its webhook, and what was chosen."""
    instance_id, webhook_id = _webhook_of(found, binding)
    delivered = _chosen(found.archive.since(instance_id, webhook_id, since), id_)
    parked, whole = _parked(found, instance_id, webhook_id, since, id_)
    chosen = {delivery.id: delivery for delivery in [*delivered, *parked]}
    if not dry_run:
        found.queue.send(_batches(instance_id, webhook_id, chosen.values(), now=now))
        found.backlog.remove(whole)
    return webhook_id, chosen


def _webhook_of(found: Tools, binding_id: str) -> tuple[str, WebhookId]:
    instance_id = found.broker.instance_of_binding(binding_id)
    binding = found.broker.binding(instance_id, binding_id) if instance_id else None
    if binding is None or not binding.webhook_id:
        fail(f"there is no binding {binding_id} with a webhook")
    return binding.instance_id, WebhookId(binding.webhook_id)


def _parked(
    found: Tools, instance_id: str, webhook_id: WebhookId, start: datetime, id_: str | None
) -> tuple[list[Delivery], list[Parked]]:
    """The parked deliveries that are asked for, and the items that hold nothing else: those need not wait any more.

    They are taken out after they were queued, so that dying in between repeats them and loses none.
    """
    chosen: list[Delivery] = []
    whole: list[Parked] = []
    for partition in found.backlog.partitions(instance_id, webhook_id):
        for parked in found.backlog.read(partition, limit=MAX_ITEMS):
            deliveries = parked.batch.deliveries if parked.batch else ()
            fitting = [one for one in deliveries if (one.id == id_ if id_ else one.created_at >= start)]
            chosen += fitting
            if fitting and len(fitting) == len(deliveries):
                whole.append(parked)
    return chosen, whole


def _chosen(batches: Iterable[DeliveryBatch], id_: str | None) -> Iterator[Delivery]:
    return (delivery for batch in batches for delivery in batch.deliveries if id_ is None or delivery.id == id_)


def _batches(
    instance_id: str, webhook_id: WebhookId, deliveries: Iterable[Delivery], *, now: datetime
) -> Iterator[DeliveryBatch]:
    """Oldest first; they live for 14 days from now, for they were asked for now."""
    fresh = (replace(delivery, created_at=now) for delivery in sorted(deliveries, key=lambda one: one.created_at))
    for some in batched(fresh):
        yield DeliveryBatch(instance_id=instance_id, webhook_id=webhook_id, attempt=1, deliveries=some)
