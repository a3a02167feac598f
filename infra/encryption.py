"""The stack's KMS key, and the AWS services that may use it by themselves."""

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

# Services that write to the stack's encrypted topics and queues, not on behalf of a role of ours. No condition on the
# source: the topics' and queues' own policies hold it, and KMS does not see it from each of these.
_PUBLISHERS = (
    "ses.amazonaws.com",  # events to the topic
    "sns.amazonaws.com",  # the topic to the queue
    "cloudwatch.amazonaws.com",  # alarms to the operator topic; alias/aws/sns would not admit them
    "events.amazonaws.com",  # that an alarm is over, to the operator topic
)


class Encryption(Construct):
    """A customer key for topics, queues, tables, logs and secrets; `key` is rotated every year."""

    def __init__(self, scope: Construct, id: str, *, removal: RemovalPolicy) -> None:
        super().__init__(scope, id)
        self.key = kms.Key(
            self,
            "Key",
            description=f"{Stack.of(self).stack_name}: everything that is stored or queued",
            enable_key_rotation=True,
            removal_policy=removal,
            pending_window=Duration.days(7) if removal is RemovalPolicy.DESTROY else None,
        )
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="PublishersEncrypt",
                principals=[iam.ServicePrincipal(name) for name in _PUBLISHERS],
                actions=["kms:GenerateDataKey*", "kms:Decrypt"],
                resources=["*"],
            )
        )
        self.key.add_to_resource_policy(_logs_of_this_account())


def _logs_of_this_account() -> iam.PolicyStatement:
    logs = f"arn:{Aws.PARTITION}:logs:{Aws.REGION}:{Aws.ACCOUNT_ID}:*"
    return iam.PolicyStatement(
        sid="LogsEncrypt",
        principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.amazonaws.com")],
        actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        resources=["*"],
        conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": logs}},
    )
