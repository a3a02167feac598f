"""What the roles are asked for without a call of the functions' code: by Lambda itself, and by encryption."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from tests.iam.requests import Asked

_ALL = (
    "feedback",
    "delivery",
    "release",
    "broker",
    "worker",
    "sweep",
    "reputation",
    "reputation-sweep",
    "reputation-cap",
    "portal",
    "replay",
)
_CONSUMERS = {
    "feedback": ("events",),
    "delivery": ("deliveries", "slow_deliveries"),
    "worker": ("operations",),
    "replay": ("replays",),
}
_BY_POLLERS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility")
_OF_STREAMS = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")
_OF_INTERFACES = (
    *("ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
    *("ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Implicit:
    """Requests that nobody's code makes, and why they are made."""

    because: str
    functions: tuple[str, ...]
    actions: tuple[str, ...]
    resource: str = "*"  # `{function}` and `{queue}` stand for the function's own
    context: Mapping[str, str] = field(default_factory=dict)

    def requests(self) -> Iterator[Asked]:
        """The same for each of the functions."""
        for function, action in product(self.functions, self.actions):
            for queue in _CONSUMERS.get(function, ("",)):
                resource = self.resource.replace("{function}", function).replace("{queue}", queue)
                yield Asked(function, action, resource, tuple(sorted(self.context.items())))


ALWAYS = (
    Implicit(
        because="Lambda writes what the function logs.",
        functions=_ALL,
        actions=("logs:CreateLogStream", "logs:PutLogEvents"),
        resource="log-group/{function}",
    ),
    Implicit(
        because="Lambda's poller takes messages off the queue. AWS documents the first three; the CDK's own grant has "
        "the fourth as well.",
        functions=tuple(_CONSUMERS),
        actions=_BY_POLLERS,
        resource="queue/{queue}",
    ),
    Implicit(
        because="Lambda's poller reads an encrypted queue.",
        functions=tuple(_CONSUMERS),
        actions=("kms:Decrypt",),
        resource="key",
        context={"kms:ViaService": "sqs"},
    ),
    Implicit(
        because="Lambda's poller reads the table's stream.",
        functions=("reputation", "reputation-cap"),
        actions=_OF_STREAMS,
        resource="stream/reputation",
    ),
    Implicit(
        because="Lambda checks it when the mapping is created; it has no resource type.",
        functions=("reputation", "reputation-cap"),
        actions=("dynamodb:ListStreams",),
    ),
    Implicit(
        because="Lambda sends what could not be processed to the mapping's failure queue.",
        functions=("reputation", "reputation-cap"),
        actions=("sqs:SendMessage",),
        resource="queue/reputation_dlq",
    ),
    Implicit(
        because="That queue is encrypted with the stack's key; who sends to it needs both.",
        functions=("reputation", "reputation-cap"),
        actions=("kms:GenerateDataKey", "kms:Decrypt"),
        resource="key",
        context={"kms:ViaService": "sqs"},
    ),
    Implicit(
        because="DynamoDB uses a table's key in the caller's name. AWS documents what a customer key's policy must "
        "allow, not which call needs what; the CDK's grants for writers have it.",
        functions=_ALL,
        actions=("kms:GenerateDataKey",),
        resource="key",
        context={"kms:ViaService": "dynamodb"},
    ),
    Implicit(
        because="They create and subscribe to encrypted topics. SNS documents no use of the key for that, and it was "
        "not tried on AWS; without sns:Publish it opens nothing.",
        functions=("broker", "worker"),
        actions=("kms:GenerateDataKey", "kms:Decrypt"),
        resource="key",
        context={"kms:ViaService": "sns"},
    ),
)
IN_A_VPC = Implicit(
    because="Lambda attaches the function to the operator's subnets: the Lambda guide, 'Execution role permissions'.",
    functions=("delivery",),
    actions=_OF_INTERFACES,
)
