"""The service broker: a function that answers requests, a queue, and a worker for asynchronous operations."""

import json

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.accepted import accept, accept_wildcards
from infra.alarms import function_metric
from infra.broker_roles import (
    allow_api_tables,
    allow_asking,
    allow_binding,
    allow_provisioning,
    allow_sweep_tables,
    allow_unbinding,
    allow_webhook_changes,
    allow_worker_tables,
)
from infra.foundation import Foundation
from infra.function import MEMORY, Function, SharedResources
from infra.queues import QueuePair
from lambdas.broker.settings import BrokerSettings

_ANSWER = Duration.seconds(29)  # HTTP API ends an integration at 30 s
_MEMORY = 1024  # MB: a cold bind makes TLS connections to six services and should take at most 5 s
_WORK = Duration.seconds(120)  # one step run of an operation, including waits for the rate limiter
_LONGEST = Duration.hours(4)  # an operation runs forward for at most three hours, and is then rolled back
_SWEEP = 5  # minutes between searches for interrupted binds


class Broker(Construct):
    """`function` answers the platform, `worker` provisions, `sweep` cleans up what was interrupted."""

    def __init__(self, scope: Construct, id: str, base: Foundation, *, portal_url: str = "") -> None:
        super().__init__(scope, id)
        shared = base.shared
        self.credentials = _credentials(self, shared)
        self.boundary = _boundary(self)
        self.operations = QueuePair(
            self,
            "Operations",
            shared=shared,
            timeout=_WORK,
            name="operations",
            because="An operation of the broker got stuck.",
        )
        self._settings = _settings(self, base, portal_url)
        self.function = self._function(
            "Broker", "handler", shared, _ANSWER, "Answers the Open Service Broker API.", _MEMORY
        )
        self.worker = self._function("Worker", "worker", shared, _WORK, "Makes and removes what tenants asked for.")
        self.sweep = self._function("Sweep", "cleanup", shared, _WORK, "Removes what interrupted binds left.")
        self._allow(base)
        self.worker.consume(self.operations.queue, size=1, window=0, concurrency=shared.context.worker_concurrency)
        self.sweep.run_every(_SWEEP)
        _watch(shared)

    def _allow(self, base: Foundation) -> None:
        shared, storage = base.shared, base.storage
        allow_api_tables(self.function, storage)
        allow_worker_tables(self.worker, storage)
        allow_sweep_tables(self.sweep, storage)
        for function in (self.function, self.worker, self.sweep):
            function.send_to(self.operations.queue)
        for function in (self.function, self.sweep):
            allow_unbinding(function)
        for function in (self.function, self.worker):
            function.send_to(base.deliveries.queue)  # a test for each new or changed webhook
        allow_binding(self.function, shared, self.boundary)
        allow_asking(self.function, storage)
        allow_webhook_changes(self.worker, shared)
        allow_provisioning(self.worker, shared.context, storage)
        self.function.allow("secretsmanager:GetSecretValue", on=[self.credentials.secret_arn])
        if arn := self._settings.dashboard_client_secret_arn:
            self.function.allow("secretsmanager:GetSecretValue", on=[arn])
        self.function.use_key_through("secretsmanager", writing=False)

    def _function(
        self, id: str, entry: str, shared: SharedResources, timeout: Duration, description: str, memory: int = MEMORY
    ) -> Function:
        return Function(
            self,
            id,
            shared=shared,
            folder="broker",
            entry=entry,
            settings=self._settings,
            timeout=timeout,
            description=description,
            memory=memory,
        )


def _watch(shared: SharedResources) -> None:
    shared.operator.watch_count(
        "CleanupFailures",
        "CleanupFailures",
        service="broker",
        because="What an interrupted bind or unbind left could not be removed for 15 minutes. "
        "`python -m ops errors sweep` shows why.",
        runbook="cleanup-failures",
        periods=3,
    )
    shared.operator.alarm(
        "OperationsOldest",
        function_metric("OperationsOldestSeconds", service="broker", statistic="Maximum"),
        above=_LONGEST.to_seconds(),
        because=f"An operation has not ended for {_LONGEST.to_hours():.0f} hours; each should end within three. "
        "`python -m ops operations` shows which.",
        runbook="operations-stuck",
        periods=3,
    )


def _credentials(scope: Construct, shared: SharedResources) -> secretsmanager.Secret:
    """Basic auth for the platform, generated at deployment; a rotation adds `previous_password`."""
    secret = secretsmanager.Secret(
        scope,
        "Credentials",
        description="Basic auth of the service broker",
        encryption_key=shared.key,
        generate_secret_string=secretsmanager.SecretStringGenerator(
            secret_string_template=json.dumps({"username": "broker"}),
            generate_string_key="password",
            password_length=48,
            exclude_punctuation=True,  # is typed into `cf create-service-broker` in a shell
        ),
        removal_policy=shared.removal,
    )
    accept(
        secret,
        "AwsSolutions-SMG4",
        "NIST.800.53.R5-SecretsManagerRotationEnabled",
        because="The platform holds the other half, so the operator rotates both; the previous password is accepted "
        "meanwhile.",
    )
    return secret


def _boundary(scope: Construct) -> iam.ManagedPolicy:
    """The permissions boundary of users that the broker creates: send through this account's SES."""
    ses = f"arn:{Aws.PARTITION}:ses:{Aws.REGION}:{Aws.ACCOUNT_ID}"
    resources = [f"{ses}:identity/*", f"{ses}:configuration-set/*"]
    boundary = iam.ManagedPolicy(
        scope,
        "Boundary",
        description="Bounds the users that ses-feedback makes for applications: they send mail and nothing else",
        statements=[
            iam.PolicyStatement(
                sid="SendOnly",
                actions=["ses:SendEmail", "ses:SendRawEmail"],
                resources=resources,
            )
        ],
    )
    accept_wildcards(
        boundary, *resources, because="A boundary is for every user alike; each user's own policy names its identity."
    )
    return boundary


def _settings(broker: Broker, base: Foundation, portal_url: str) -> BrokerSettings:
    shared, storage, context = base.shared, base.storage, base.shared.context
    return BrokerSettings(
        broker_table=storage.broker.table_name,
        webhooks_table=storage.webhooks.table_name,
        rate_limiter_table=storage.rate_limiter.table_name,
        reputation_table=storage.reputation.table_name,
        operations_queue_url=broker.operations.queue.queue_url,
        deliveries_queue_url=base.deliveries.queue.queue_url,
        event_topic_arn=base.events.topic.topic_arn,
        key_arn=shared.key.key_arn,
        credentials_secret_arn=broker.credentials.secret_arn,
        permissions_boundary_arn=broker.boundary.managed_policy_arn,
        partition=Aws.PARTITION,
        region=Aws.REGION,
        account=Aws.ACCOUNT_ID,
        display_name=context.catalog_display_name,
        provider_name=context.catalog_provider,
        documentation_url=context.catalog_documentation_url,
        support_url=context.catalog_support_url,
        operator_zone=context.zone_name,
        operator_zone_id=context.zone_id,
        zone_credentials_secret_arn=context.zone_credentials_secret_arn,
        dmarc_policy=context.dmarc_policy,
        dmarc_aggregate_recipients=",".join(context.dmarc_aggregate_recipients),
        fips=context.fips,
        allowed_cidrs=",".join(context.allowed_cidrs),
        allow_http=context.allow_http,
        ses_calls_per_second=context.ses_calls_per_second,
        webhooks_per_instance=context.webhooks_per_instance,
        bindings_per_instance=context.bindings_per_instance,
        instances_per_organization=context.instances_per_organization,
        confirmation_mails_per_day=context.confirmation_mails_per_day,
        allowed_public_suffixes=",".join(context.allowed_public_suffixes),
        suppression=context.suppression,
        privatelink_vpc_id=context.privatelink_vpc_id,
        privatelink_subnet_ids=",".join(context.privatelink_subnet_ids),
        privatelink_cidrs=",".join(context.privatelink_cidrs),
        cell=context.cell,
        portal_url=portal_url,
        dashboard_client_secret_arn=context.portal_client_secret_arn if context.portal == "cloud-foundry" else "",
    )
