"""Whose a domain is, and what is made of it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambdas.broker.instances.domain_claims import CHECKED_FOR, LOOKS, DomainClaims
from lambdas.broker.operations.engine import LEASE_CHECK, MAX_FAILURES
from lambdas.domain.tenants.dns_records import Dkim
from lambdas.domain.tenants.domain_claim import Claim
from lambdas.domain.tenants.identity import Identity
from lambdas.domain.tenants.instance import OperationKind, PrivateLinkParameters
from tests.broker.world import World, settings

ADMIN = {"admin_email": "admin@agency.gov"}


@pytest.fixture
def world() -> World:
    """A fresh broker."""
    return World()


def asking(world: World, instance: str, domain: str, organization: str = "org-1") -> Any:
    """A provision for *domain*."""
    return world.provision(instance, parameters={**ADMIN, "domain": domain}, organization_guid=organization)


def foreign(owner: str | None = None) -> Identity:
    """An identity that we did not make."""
    dkim = Dkim(tokens=(), zone="")
    return Identity(owner=owner, dkim=dkim, verified=True, failed=False, mail_from="", configuration_set="")


@pytest.mark.parametrize(
    ("other", "organization", "status"),
    [
        ("agency.gov", "org-1", 409),
        ("AGENCY.gov.", "org-2", 409),
        ("mail.agency.gov", "org-1", 202),
        ("mail.agency.gov", "org-2", 409),
        ("a.b.agency.gov", "org-2", 409),
        ("agency2.gov", "org-2", 202),
        ("notagency.gov", "org-2", 202),
    ],
)
@pytest.mark.parametrize("parent_first", [True, False])
def test_a_domain_is_held_by_one_and_its_kin_by_one_organization(
    world: World, other: str, organization: str, status: int, parent_first: bool
) -> None:
    """A subdomain of another organization's domain would send in its name, and the other way round."""
    calls = [("i1", "agency.gov", "org-1"), ("i2", other, organization)]
    first, second = calls if parent_first else calls[::-1]
    assert asking(world, *first).status == 202
    world.work()
    answer = asking(world, *second)
    assert answer.status == status
    if status == 409:
        assert answer.body["error"] == "DomainConflict"
        assert world.table.instance(second[0]) is None


@pytest.mark.parametrize("domain", ["mail.example.net", "x.mail.example.net", "example.net"])
def test_the_operators_own_zone_is_nobodys(world: World, domain: str) -> None:
    """Nor what lies above it."""
    assert asking(world, "i1", domain).status == 409


def test_a_domain_that_somebody_else_set_up_in_ses_is_refused(world: World) -> None:
    """It has no tag of ours, and stays as it is."""
    world.ses.identities["agency.gov"] = foreign()
    answer = asking(world, "i1", "agency.gov")
    assert (answer.status, "SES" in answer.body["description"]) == (409, True)
    assert world.table.instance("i1") is None
    assert world.ses.identities == {"agency.gov": foreign()}


def test_while_ses_is_busy_the_worker_finds_out(world: World) -> None:
    """The operation fails with the reason, what was made is removed, the domain is free again."""
    world.ses.identities["agency.gov"] = foreign("another instance")
    world.ses.throttled = 1
    assert asking(world, "i1", "agency.gov").status == 202
    world.work()
    answer = world.poll()
    assert answer.body["state"] == "failed"
    assert "already set up" in answer.body["description"]
    assert world.left() == {"identities": {"agency.gov": foreign("another instance")}}
    del world.ses.identities["agency.gov"]
    world.ready("i2")


def test_an_unverified_claim_blocks_its_own_name_alone(world: World) -> None:
    """Whoever claims a name without holding it must not shut out those above and below."""
    world.ses.verifies = False
    world.ready("i1", parameters={**ADMIN, "domain": "agency.gov"})
    for number, domain in enumerate(("mail.agency.gov", "a.b.agency.gov")):
        assert asking(world, f"below{number}", domain, "org-2").status == 202
        world.work()
        assert world.poll(f"below{number}").body["state"] == "succeeded"
    assert asking(world, "i2", "agency.gov", "org-2").status == 409
    assert asking(world, "i3", "agency.gov", "org-1").status == 409


def test_a_claim_that_was_verified_after_the_request_is_found_by_the_worker(world: World) -> None:
    """The request's own look saw none; the worker looks again before anything is made."""
    world.ses.verifies = False
    world.ready("i1", parameters={**ADMIN, "domain": "mail.agency.gov"})
    assert asking(world, "i2", "agency.gov", "org-2").status == 202
    world.ses.verifies = True
    world.later(hours=2)
    world.work()
    answer = world.poll("i2").body
    assert answer["state"] == "failed"
    assert "another organization" in answer["description"]
    assert "mail.agency.gov" not in answer["description"]
    assert list(world.ses.identities) == ["mail.agency.gov"]


def test_a_refusal_names_nobody_elses_domain(world: World) -> None:
    """Which domains other tenants have is theirs to tell."""
    world.ready("i1", parameters={**ADMIN, "domain": "secret-project.agency.gov"})
    answer = asking(world, "i2", "agency.gov", "org-2")
    assert answer.status == 409
    assert "secret-project" not in answer.body["description"]


def test_many_unverified_claims_below_a_domain_are_looked_at_in_turns(world: World) -> None:
    """Each look is a call to SES, which takes about one a second; none is repeated within the hour."""
    world.ses.verifies = False
    for number in range(12):
        world.ready(f"squatter{number}", parameters={**ADMIN, "domain": f"s{number}.agency.gov"})
    at = world.gate.calls
    assert asking(world, "i1", "agency.gov", "org-2").status == 202
    assert world.gate.names[at:].count("FakeSes.identity") == LOOKS + 1
    world.work()
    assert world.poll("i1").body["state"] == "succeeded"
    looks = world.gate.names[at:].count("FakeSes.identity")
    assert looks == 12 + 1


@pytest.mark.parametrize(
    "domain", ["gov.uk", "co.uk", "github.io", "s3.amazonaws.com", "GOV.UK.", "xn--p1ai.", "com.au"]
)
def test_a_public_suffix_is_nobodys_domain(world: World, domain: str) -> None:
    """Others register names below it."""
    answer = asking(world, "i1", domain)
    assert answer.status == 400
    assert answer.body["description"].startswith("domain:")
    assert world.table.domains == {}


@pytest.mark.parametrize("domain", ["agency.gov.uk", "agency.co.uk", "me.github.io", "agency.zz-unknown"])
def test_a_name_below_a_public_suffix_is_a_domain(world: World, domain: str) -> None:
    """So is one of a top-level domain that the list does not know."""
    assert asking(world, "i1", domain).status == 202


def test_an_operator_can_allow_a_suffix() -> None:
    """Where the platform's owner holds it; the others stay refused."""
    world = World(settings=settings(allowed_public_suffixes="gov.uk,github.io"))
    assert asking(world, "i1", "gov.uk").status == 202
    assert asking(world, "i2", "co.uk").status == 400


def test_a_late_deletion_does_not_take_anothers_claim(world: World) -> None:
    """The provision failed and gave its domain back; another took it; then the platform tidies the first up."""
    world.gate.failing["FakeSes.ensure_identity"] = RuntimeError("AWS has a bad day")
    assert asking(world, "i1", "agency.gov").status == 202
    world.work()
    world.gate.failing.clear()
    world.ready("i2")
    assert world.deprovision("i1").status == 202
    world.work()
    assert world.poll("i1").status == 410
    assert list(world.ses.identities) == ["agency.gov"]
    assert world.table.domains["agency.gov"].instance_id == "i2"


def test_deprovisioning_touches_only_what_carries_the_tag(world: World) -> None:
    """Somebody deleted our identity by hand and made another."""
    world.ready()
    world.ses.identities["agency.gov"] = foreign()
    world.deprovision()
    world.work()
    assert world.left() == {"identities": {"agency.gov": foreign()}}


def test_a_generated_domain_comes_with_its_records(world: World) -> None:
    """It is ready once SES has verified it; nothing is left for the tenant to do in DNS."""
    world.ses.verifies = False
    world.provision(parameters={**ADMIN, "mail_from_subdomain": "bounce"})
    for _ in range(20):
        message, _ = world.tasks.messages.pop()
        world.engine.run_step(message, owner="w")
        world.later(seconds=15)
    assert world.poll().body["state"] == "in progress"
    assert "verify" in world.poll().body["description"]
    [domain] = world.ses.identities
    assert domain.endswith(".mail.example.net")
    assert len(domain.split(".")[0]) == len("ses-") + 16
    assert world.zone.records[f"bounce.{domain}", "MX"] == "10 feedback-smtp.us-east-1.amazonses.com"
    assert len(world.zone.records) == 6
    world.ses.verifies = True
    world.work()
    assert world.poll().body["state"] == "succeeded"
    credentials = world.bind().body["credentials"]
    assert credentials["required_records"] == []
    assert "nothing to do in DNS" in credentials["instructions"]


def test_a_generated_domain_that_never_verifies_ends_the_operation(world: World) -> None:
    """After three hours; nothing is left."""
    world.ses.verifies = False
    world.provision(parameters=ADMIN)
    world.work(tasks=2000)
    answer = world.poll().body
    assert (answer["state"], "too long" in answer["description"]) == ("failed", True)
    assert world.left() == {}


def test_a_generated_domain_that_ses_gives_up_is_refused(world: World) -> None:
    """DKIM failed: the zone is not the one it seems to be."""
    world.ses.verifies = False
    identity = world.ses.identity
    world.ses.identity = lambda domain: (  # type: ignore[method-assign]
        replace(found, failed=True) if (found := identity(domain)) else None
    )
    world.provision(parameters=ADMIN)
    world.work()
    assert world.poll().body["state"] == "failed"
    assert world.left() == {}


def test_the_records_of_a_supplied_domain_are_ready_to_paste(world: World) -> None:
    """DMARC by the operator's policy, with the operator's recipients and the tenant's."""
    parameters = {
        **ADMIN,
        "domain": "agency.gov",
        "mail_from_subdomain": "bounce",
        "dmarc_report_aggregate_recipients": ["agg@agency.gov"],
        "dmarc_report_failure_recipients": ["mailto:fail@agency.gov"],
    }
    world.ready(parameters=parameters)
    records = world.bind().body["credentials"]["required_records"]
    assert [(record["type"], record["name"], record["value"]) for record in records] == [
        ("CNAME", "t1._domainkey.agency.gov", "t1.dkim.amazonses.com"),
        ("CNAME", "t2._domainkey.agency.gov", "t2.dkim.amazonses.com"),
        ("CNAME", "t3._domainkey.agency.gov", "t3.dkim.amazonses.com"),
        (
            "TXT",
            "_dmarc.agency.gov",
            "v=DMARC1; p=reject; rua=mailto:dmarc@operator.example,mailto:agg@agency.gov; ruf=mailto:fail@agency.gov",
        ),
        ("MX", "bounce.agency.gov", "10 feedback-smtp.us-east-1.amazonses.com"),
        ("TXT", "bounce.agency.gov", "v=spf1 include:amazonses.com ~all"),
    ]
    assert world.ses.identities["agency.gov"].mail_from == "bounce.agency.gov"


def test_without_mail_from_the_domain_itself_has_the_spf_record(world: World) -> None:
    """There is no MX then."""
    world.ready()
    records = world.bind().body["credentials"]["required_records"]
    assert [(record["type"], record["name"]) for record in records[4:]] == [("TXT", "agency.gov")]


def test_everything_made_is_tagged_with_what_the_platform_says(world: World) -> None:
    """In words that AWS takes for tags."""
    world.ready()
    [tags] = world.ses.sets.values()
    assert tags == {
        "ses-feedback:instance-id": "i1",
        "ses-feedback:platform": "cloudfoundry",
        "ses-feedback:organization-guid": "org-1",
        "ses-feedback:organization-name": "Org_ one",
        "ses-feedback:space-guid": "space-1",
        "ses-feedback:space-name": "dev",
    }
    world.bind()
    assert world.users.users["ses-feedback-b1"]["tags"] == {**tags, "ses-feedback:binding-id": "b1"}


def test_throttling_is_waited_out(world: World) -> None:
    """However long it takes; the tenant is told meanwhile."""
    world.provision()
    world.ses.throttled = 40
    message, _ = world.tasks.messages[0]
    world.engine.run_step(message, owner="w")
    assert "one call a second" in world.poll().body["description"]
    world.work(tasks=100)
    assert world.poll().body["state"] == "succeeded"


def test_what_aws_keeps_refusing_is_undone(world: World) -> None:
    """After some tries; the same provision again starts over."""
    world.gate.failing["FakeTopics.ensure"] = RuntimeError("AWS has a bad day")
    world.provision()
    world.work()
    assert world.gate.names.count("FakeTopics.ensure") == MAX_FAILURES
    answer = world.poll().body
    assert answer["state"] == "failed"
    assert "bad day" not in answer["description"]
    assert world.left() == {}
    world.gate.failing.clear()
    assert world.provision().status == 202
    world.work()
    assert world.poll().body["state"] == "succeeded"


def test_what_cannot_be_removed_is_left_for_another_deletion(world: World) -> None:
    """The operation fails, the instance is still there, and deleting it again finishes."""
    world.ready()
    world.gate.failing["FakeSes.remove_configuration_set"] = RuntimeError("AWS has a bad day")
    world.deprovision()
    world.work()
    assert world.poll().body["state"] == "failed"
    assert world.provision().status == 409
    assert world.bind().status == 400
    assert world.update(parameters={"admin_email": "x@agency.gov"}).status == 422
    world.gate.failing.clear()
    assert world.deprovision().status == 202
    world.work()
    assert world.left() == {}


def test_a_failed_update_leaves_things_as_they_were(world: World) -> None:
    """Also what had been changed already."""
    world.ready()
    world.gate.failing["FakeTopics.subscribe"] = RuntimeError("AWS has a bad day")
    world.update(parameters={"mail_from_subdomain": "bounce", "enable_feedback_notifications": True})
    for _ in range(8):
        [(message, delay)] = world.tasks.messages
        world.tasks.messages.clear()
        world.later(seconds=delay)
        if world.table.instances["i1"].operation.phase == "undo":
            world.gate.failing.clear()
        world.engine.run_step(message, owner="w")
        if not world.tasks.messages:
            break
    answer = world.poll().body
    assert (answer["state"], answer["instance_usable"], answer["update_repeatable"]) == ("failed", True, True)
    assert world.ses.identities["agency.gov"].mail_from == ""
    assert world.webhooks.instances == {"i1": False}
    assert world.fetch().body["parameters"]["mail_from_subdomain"] == ""


def test_fips_hosts_where_there_are_some() -> None:
    """In GovCloud unless switched off, elsewhere if the operator asks for them."""
    for region, fips, host in [
        ("us-gov-west-1", "auto", "email-smtp-fips.us-gov-west-1.amazonaws.com"),
        ("us-gov-west-1", "off", "email-smtp.us-gov-west-1.amazonaws.com"),
        ("us-east-1", "auto", "email-smtp.us-east-1.amazonaws.com"),
        ("us-east-1", "on", "email-smtp-fips.us-east-1.amazonaws.com"),
        ("eu-central-1", "on", "email-smtp.eu-central-1.amazonaws.com"),
    ]:
        world = World(settings=settings(region=region, fips=fips))
        world.ready()
        assert world.bind().body["credentials"]["smtp_server"] == host


def test_a_deletion_that_halts_a_provision_does_not_wait_for_the_lease(world: World) -> None:
    """The provision's worker frees its lease when it finds itself replaced, and queues the deletion."""
    ensure = world.ses.ensure_configuration_set

    def delete_meanwhile(name: str, tags: Any, *, sending: bool = True) -> None:
        world.ses.ensure_configuration_set = ensure  # type: ignore[method-assign]
        assert world.deprovision().status == 202
        message, _ = world.tasks.messages[-1]
        world.engine.run_step(message, owner="another worker")  # finds the lease taken, looks again later
        ensure(name, tags)

    world.ses.ensure_configuration_set = delete_meanwhile  # type: ignore[method-assign]
    world.provision()
    [(message, _)] = world.tasks.messages
    began = world.now
    world.engine.run_step(message, owner="worker")
    delays = [delay for sent, delay in world.tasks.messages if sent.operation_id != message.operation_id]
    assert min(delays[1:]) == 0
    assert max(delays) <= LEASE_CHECK
    world.tasks.messages.sort(key=lambda entry: entry[1])
    world.work()
    assert world.poll().status == 410
    assert world.left() == {}
    assert world.now - began <= 3 * timedelta(seconds=LEASE_CHECK)


def test_ses_is_asked_about_a_claim_once_an_hour(world: World) -> None:
    """Calls of SES are few, and a claim is mostly as it was."""
    claims = DomainClaims(claims=world.table, identities=world.ses)
    world.ses.identities["agency.gov"] = foreign("i1")
    asked = Claim(domain="agency.gov", instance_id="i1", organization_guid="o", checked_at=world.now)
    assert not claims.is_verified(asked, now=world.now + CHECKED_FOR)
    assert claims.is_verified(asked, now=world.now + CHECKED_FOR + timedelta(seconds=1))


def test_the_names_of_steps_are_those_of_the_release_before(world: World) -> None:
    """They are stored with an operation under way, which a new release of the worker goes on with."""
    world.ready(parameters=ADMIN)
    instance = world.table.instances["i1"]

    def names(kind: OperationKind, **changes: Any) -> list[str]:
        operation = replace(instance.operation, kind=kind)
        return [step.name for step in world.engine.steps_of(replace(instance, operation=operation, **changes))]

    start = ["domain claim", "notifications", "earlier pause", "configuration set", "event destination", "identity"]
    assert names(OperationKind.PROVISION) == [*start, "mail from", "alerts", "records", "verification"]
    assert names(OperationKind.DEPROVISION, generated=False) == [*start, "mail from", "alerts"]
    assert names(OperationKind.UPDATE) == ["notifications", "mail from", "alerts", "records", "webhooks"]
    assert names(OperationKind.UPDATE, generated=False) == ["notifications", "mail from", "alerts", "webhooks"]
    assert names(OperationKind.RELEASE) == ["identity", "sending rights", "notice"]
    link = PrivateLinkParameters(service_name="x")
    assert names(OperationKind.PROVISION, privatelink=link) == ["security group", "endpoint", "availability"]
