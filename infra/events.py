"""The topic that SES publishes events of all configuration sets to, and the queue that feedback reads."""

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.function import SharedResources
from infra.queues import QueuePair, dead_letter_queue
from lambdas.domain.tenants import aws_names


class Events(Construct):
    """`topic` admits SES for our configuration sets only; `queue` holds its events for feedback."""

    def __init__(self, scope: Construct, id: str, *, shared: SharedResources, timeout: Duration) -> None:
        super().__init__(scope, id)
        self.topic = sns.Topic(self, "Topic", master_key=shared.key, enforce_ssl=True)
        self.topic.add_to_resource_policy(_our_configuration_sets(self.topic))
        pair = QueuePair(
            self,
            "Events",
            shared=shared,
            timeout=timeout,
            name="events",
            because="Events of SES could not be processed.",
        )
        self.queue, self.dead = pair.queue, pair.dead
        self.undelivered = dead_letter_queue(
            self,
            "Undelivered",
            shared=shared,
            name="subscription_dlq",
            because="SNS could not hand events to the queue.",
        )
        self._subscribe()
        shared.operator.watch_age(
            "Events",
            self.queue,
            above=Duration.minutes(15),
            because="Events of SES wait: the feedback function does not keep up or fails. "
            "`python -m ops errors feedback` shows its errors.",
        )

    def _subscribe(self) -> None:
        """Not by the CDK's own subscription: it writes the topic into the policy of the key that the topic needs."""
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="FromTheTopic",
                principals=[iam.ServicePrincipal("sns.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.queue.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": self.topic.topic_arn}},
            )
        )
        sns.Subscription(
            self,
            "Subscription",
            topic=self.topic,
            protocol=sns.SubscriptionProtocol.SQS,
            endpoint=self.queue.queue_arn,
            raw_message_delivery=True,
            dead_letter_queue=self.undelivered,
        )


def _our_configuration_sets(topic: sns.ITopic) -> iam.PolicyStatement:
    """By prefix: one statement for each tenant would exceed a policy's size."""
    sets = f"arn:{Aws.PARTITION}:ses:{Aws.REGION}:{Aws.ACCOUNT_ID}:configuration-set/{aws_names.PREFIX}*"
    return iam.PolicyStatement(
        sid="EventsOfOurConfigurationSets",
        principals=[iam.ServicePrincipal("ses.amazonaws.com")],
        actions=["sns:Publish"],
        resources=[topic.topic_arn],
        conditions={
            "StringEquals": {"AWS:SourceAccount": Aws.ACCOUNT_ID},
            "ArnLike": {"AWS:SourceArn": sets},
        },
    )
