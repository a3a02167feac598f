"""Members of organizations: who had feedback of late."""

from datetime import UTC, datetime, timedelta

from lambdas.aws.dynamodb.reputation.organization_table import OrganizationTable
from lambdas.domain.reputation.ledger import COUNTERS_KEPT
from tests.aws.tables import dynamodb_with

NOW = datetime(2026, 11, 21, 5, 30, tzinfo=UTC)


def test_members_stay_as_long_as_their_counters() -> None:
    """Joining again is once, and longer; organizations are apart; what DynamoDB has not removed yet does not count."""
    with dynamodb_with("reputation") as client:
        table = OrganizationTable(client, "reputation")
        for instance in ("i1", "i2", "i1"):
            table.join("org-1", instance, now=NOW)
        table.join("org", "i3", now=NOW)
        assert list(table.members("org-1", now=NOW)) == ["i1", "i2"]
        assert list(table.members("org", now=NOW)) == ["i3"]
        assert list(table.members("org-2", now=NOW)) == []
        table.join("org-1", "i2", now=NOW + timedelta(days=1))
        assert list(table.members("org-1", now=NOW + COUNTERS_KEPT)) == ["i2"]
        [item] = client.query(
            TableName="reputation",
            KeyConditionExpression="instance_id = :o",
            ExpressionAttributeValues={":o": {"S": "#organization#org"}},
        )["Items"]
        assert item["expires_at"] == {"N": str(int((NOW + COUNTERS_KEPT).timestamp()))}
