"""Replays: asking for one, and how far it is."""

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lambdas.domain.portal import Replay
from lambdas.domain.tenants.instance import Instance
from lambdas.domain.webhooks.delivery import KEPT_FOR
from lambdas.portal.errors import Conflict, NotFound, Refusal
from lambdas.portal.http import Response, see_other
from lambdas.portal.pages.mail import host_of
from lambdas.portal.pages.webhooks import WebhookPages
from lambdas.portal.ports import ReplayQueue, Replays
from lambdas.portal.rendering import Renderer, moment
from lambdas.portal.routing import Call

_QUIET = timedelta(minutes=2)  # without a step: its message may never have been sent, and a second one does no harm
_LONGEST_ID = 100  # characters
_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?", re.ASCII)  # what `datetime-local` sends
_MINUTE = timedelta(minutes=1)  # browsers choose whole minutes: the oldest one that a page offers is accepted
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
        """Send again what the form asks for: all of the last hours, all since a moment, or one webhook-id."""
        self.webhooks.find(call)
        delivery_id, since, what = asked_for(call.form, now=call.now)
        replay = Replay(
            id=secrets.token_hex(8),
            instance_id=call.instance,
            webhook_id=call.webhook,
            since=since,
            began_at=call.now,
            who=call.signed_in.who,
            delivery_id=delivery_id,
        )
        if not self.replays.begin_replay(replay):
            raise Conflict("A replay of this webhook is running. Wait until it has ended.")
        self.steps.send(call.instance, call.webhook, replay.id)
        self.webhooks.record(call, f"replay of {what}")
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


def asked_for(form: Mapping[str, str], *, now: datetime) -> tuple[str, datetime, str]:
    """A replay form's webhook-id (empty: all deliveries), from when on it replays, and both in words.

    A `delivery` or a `since` counts before `hours`, which a browser always sends. Raises Refusal; it names the field.
    """
    delivery_id, since = form.get("delivery", "").strip(), form.get("since", "").strip()
    if delivery_id and since:
        raise Refusal("Fill in the field since or the field delivery, not both.")
    if delivery_id:
        if len(delivery_id) > _LONGEST_ID or not delivery_id.isprintable():
            raise Refusal("The field delivery must be a webhook-id, such as msg_0a1b2c.")
        return delivery_id, now - KEPT_FOR, delivery_id
    if since:
        moment_ = _since(since, now)
        return "", moment_, f"all since {moment(moment_)}"
    hours = _hours(form.get("hours", ""))
    return "", now - timedelta(hours=hours), f"{hours} hours"


def _since(text: str, now: datetime) -> datetime:
    """A form's date and time, in UTC. Raises Refusal."""
    if not _DATE_AND_TIME.fullmatch(text):
        raise Refusal("The field since must be a date and a time in UTC, such as 2026-11-21T04:00.")
    try:
        since = datetime.fromisoformat(text.replace(" ", "T")).replace(tzinfo=UTC)
    except ValueError:
        raise Refusal(f"The field since is not a date and time that exists: {text}.") from None
    if since >= now:
        raise Refusal(f"The field since is in the future: {moment(since)}. It is {moment(now)} now.")
    if since < now - KEPT_FOR - _MINUTE:
        oldest = moment(now - KEPT_FOR)
        raise Refusal(f"The field since is too long ago: deliveries are kept for {KEPT_FOR.days} days, since {oldest}.")
    return since


def _hours(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 4 or not 1 <= int(text) <= _LONGEST_HOURS:
        raise Refusal(f"The field hours must be a number from 1 to {_LONGEST_HOURS}.")
    return int(text)
