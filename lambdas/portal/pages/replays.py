"""Replays: asking for one, and how far it is."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from lambdas.domain.portal import Replay
from lambdas.domain.tenants.instance import Instance
from lambdas.domain.webhooks.delivery import KEPT_FOR
from lambdas.portal.errors import Conflict, NotFound, Refusal
from lambdas.portal.http import Response, see_other
from lambdas.portal.pages.mail import host_of
from lambdas.portal.pages.webhooks import WebhookPages
from lambdas.portal.ports import ReplayQueue, Replays
from lambdas.portal.rendering import Renderer
from lambdas.portal.routing import Call

_QUIET = timedelta(minutes=2)  # without a step: its message may never have been sent, and a second one does no harm
_LONGEST_HOURS = int(KEPT_FOR.total_seconds() // 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPages:
    """Begins a replay, one at a time for each webhook, and shows its progress."""

    renderer: Renderer
    webhooks: WebhookPages
    replays: Replays
    steps: ReplayQueue
    instance: Callable[[str], Instance]
    shards: int

    def begin(self, call: Call) -> Response:
        """Send again what the form asks for: all of the last hours, or one webhook-id."""
        self.webhooks.find(call)
        delivery_id = call.form.get("delivery", "").strip()
        if len(delivery_id) > 100 or not delivery_id.isprintable():
            raise Refusal("The field delivery must be a webhook-id, such as msg_0a1b2c.")
        hours = _LONGEST_HOURS if delivery_id else _hours(call.form.get("hours", ""))
        replay = Replay(
            id=secrets.token_hex(8),
            instance_id=call.instance,
            webhook_id=call.webhook,
            since=call.now - timedelta(hours=hours),
            began_at=call.now,
            who=call.signed_in.who,
            delivery_id=delivery_id,
        )
        if not self.replays.begin_replay(replay):
            raise Conflict("A replay of this webhook is running. Wait until it has ended.")
        self.steps.send(call.instance, call.webhook, replay.id)
        self.webhooks.record(call, f"replay of {delivery_id or f'{hours} hours'}")
        return see_other("replay")

    def show(self, call: Call) -> Response:
        """The webhook's last replay."""
        target, _ = self.webhooks.find(call)
        replay = self.replays.replay(call.instance, call.webhook)
        if replay is None:
            raise NotFound("Nothing of this webhook was replayed in the last 14 days.")
        running = replay.is_running(now=call.now)
        if running and call.now - (replay.touched_at or replay.began_at) > _QUIET:
            self.steps.send(call.instance, call.webhook, replay.id)
        return self.renderer.page(
            call,
            "replay.html",
            instance=self.instance(call.instance),
            replay=replay,
            host=host_of(target),
            running=running,
            steps=2 * self.shards,
        )


def _hours(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 4 or not 1 <= int(text) <= _LONGEST_HOURS:
        raise Refusal(f"The field hours must be a number from 1 to {_LONGEST_HOURS}.")
    return int(text)
