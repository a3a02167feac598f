"""A Lambda function: bundle, a dedicated role without permissions yet, a log group with a retention period."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.accepted import accept, accept_wildcards
from infra.alarms import NAMESPACE, Operator
from infra.context import Context
from infra.dependencies import Target
from lambdas.domain.settings import Settings

MEMORY = 512  # MB: a third of a core, what a Python cold start needs to stay near a second
_ARCHITECTURES = {"arm64": lambda_.Architecture.ARM_64, "x86_64": lambda_.Architecture.X86_64}


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedResources:
    """What all functions share."""

    key: kms.IKey
    operator: Operator
    removal: RemovalPolicy
    context: Context
    target: Target
    code: Callable[[str], lambda_.Code]


class Function(Construct):
    """One Lambda function. Permissions are added by the methods here, never by a managed policy or a CDK grant."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        shared: SharedResources,
        folder: str,
        entry: str,
        settings: Settings,
        timeout: Duration,
        description: str,
        memory: int = MEMORY,
    ) -> None:
        super().__init__(scope, id)
        self._key = shared.key
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group = log_group_of(self, shared)
        self.function = lambda_.Function(
            self,
            "Function",
            runtime=lambda_.Runtime(
                f"python{shared.target.python}", lambda_.RuntimeFamily.PYTHON, supports_inline_code=True
            ),
            architecture=_ARCHITECTURES[shared.target.architecture],
            code=shared.code(folder),
            handler=f"lambdas.{folder}.handler.{entry}",
            environment={
                **settings.to_environment(),
                "POWERTOOLS_SERVICE_NAME": folder,
                "POWERTOOLS_METRICS_NAMESPACE": NAMESPACE,
                "FIPS": shared.context.fips,
            },
            role=self.role,
            log_group=log_group,  # the format stays text: GovCloud has no JSON, and Powertools writes JSON lines itself
            timeout=timeout,
            memory_size=memory,
            description=description,
        )
        _accept_what_all_share(self)
        self.allow("logs:CreateLogStream", "logs:PutLogEvents", on=[log_group.log_group_arn])
        shared.operator.watch_errors(id, self.function, because=f"{description} It fails.")

    def allow(
        self,
        *actions: str,
        on: Sequence[str],
        when: Mapping[str, Mapping[str, Any]] | None = None,
        wide: str = "",
    ) -> None:
        """Allow *actions* on the ARNs *on*, under the condition *when*; an asterisk requires a reason, *wide*."""
        if patterns := [arn for arn in on if "*" in arn]:
            if not wide:
                raise ValueError(f"{', '.join(actions)} on {', '.join(patterns)} needs a reason")
            accept_wildcards(self.role, *patterns, because=wide)
        self.role.add_to_policy(
            iam.PolicyStatement(actions=list(actions), resources=list(on), conditions=dict(when) if when else None)
        )

    def use_table(self, table: dynamodb.ITable, *actions: str) -> None:
        """Allow DynamoDB *actions* (such as "Query") on a table."""
        self.allow(*(f"dynamodb:{action}" for action in actions), on=[table.table_arn])
        self.use_key_through("dynamodb")

    def query_index(self, table: dynamodb.ITable, index: str) -> None:
        """Allow queries of one index of a table."""
        self.allow("dynamodb:Query", on=[f"{table.table_arn}/index/{index}"])
        self.use_key_through("dynamodb")

    def send_to(self, queue: sqs.IQueue) -> None:
        """Allow sending to an encrypted queue."""
        self.allow("sqs:SendMessage", on=[queue.queue_arn])
        self.use_key_through("sqs")

    def use_key_through(self, *services: str, writing: bool = True) -> None:
        """Allow the stack's key for what AWS *services* encrypt on our behalf, not for ciphertext that we write."""
        self.allow(
            "kms:Decrypt",
            *(["kms:GenerateDataKey"] if writing else []),
            on=[self._key.key_arn],
            when={"StringEquals": {"kms:ViaService": [f"{name}.{Aws.REGION}.{Aws.URL_SUFFIX}" for name in services]}},
        )

    def consume(self, queue: sqs.IQueue, *, size: int, window: int, concurrency: int, id: str = "Queue") -> None:
        """Run on batches of *queue*. Only messages that the function reports as failed are redelivered."""
        self.allow(
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
            "sqs:GetQueueAttributes",
            on=[queue.queue_arn],
        )
        self.use_key_through("sqs")
        mapping = self.function.add_event_source_mapping(
            id,
            event_source_arn=queue.queue_arn,
            batch_size=size,
            max_batching_window=Duration.seconds(window),
            max_concurrency=concurrency,
            report_batch_item_failures=True,
        )
        accept(
            mapping,
            "Serverless-LambdaEventSourceMappingDestination",
            because="What fails goes to the queue's own dead-letter queue; SQS sources know no destination.",
        )

    def run_every(self, minutes: int) -> None:
        """Run on a schedule. A run that fails or is throttled is not repeated: the next one does its work.

        EventBridge hands a run to Lambda's queue of asynchronous events, and Lambda by itself repeats failed ones twice
        and throttled ones for six hours: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
        """
        accept(
            self,
            "Serverless-LambdaAsyncFailureDestination",
            because="A run carries nothing: what it leaves undone the next one does. Failed runs alarm.",
        )
        self.function.configure_async_invoke(retry_attempts=0, max_event_age=Duration.minutes(minutes))
        self._run("Schedule", events.Schedule.rate(Duration.minutes(minutes)))

    def run_at_midnight(self) -> None:
        """Run at midnight UTC, too."""
        self._run("Midnight", events.Schedule.cron(minute="0", hour="0"))

    def _run(self, id: str, schedule: events.Schedule) -> None:
        rule = events.Rule(self, id, schedule=schedule)
        accept(
            rule,
            "Serverless-EventBusDLQ",
            because="A run that could not be started is made up for by the next one; failed runs alarm.",
        )
        rule.add_target(targets.LambdaFunction(self.function, retry_attempts=0))


def _accept_what_all_share(function: Function) -> None:
    accept(
        function,
        "AwsSolutions-L1",
        "Serverless-LambdaLatestVersion",
        because="Python 3.13: the bundles' wheels and bytecode are built and tested for it.",
    )
    accept(
        function,
        "NIST.800.53.R5-LambdaDLQ",
        "Serverless-LambdaDLQ",
        because="Queues and the stream have dead-letter queues of their own, a schedule runs again, an API call is "
        "answered: nothing is invoked asynchronously that could be lost.",
    )
    accept(
        function,
        "NIST.800.53.R5-LambdaConcurrency",
        because="Event sources are bounded by MaximumConcurrency, the API by its throttle; reserving would take from "
        "the account what a small account does not have.",
    )
    accept(
        function,
        "NIST.800.53.R5-LambdaInsideVPC",
        because="It calls AWS and public webhooks only; context attaches delivery to an operator's subnets.",
    )
    accept(
        function,
        "Serverless-LambdaTracing",
        because="One log line per outcome carries the ids that follow a message through; X-Ray would sample them.",
    )
    accept(
        function,
        "NIST.800.53.R5-IAMNoInlinePolicy",
        because="The policy belongs to one role of one function and goes with it.",
    )


def log_group_of(scope: Construct, shared: SharedResources) -> logs.LogGroup:
    """A log group for *scope*, encrypted with the stack's key and kept as long as the operator configured."""
    group = logs.LogGroup(scope, "Logs", encryption_key=shared.key, removal_policy=shared.removal)
    cast(logs.CfnLogGroup, group.node.default_child).retention_in_days = shared.context.log_retention_days
    return group
