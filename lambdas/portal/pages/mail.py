"""The page that finds a mail. The search is posted: no address in a URL, a log or a referrer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

from lambdas.domain.tenants.instance import Instance
from lambdas.domain.webhooks.target import Target
from lambdas.domain.webhooks.webhook import NotificationFormat
from lambdas.portal.errors import Refusal
from lambdas.portal.finding import FIRST_SLICE, SHORTEST, SHORTEST_SLICE, Finder, Place
from lambdas.portal.http import Response
from lambdas.portal.pages.webhooks import EMAIL_HOST
from lambdas.portal.ports import Webhooks
from lambdas.portal.rendering import Renderer
from lambdas.portal.routing import Call

_LONGEST = 320  # characters: an address
_LONGEST_KEY = 400  # characters: a ledger entry's


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPages:
    """Asks for a recipient or a message id, and shows what is known of it."""

    renderer: Renderer
    finder: Finder
    webhooks: Webhooks
    instance: Callable[[str], Instance]

    def ask(self, call: Call) -> Response:
        """The empty form."""
        return self.renderer.page(call, "mail.html", instance=self.instance(call.instance), needle="", search=None)

    def search(self, call: Call) -> Response:
        """What is known of the mail, from the form's `until` back, newest first."""
        instance = self.instance(call.instance)
        needle = needle_of(call)
        targets = [(target, host_of(target)) for target, _ in self.webhooks.every(call.instance)]
        place = Place(
            until=_until(call.form.get("until", ""), call.now),
            after=call.form.get("after", "")[:_LONGEST_KEY],
            width=_width(call.form.get("width", "")),
        )
        search = self.finder.search(call.instance, needle, targets, place=place, now=call.now)
        return self.renderer.page(call, "mail.html", instance=instance, needle=needle, search=search)


def needle_of(call: Call) -> str:
    """What the form asks for. Raises Refusal."""
    needle = call.form.get("needle", "").strip()
    if not SHORTEST <= len(needle) <= _LONGEST or not needle.isprintable():
        raise Refusal(f"The field needle must be an address or a message id, {SHORTEST} to {_LONGEST} characters.")
    return needle


def _width(text: str) -> timedelta:
    """How much time the last request could read at once, s; a form of ours holds nothing else."""
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        return FIRST_SLICE
    return min(FIRST_SLICE, max(SHORTEST_SLICE, timedelta(seconds=int(text))))


def host_of(target: Target) -> str:
    """The webhook's host, as all pages name it."""
    return EMAIL_HOST if target.format is NotificationFormat.EMAIL else urlsplit(target.url).hostname or ""


def _until(text: str, now: datetime) -> datetime:
    """Where the last request ended; now for the first. Raises Refusal."""
    if not text:
        return now
    try:
        until = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal("The field until must be a time, such as 2026-11-21T04:00:00+00:00.") from None
    return min(now, until if until.tzinfo else until.replace(tzinfo=UTC))
