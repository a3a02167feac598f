"""Queues: encrypted, TLS only, with 14 days of retention and a dead-letter queue with alarms."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.accepted import accept
from infra.function import SharedResources

KEPT = Duration.days(14)  # SQS's longest
VISIBILITY_FACTOR = 6  # times the function's timeout, as AWS recommends
THROTTLED_FOR = Duration.days(1)  # throttled batches count as received: only what lasts so long dead-letters


class QueuePair(Construct):
    """A `queue` for a function with *timeout*, and `dead`, where its messages go after as many receives as pass in a
    day: a message comes back after the visibility timeout, whether its function failed or was throttled."""

    def __init__(
        self, scope: Construct, id: str, *, shared: SharedResources, timeout: Duration, name: str, because: str
    ) -> None:
        super().__init__(scope, id)
        visibility = VISIBILITY_FACTOR * int(timeout.to_seconds())
        receives = -(-int(THROTTLED_FOR.to_seconds()) // visibility)
        self.dead = dead_letter_queue(self, "Dead", shared=shared, name=f"{name}_dlq", because=because)
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=shared.key,
            enforce_ssl=True,
            retention_period=KEPT,
            visibility_timeout=Duration.seconds(visibility),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead, max_receive_count=receives),
            removal_policy=shared.removal,
        )


def dead_letter_queue(scope: Construct, id: str, *, shared: SharedResources, name: str, because: str) -> sqs.Queue:
    """A dead-letter queue with alarms; *name* is its name in the stack's outputs."""
    queue = sqs.Queue(
        scope,
        id,
        encryption=sqs.QueueEncryption.KMS,
        encryption_master_key=shared.key,
        enforce_ssl=True,
        retention_period=KEPT,
        removal_policy=shared.removal,
    )
    accept(
        queue,
        "AwsSolutions-SQS3",
        "Serverless-SQSRedrivePolicy",
        because="It is a dead-letter queue: the end of the line, watched by alarms.",
    )
    shared.operator.watch_dead_letters(scope.node.id + id, queue, name=name, because=because)
    return queue
