"""SES's control plane behind its adapter: paced, repeatable, and only what is ours."""

import pytest
from botocore.exceptions import ClientError

from lambdas.aws.ses.control_plane import EVENTS, Ses
from lambdas.domain.errors import NotOurs, Throttled
from lambdas.domain.tenants.aws_names import EVENT_DESTINATION, INSTANCE_TAG
from tests.aws.sesv2 import FakeSesV2

TAGS = {INSTANCE_TAG: "i1", "ses-feedback:space-name": "dev"}
TOPIC = "arn:aws:sns:us-east-1:123456789012:events"


class Counted:
    """Counts how often it was asked for a turn."""

    def __init__(self) -> None:
        self.turns = 0

    def __call__(self) -> None:
        self.turns += 1


@pytest.fixture
def client() -> FakeSesV2:
    """SES v2, empty."""
    return FakeSesV2()


def ses(client: FakeSesV2, rate_limit: Counted | None = None) -> Ses:
    return Ses(client, rate_limit or Counted())  # type: ignore[arg-type]


def test_a_configuration_set_requires_tls_and_suppresses(client: FakeSesV2) -> None:
    """And publishes every kind of event we read to the one topic; twice is once."""
    for _ in range(2):
        ses(client).ensure_configuration_set("s", TAGS)
        ses(client).ensure_event_destination("s", TOPIC)
    made = client.sets["s"]
    assert made["DeliveryOptions"] == {"TlsPolicy": "REQUIRE"}
    assert made["ReputationOptions"] == {"ReputationMetricsEnabled": True}
    assert made["SuppressionOptions"] == {"SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
    assert {"Key": INSTANCE_TAG, "Value": "i1"} in made["Tags"]
    [destination] = made["destinations"].values()
    assert destination["MatchingEventTypes"] == list(EVENTS)
    assert destination["SnsDestination"] == {"TopicArn": TOPIC}
    for _ in range(2):
        ses(client).remove_configuration_set("s", "i1")
    assert client.sets == {}


def test_an_event_destination_that_was_altered_is_put_right_and_others_are_left_alone(client: FakeSesV2) -> None:
    """Disabled, with fewer events or an earlier stack's topic, the instance's bounces would be lost in silence."""
    ses(client).ensure_configuration_set("s", TAGS)
    destinations = client.sets["s"]["destinations"]
    altered = {"Enabled": False, "MatchingEventTypes": ["SEND"], "SnsDestination": {"TopicArn": TOPIC + "-of-before"}}
    destinations.update({EVENT_DESTINATION: altered, "the-operators": altered})
    ses(client).ensure_event_destination("s", TOPIC)
    kinds = ["BOUNCE", "COMPLAINT", "DELIVERY", "REJECT", "DELIVERY_DELAY", "RENDERING_FAILURE"]
    ours = {"Enabled": True, "MatchingEventTypes": kinds, "SnsDestination": {"TopicArn": TOPIC}}
    assert destinations == {EVENT_DESTINATION: ours, "the-operators": altered}


@pytest.mark.parametrize("tags", [None, [], [{"Key": INSTANCE_TAG, "Value": "i2"}]])
def test_anothers_configuration_set_is_neither_taken_nor_removed(
    client: FakeSesV2, tags: list[dict[str, str]] | None
) -> None:
    """Its mail would be counted as the instance's, and deprovisioning would delete it."""
    client.sets["s"] = {"destinations": {}} if tags is None else {"Tags": tags, "destinations": {}}
    with pytest.raises(NotOurs, match=r"^a configuration set named s exists"):
        ses(client).ensure_configuration_set("s", TAGS)
    ses(client).remove_configuration_set("s", "i1")
    assert "s" in client.sets


def test_an_operator_can_leave_the_shared_suppression_list_aside(client: FakeSesV2) -> None:
    """An empty list of reasons overrides the account's."""
    Ses(client, Counted(), suppress=False).ensure_configuration_set("s", TAGS)  # type: ignore[arg-type]
    assert client.sets["s"]["SuppressionOptions"] == {"SuppressedReasons": []}


def test_an_identity_has_its_set_as_default_and_is_made_once(client: FakeSesV2) -> None:
    """The DKIM tokens and their zone come from SES."""
    ses(client).ensure_configuration_set("s", TAGS)
    for _ in range(2):
        dkim = ses(client).ensure_identity("agency.gov", "s", TAGS)
        assert (dkim.tokens, dkim.zone) == (("t1", "t2", "t3"), "dkim.amazonses.com")
    assert client.identities["agency.gov"]["ConfigurationSetName"] == "s"
    found = ses(client).identity("agency.gov")
    assert found is not None
    assert (found.owner, found.verified, found.mail_from) == ("i1", False, "")
    assert ses(client).identity("other.gov") is None


def test_our_identity_with_another_default_gets_ours(client: FakeSesV2) -> None:
    """Somebody changed it by hand."""
    ses(client).ensure_configuration_set("s", TAGS)
    ses(client).ensure_identity("agency.gov", "s", TAGS)
    client.identities["agency.gov"]["ConfigurationSetName"] = "theirs"
    ses(client).ensure_identity("agency.gov", "s", TAGS)
    assert client.identities["agency.gov"]["ConfigurationSetName"] == "s"


@pytest.mark.parametrize("tags", [[], [{"Key": INSTANCE_TAG, "Value": "i2"}]])
def test_anothers_identity_is_neither_taken_nor_removed(client: FakeSesV2, tags: list[dict[str, str]]) -> None:
    """Without our tag it is not ours."""
    ses(client).ensure_configuration_set("s", TAGS)
    client.identities["agency.gov"] = {"Tags": tags}
    with pytest.raises(NotOurs, match="is already set up"):
        ses(client).ensure_identity("agency.gov", "s", TAGS)
    ses(client).remove_identity("agency.gov", "i1")
    assert "agency.gov" in client.identities


def test_ours_is_removed_and_gone_is_fine(client: FakeSesV2) -> None:
    """Twice is once."""
    ses(client).ensure_configuration_set("s", TAGS)
    ses(client).ensure_identity("agency.gov", "s", TAGS)
    for _ in range(2):
        ses(client).remove_identity("agency.gov", "i1")
    assert client.identities == {}


def test_mail_from_is_set_and_unset(client: FakeSesV2) -> None:
    """Empty is SES's own; without its MX, SES falls back to its own too."""
    ses(client).ensure_configuration_set("s", TAGS)
    ses(client).ensure_identity("agency.gov", "s", TAGS)
    for domain in ("bounce.agency.gov", ""):
        ses(client).set_mail_from("agency.gov", domain)
        found = ses(client).identity("agency.gov")
        assert found is not None
        assert found.mail_from == domain


def test_throttling_is_told_as_such_and_other_errors_are_not_hidden(client: FakeSesV2) -> None:
    """AWS says 429 without a time to come back."""
    client.throttles = 1
    with pytest.raises(Throttled):
        ses(client).ensure_configuration_set("s", TAGS)
    with pytest.raises(ClientError):
        ses(client).set_mail_from("agency.gov", "x.agency.gov")


def test_every_call_asks_for_its_turn(client: FakeSesV2) -> None:
    """Also the ones that a repetition needs."""
    rate_limit = Counted()
    adapter = ses(client, rate_limit)
    adapter.ensure_configuration_set("s", TAGS)
    adapter.ensure_event_destination("s", TOPIC)
    adapter.ensure_identity("agency.gov", "s", TAGS)
    assert rate_limit.turns == 3
    adapter.ensure_identity("agency.gov", "s", TAGS)
    assert rate_limit.turns == 5
    adapter.set_mail_from("agency.gov", "")
    adapter.remove_identity("agency.gov", "i1")
    assert rate_limit.turns == 8
    adapter.ensure_configuration_set("s", TAGS)
    assert rate_limit.turns == 10
    adapter.remove_configuration_set("s", "i1")
    assert rate_limit.turns == 12


@pytest.mark.parametrize("default", [None, "another"])
def test_an_adopted_identity_publishes_to_our_configuration_set(client: FakeSesV2, default: str | None) -> None:
    """Mail that names no set would cause no events otherwise: nobody would count its bounces."""
    for name in ("s", "another"):
        ses(client).ensure_configuration_set(name, TAGS)
    ses(client).ensure_identity("agency.gov", "s", TAGS)
    if default is None:
        del client.identities["agency.gov"]["ConfigurationSetName"]
    else:
        client.identities["agency.gov"]["ConfigurationSetName"] = default
    ses(client).ensure_identity("agency.gov", "s", TAGS)
    assert client.identities["agency.gov"]["ConfigurationSetName"] == "s"
