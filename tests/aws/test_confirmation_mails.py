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
