"""Tenants to look at, for the browser's tests and the pictures of the documentation."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import boto3
import pytest

from lambdas.domain.reputation.evaluation import SendingState
from lambdas.domain.tenants.dns_records import DnsRecord, RecordType
from lambdas.domain.webhooks.health import FailedAttempt, Health, HealthState
from lambdas.portal import dns_lookup
from lambdas.portal.pages.setup import LookedUp
from tests.portal.world import World, delivery

PAUSED, HEALTHY = "paused", "healthy"


def tenants(world: World) -> None:
    """One that its rates paused, and one that is well, each with webhooks."""
    for name, domain, organization in (
        (PAUSED, "news.agency.gov", "office-of-news"),
        (HEALTHY, "permits.agency.gov", "permits"),
    ):
        world.tenant(name, domain=domain, organization=organization, claimed=True)
        boto3.client("sesv2").create_email_identity(EmailIdentity=domain)
    for day in range(30):
        at = world.now - timedelta(days=day, hours=1)
        world.delivered(HEALTHY, 800 + 37 * (day % 7), at=at)
        world.bounced(HEALTHY, day % 4, at=at)
        if day > 2:
            world.delivered(PAUSED, 40 + 7 * (day % 5), at=at)
            world.bounced(PAUSED, day % 2, at=at)
    world.delivered(PAUSED, 300, at=world.now - timedelta(days=2, hours=3))
    imported = world.now - timedelta(days=2, hours=2)
    world.bounced(PAUSED, 90, at=imported, to="old.list@retired.example", message_id="0100019a-import")
    world.moved(PAUSED, SendingState.WARNED, at=world.now - timedelta(days=2, hours=2))
    world.moved(PAUSED, SendingState.PAUSED, at=world.now - timedelta(days=2, hours=1))
    world.webhook(HEALTHY, "wh-orders", host="orders.permits.agency.gov")
    world.webhook(PAUSED, "wh-news", host="hooks.news.agency.gov", health=_failing(world))
    world.webhook(PAUSED, "wh-audit", host="audit.news.agency.gov")
    sent = delivery("msg_delivered", to="old.list@retired.example", message_id="0100019a-import", at=imported)
    waits = delivery("msg_waiting", to="ann@example.net", message_id="0100019a-waiting", at=world.now)
    world.archived(PAUSED, "wh-audit", sent, at=imported)
    world.parked(PAUSED, "wh-news", waits, due=world.now + timedelta(minutes=15))


@contextmanager
def dns() -> Iterator[None]:
    """DNS as a tenant has it midway: DKIM is right, DMARC differs, the rest is missing. Nothing is asked."""
    answers = {
        RecordType.CNAME: lambda record: (record.value + ".",),
        RecordType.TXT: lambda _: ("v=DMARC1; p=reject",),
    }

    def look_up(records: Sequence[DnsRecord]) -> list[LookedUp]:
        return [dns_lookup.compared(one, answers.get(one.type, lambda _: ())(one)) for one in records]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(dns_lookup, "look_up", look_up)
        yield


def _failing(world: World) -> Health:
    failed = FailedAttempt(
        delivery="msg_waiting",
        type="email.bounced",
        at=world.now - timedelta(minutes=2),
        reason="503",
        excerpt="upstream connect error or disconnect/reset before headers",
    )
    return Health(
        state=HealthState.FAILING,
        failures=12,
        since=world.now - timedelta(minutes=40),
        first_failure=world.now - timedelta(minutes=41),
        last_failure=world.now - timedelta(minutes=2),
        last_reason="503",
        probes=5,
        probe_at=world.now + timedelta(minutes=13),
        attempts=(failed,),
    )
