"""The broker's memory: every write is conditional, claims change with what they belong to."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.domain.errors import DomainTaken, OrganizationFull, VersionConflict
from lambdas.domain.tenants.domain_claim import REMEMBERED_FOR
from lambdas.domain.tenants.instance import (
    Binding,
    BindingState,
    BindRequest,
    Instance,
    InstanceState,
    Made,
    Operation,
    OperationKind,
    OperationState,
    SesParameters,
    Unfinished,
    WebhookChange,
    WebhookSettings,
)
from lambdas.domain.webhooks.webhook import EventKind, NotificationFormat, Scope
from tests.aws.tables import dynamodb_with

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)


@pytest.fixture
def dynamodb() -> Iterator["DynamoDBClient"]:
    """A broker table."""
    with dynamodb_with("broker", keys=("pk", "sk")) as client:
        yield client


@pytest.fixture
def table(dynamodb: "DynamoDBClient") -> BrokerTable:
    """The adapter."""
    return BrokerTable(dynamodb, "broker")


def instance(id_: str = "i1", organization: str = "org-1", domain: str = "agency.gov") -> Instance:
    """An instance whose provision is under way."""
    return Instance(
        id=id_,
        service_id="s",
        plan_id="p",
        organization_guid=organization,
        space_guid="space",
        state=InstanceState.NEW,
        operation=Operation(id="op", kind=OperationKind.PROVISION, started_at=NOW, touched_at=NOW),
        ses=SesParameters(admin_email="a@b.cc", dmarc_report_aggregate_recipients=("x@y.zz",)),
        domain=domain,
    )


def binding(id_: str = "b1", instance_id: str = "i1") -> Binding:
    """An intent."""
    request = BindRequest(service_id="s", plan_id="p", notification_events=(EventKind.BOUNCE,))
    return Binding(
        id=id_,
        instance_id=instance_id,
        state=BindingState.INTENT,
        request=request,
        effective=request,
        created_at=NOW,
        ciphertext=b"\x00\xff",
        busy_until=NOW + timedelta(seconds=30),
    )


def test_what_was_never_written_is_none(table: BrokerTable) -> None:
    """Of every kind."""
    assert table.instance("i1") is None
    assert table.binding("i1", "b1") is None
    assert table.instance_of_binding("b1") is None


def test_an_instance_comes_back_as_it_was(table: BrokerTable) -> None:
    """With its operation and all that an update carries."""
    settings = WebhookSettings(
        url="https://x.yy/",
        events=(EventKind.BOUNCE,),
        format=NotificationFormat.SNS,
        scope=Scope.BINDING,
        ciphertext=b"\x00",
    )
    change = WebhookChange(binding_id="b", webhook_id="w", before=settings, after=settings, mark="m")
    made = Made(dkim_tokens=("t",), alert_topic_arn="arn")
    whole = replace(instance(), made=made, tags={"k": "v"}, lease_until=NOW, bindings=("b",))
    whole = replace(whole, operation=replace(whole.operation, webhooks=(change,)))
    saved = table.save_instance(whole)
    assert table.instance("i1") == saved == replace(whole, version=1)


def test_a_write_over_another_is_a_conflict(table: BrokerTable) -> None:
    """The one who read before the other wrote decides anew."""
    first = table.save_instance(instance())
    with pytest.raises(VersionConflict):
        table.save_instance(instance())
    table.save_instance(replace(first, dirty=True))
    with pytest.raises(VersionConflict):
        table.save_instance(replace(first, dirty=False))


def test_a_tombstone_expires_and_a_new_life_does_not(table: BrokerTable, dynamodb: "DynamoDBClient") -> None:
    """30 days after the end."""
    saved = table.save_instance(replace(instance(), state=InstanceState.GONE))
    key = {"pk": {"S": "instance#i1"}, "sk": {"S": "instance"}}
    item = dynamodb.get_item(TableName="broker", Key=key)["Item"]
    assert int(item["expires_at"]["N"]) == int((NOW + timedelta(days=30)).timestamp())
    table.save_instance(replace(saved, state=InstanceState.NEW))
    assert "expires_at" not in dynamodb.get_item(TableName="broker", Key=key)["Item"]


def test_a_domain_is_claimed_with_its_instance_or_not_at_all(table: BrokerTable) -> None:
    """Held by another, or below another organization's: neither claim nor instance is written."""
    table.save_instance(instance(), claim="agency.gov")
    [claim] = table.claims_related("agency.gov")
    table.note_claim(claim, verified=True, at=NOW)
    for domain, organization in (("agency.gov", "org-1"), ("mail.agency.gov", "org-2"), ("a.b.agency.gov", "org-2")):
        with pytest.raises(DomainTaken):
            table.save_instance(instance("i2", organization, domain), claim=domain)
        assert table.instance("i2") is None
    table.save_instance(instance("i2", "org-1", "mail.agency.gov"), claim="mail.agency.gov")
    related = {(claim.domain, claim.instance_id) for claim in table.claims_related("agency.gov")}
    assert related == {("agency.gov", "i1"), ("mail.agency.gov", "i2")}
    assert {claim.domain for claim in table.claims_related("x.mail.agency.gov")} == {"agency.gov", "mail.agency.gov"}
    assert table.claims_related("notagency.gov") == ()


def test_a_domain_is_given_back_by_its_holder_alone(table: BrokerTable) -> None:
    """Once it is, another may take it."""
    first = table.save_instance(instance(), claim="agency.gov")
    with pytest.raises(DomainTaken):
        table.save_instance(instance("i2", "org-2", "x.gov"), release="agency.gov")
    table.save_instance(first, release="agency.gov")
    assert table.claims_related("agency.gov") == ()
    table.save_instance(instance("i2", "org-2"), claim="agency.gov")


def test_operations_are_listed_until_they_end(table: BrokerTable) -> None:
    """With when they began and last moved."""
    saved = table.save_instance(instance())
    later = replace(saved.operation, touched_at=NOW + timedelta(seconds=1))
    saved = table.save_instance(replace(saved, operation=later))
    assert table.unfinished() == (Unfinished(instance_id="i1", started_at=NOW, touched_at=NOW + timedelta(seconds=1)),)
    ended = replace(saved.operation, state=OperationState.SUCCEEDED)
    table.save_instance(replace(saved, operation=ended))
    assert table.unfinished() == ()


def test_an_operation_that_1_0_0_listed_has_the_age_of_its_last_move(
    dynamodb: "DynamoDBClient", table: BrokerTable
) -> None:
    """It wrote no start."""
    item = {"pk": "operations", "sk": "i1", "touched_at": NOW.isoformat()}
    dynamodb.put_item(TableName="broker", Item=to_item(item))
    assert table.unfinished() == (Unfinished(instance_id="i1", started_at=NOW, touched_at=NOW),)


def test_a_binding_is_written_with_its_instance(table: BrokerTable) -> None:
    """Or neither is, when the instance changed meanwhile."""
    known = table.save_instance(instance())
    with pytest.raises(VersionConflict):
        table.save_binding(binding(), instances=[replace(known, version=0)])
    assert table.binding("i1", "b1") is None
    saved = table.save_binding(binding(), instances=[replace(known, bindings=("b1",))])
    assert table.binding("i1", "b1") == saved
    changed = table.instance("i1")
    assert changed is not None
    assert (changed.bindings, changed.version) == (("b1",), 2)


def test_a_binding_id_is_one_instances_until_it_is_gone(table: BrokerTable) -> None:
    """It names the IAM user."""
    saved = table.save_binding(binding())
    assert table.instance_of_binding("b1") == "i1"
    with pytest.raises(VersionConflict):
        table.save_binding(binding("b1", "i2"))
    table.save_binding(replace(saved, state=BindingState.GONE, busy_until=NOW))
    assert table.instance_of_binding("b1") is None
    table.save_binding(binding("b1", "i2"))
    assert table.instance_of_binding("b1") == "i2"


def test_intents_are_listed_until_they_end(table: BrokerTable) -> None:
    """Binds and unbinds alike."""
    saved = table.save_binding(binding())
    late = NOW + timedelta(minutes=1)
    assert table.stale_intents(before=NOW) == ()
    assert table.stale_intents(before=late) == (("i1", "b1"),)
    saved = table.save_binding(replace(saved, state=BindingState.READY))
    assert table.stale_intents(before=late) == ()
    table.save_binding(replace(saved, state=BindingState.LEAVING))
    assert table.stale_intents(before=late) == (("i1", "b1"),)


def test_an_organization_has_room_for_so_many_instances(table: BrokerTable) -> None:
    """Written with the instance or not at all; joining twice is once, leaving makes room."""
    first = table.save_instance(instance("i1"), room=2)
    table.save_instance(instance("i2", domain="b.gov"), claim="b.gov", room=2)
    with pytest.raises(OrganizationFull):
        table.save_instance(instance("i3", domain="c.gov"), claim="c.gov", room=2)
    assert table.instance("i3") is None
    assert table.claims_related("c.gov") == ()
    first = table.save_instance(first, room=2)
    table.save_instance(instance("i4", organization="org-2", domain="c.gov"), room=2)
    assert table.members("org-1") == {"i1", "i2"}
    table.save_instance(first, leave=True)
    assert table.members("org-1") == {"i2"}
    assert table.members("org-3") == frozenset()
    table.save_instance(instance("i3", domain="c.gov"), room=2)
    with pytest.raises(DomainTaken):
        table.save_instance(instance("i5", "org-5", "b.gov"), claim="b.gov", room=2)


def test_an_unverified_claim_blocks_no_domain_below(table: BrokerTable) -> None:
    """Only its own name; what SES said of a claim is remembered as long as it is the same instance's."""
    first = table.save_instance(instance(), claim="agency.gov")
    [claim] = table.claims_related("agency.gov")
    assert (claim.verified, claim.checked_at) == (False, None)
    table.note_claim(claim, verified=False, at=NOW)
    assert table.claims_related("agency.gov") == (replace(claim, checked_at=NOW),)
    table.save_instance(instance("i2", "org-2", "mail.agency.gov"), claim="mail.agency.gov")
    table.save_instance(first, release="agency.gov")
    table.note_claim(claim, verified=True, at=NOW)
    assert [found.domain for found in table.claims_related("agency.gov")] == ["mail.agency.gov"]


def test_a_released_name_is_reserved_for_one_organization(table: BrokerTable) -> None:
    """The former holder does not get it back, the organization it is reserved for does."""
    held = table.save_instance(instance("i1", "org-1"), claim="agency.gov")
    table.save_instance(held, release="agency.gov", reserve="org-2")
    with pytest.raises(DomainTaken):
        table.save_instance(instance("i3", "org-3"), claim="agency.gov")
    [claim] = table.claims_related("agency.gov")
    assert (claim.instance_id, claim.organization_guid, claim.reserved_until is not None) == ("", "org-2", True)
    table.save_instance(instance("i2", "org-2"), claim="agency.gov")
    [claim] = table.claims_related("agency.gov")
    assert (claim.instance_id, claim.reserved_until) == ("i2", None)


def test_since_when_a_domain_is_claimed_outlives_the_instance(table: BrokerTable) -> None:
    """By organization, for 30 days after the claim was given back."""
    later = NOW + timedelta(days=2)

    def claimed_at(id_: str, organization: str, now: datetime) -> datetime | None:
        made = instance(id_, organization)
        operation = replace(made.operation, started_at=now, touched_at=now)
        saved = table.save_instance(replace(made, operation=operation), claim="agency.gov")
        [claim] = table.claims_related("agency.gov")
        table.save_instance(saved, release="agency.gov")
        return claim.claimed_at

    assert claimed_at("i1", "org-1", NOW) == NOW
    assert claimed_at("i2", "org-1", later) == NOW
    assert claimed_at("i3", "org-2", later) == later
    forgotten = later + REMEMBERED_FOR
    assert claimed_at("i4", "org-1", forgotten) == forgotten


def test_a_domain_that_was_verified_is_claimed_anew(table: BrokerTable) -> None:
    """It was no claim in vain."""
    held = table.save_instance(instance(), claim="agency.gov")
    [claim] = table.claims_related("agency.gov")
    table.note_claim(claim, verified=True, at=NOW)
    table.save_instance(held, release="agency.gov")
    later = NOW + timedelta(days=2)
    made = instance("i2")
    table.save_instance(replace(made, operation=replace(made.operation, started_at=later)), claim="agency.gov")
    [claim] = table.claims_related("agency.gov")
    assert claim.claimed_at == later


def test_a_reserved_domain_s_former_holder_is_remembered_too(table: BrokerTable) -> None:
    """It may claim the name again if the one it was reserved for does not."""
    held = table.save_instance(instance("i1", "org-1"), claim="agency.gov")
    table.save_instance(held, release="agency.gov", reserve="org-2")
    later = NOW + timedelta(days=4)
    made = instance("i2", "org-1")
    table.save_instance(replace(made, operation=replace(made.operation, started_at=later)), claim="agency.gov")
    [claim] = table.claims_related("agency.gov")
    assert claim.claimed_at == NOW
