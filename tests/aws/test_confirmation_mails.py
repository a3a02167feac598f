"""Confirmation mails to one address are counted by day, for all tenants together."""

from datetime import UTC, datetime, timedelta

from lambdas.aws.dynamodb.confirmation_mails import ConfirmationMails
from tests.aws.tables import dynamodb_with

NOW = datetime(2026, 11, 21, 23, 0, tzinfo=UTC)


def test_an_address_gets_its_share_a_day() -> None:
    """Two processes count together; the next day begins at midnight UTC."""
    now = [NOW]
    with dynamodb_with("broker", keys=("pk", "sk")) as dynamodb:
        one, other = (ConfirmationMails(dynamodb, "broker", limit=3, clock=lambda: now[0]) for _ in range(2))
        assert [one.take("a@b.cc"), other.take("a@b.cc"), one.take("a@b.cc")] == [True] * 3
        assert not one.take("a@b.cc")
        assert not other.take("a@b.cc")
        assert one.take("c@b.cc")
        now[0] += timedelta(hours=1)
        assert one.take("a@b.cc")
        items = dynamodb.scan(TableName="broker")["Items"]
        assert all(int(item["expires_at"]["N"]) > NOW.timestamp() for item in items)
        assert "a@b.cc" not in repr(items)


def test_what_an_organization_has_sent_to_many_addresses_is_bounded_too() -> None:
    """Others, and those who name none, go on; a mail that the address's limit held back counts for it all the same."""
    now = [NOW]
    with dynamodb_with("broker", keys=("pk", "sk")) as dynamodb:
        mails = ConfirmationMails(dynamodb, "broker", limit=1, per_organization=3, clock=lambda: now[0])
        assert [mails.take(f"{name}@b.cc", "o1") for name in "abcd"] == [True, True, True, False]
        assert mails.take("d@b.cc", "o2")
        assert mails.take("e@b.cc")
        assert not mails.take("a@b.cc", "o2")
        now[0] += timedelta(hours=1)
        assert mails.take("a@b.cc", "o1")
