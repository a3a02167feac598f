"""The tables. The adapters that write items document their attributes (lambdas/aws)."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.accepted import accept

DUE_INDEX = "due"  # of the backlog: partitions by the time of their next release; sparse, so no scan is needed


class Storage(Construct):
    """Five tables, and the portal's if there is a portal."""

    def __init__(
        self, scope: Construct, id: str, *, key: kms.IKey, removal: RemovalPolicy, protect: bool, portal: bool = False
    ) -> None:
        super().__init__(scope, id)
        self._key = key
        self._removal = removal
        self._protect = protect
        self.webhooks = self._table("Webhooks", "instance_id", "item")
        self.backlog = self._table("Backlog", "pk", "sk")
        self.backlog.add_global_secondary_index(
            index_name=DUE_INDEX,
            partition_key=_string("shard"),
            sort_key=_string("due_at"),
            projection_type=dynamodb.ProjectionType.ALL,
        )
        self.reputation = self._table("Reputation", "instance_id", "item", stream=True)
        self.broker = self._table("Broker", "pk", "sk")
        self.rate_limiter = self._table("RateLimiter", "bucket")
        self.portal = self._table("Portal", "pk", "sk") if portal else None

    def _table(self, id: str, partition: str, sort: str | None = None, *, stream: bool = False) -> dynamodb.Table:
        """A table on demand, encrypted with the stack's key, restorable to any second of 35 days."""
        table = dynamodb.Table(
            self,
            id,
            partition_key=_string(partition),
            sort_key=_string(sort) if sort else None,
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self._key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="expires_at",
            stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES if stream else None,
            deletion_protection=self._protect,
            removal_policy=self._removal,
        )
        accept(
            table,
            "NIST.800.53.R5-DynamoDBInBackupPlan",
            because="Restorable to any second of 35 days; most items live shorter than that.",
        )
        return table

    def names(self) -> dict[str, str]:
        """The tables' names in the `Tables` output."""
        tables = {
            "webhooks": self.webhooks,
            "backlog": self.backlog,
            "reputation": self.reputation,
            "broker": self.broker,
            "rate_limiter": self.rate_limiter,
            **({"portal": self.portal} if self.portal else {}),
        }
        return {name: table.table_name for name, table in tables.items()}


def _string(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
