"""The portal: its HTTP API, the function that answers requests, and the worker that replays."""

import json
from typing import Any

from aws_cdk import Aws, Duration
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_certificatemanager as certificates
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.accepted import accept
from infra.api import Api
from infra.context import Context
from infra.evaluation import evaluation_rules
from infra.foundation import Foundation
from infra.function import Function, SharedResources
from infra.queues import QueuePair
from infra.storage import Storage
from lambdas.domain.tenants import aws_names
from lambdas.domain.tenants.confirmation_mail import KEY_PREFIX
from lambdas.portal.settings import PortalSettings

_ANSWER = Duration.seconds(29)  # an HTTP API waits for 30
_MEMORY = 1024  # MB: more than half a core; pages are rendered in Python while a person waits
_STEP = Duration.seconds(60)  # one step of a replay
_SECRET = "Key that signs the portal's sessions"  # noqa: S105
_COUNTERS_OF_CONFIRMATIONS: dict[
    str, dict[str, Any]
] = {  # ForAllValues alone is also true of a request without the key
    "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [f"{KEY_PREFIX}*"]},
    "Null": {"dynamodb:LeadingKeys": "false"},
}
_UNLOGGED = ("path",)  # a one-time link is a path


class Portal(Construct):
    """`api` answers browsers at `url`. Nothing here can pause, post to a webhook, or open a binding's credentials."""

    def __init__(self, scope: Construct, id: str, base: Foundation) -> None:
        super().__init__(scope, id)
        shared = base.shared
        self.secret = _signing_secret(self, shared)
        self.replays = QueuePair(
            self,
            "Replays",
            shared=shared,
            timeout=_STEP,
            name="replays",
            because="A replay that a tenant asked for got stuck.",
        )
        settings = _settings(self, base)
        self.function = Function(
            self,
            "Portal",
            shared=shared,
            folder="portal",
            entry="handler",
            settings=settings,
            timeout=_ANSWER,
            memory=_MEMORY,
            description="Answers the portal's pages.",
        )
        self.replay = Function(
            self,
            "Replay",
            shared=shared,
            folder="portal",
            entry="replay",
            settings=settings,
            timeout=_STEP,
            description="Sends kept deliveries again, for replays that the portal was asked for.",
        )
        self._allow(base)
        self.api = self._api(shared)
        self._name(shared.context)
        self.url = public_url(shared.context) or self.api.url
        self.functions = {"portal": self.function, "replay": self.replay}
        self.queues = {"replays": self.replays.queue, "replays_dlq": self.replays.dead}

    def _allow(self, base: Foundation) -> None:
        shared, storage, deliveries = base.shared, base.storage, base.deliveries.queue
        _allow_pages(self.function, storage, deliveries, self.secret)
        _allow_webhook_secrets(self.function, shared)
        if client_secret := shared.context.portal_client_secret_arn:
            self.function.allow("secretsmanager:GetSecretValue", on=[client_secret])
        self.function.send_to(self.replays.queue)
        _allow_replay(self.replay, storage, deliveries, self.replays.queue)

    def _api(self, shared: SharedResources) -> Api:
        context = shared.context
        return Api(
            self,
            "Api",
            shared=shared,
            function=self.function.function,
            name="Portal",
            description="portal",
            because="The portal's function signs people in itself: an authorizer could not answer with a sign-in page.",
            throttle=apigateway.ThrottleSettings(
                rate_limit=context.portal_requests_per_second, burst_limit=context.portal_burst
            ),
            unlogged=_UNLOGGED,
        )

    def _name(self, context: Context) -> None:
        """Serve the portal under the operator's domain name."""
        if not context.portal_domain_name:
            return
        name = apigateway.DomainName(
            self,
            "DomainName",
            domain_name=context.portal_domain_name,
            certificate=certificates.Certificate.from_certificate_arn(
                self, "Certificate", context.portal_certificate_arn
            ),
        )
        apigateway.ApiMapping(self, "Mapping", api=self.api.api, domain_name=name, stage=self.api.stage)


def public_url(context: Context) -> str:
    """The portal's address where the operator chose it; empty: the API's."""
    own = f"https://{context.portal_domain_name}" if context.portal_domain_name else ""
    return context.portal_url or own


def _signing_secret(scope: Construct, shared: SharedResources) -> secretsmanager.Secret:
    secret = secretsmanager.Secret(
        scope,
        "SigningKey",
        description=_SECRET,
        encryption_key=shared.key,
        generate_secret_string=secretsmanager.SecretStringGenerator(
            secret_string_template=json.dumps({}),
            generate_string_key="key",
            password_length=64,
            exclude_punctuation=True,
        ),
        removal_policy=shared.removal,
    )
    accept(
        secret,
        "AwsSolutions-SMG4",
        "NIST.800.53.R5-SecretsManagerRotationEnabled",
        because="Sessions live for eight hours at most; an operator replaces the key when it may have leaked, keeping "
        "the old one as previous_key until then.",
    )
    return secret


def _allow_pages(function: Function, storage: Storage, deliveries: sqs.IQueue, secret: secretsmanager.Secret) -> None:
    """Read what the pages show; write the portal's table, and in other tables what the actions need."""
    assert storage.portal is not None  # noqa: S101
    topics = f"arn:{Aws.PARTITION}:sns:{Aws.REGION}:{Aws.ACCOUNT_ID}:{aws_names.ALERT_TOPICS}"
    function.use_table(storage.portal, "GetItem", "PutItem", "UpdateItem", "DeleteItem")
    function.use_table(storage.broker, "GetItem", "Scan")
    function.allow("dynamodb:UpdateItem", on=[storage.broker.table_arn], when=_COUNTERS_OF_CONFIRMATIONS)
    function.use_table(storage.webhooks, "Query", "Scan", "UpdateItem")
    function.use_table(storage.backlog, "BatchGetItem", "Query", "UpdateItem")
    function.use_table(storage.reputation, "GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem")
    function.use_table(storage.rate_limiter, "GetItem", "UpdateItem")
    function.send_to(deliveries)
    function.allow("secretsmanager:GetSecretValue", on=[secret.secret_arn])
    function.use_key_through("secretsmanager", writing=False)
    function.allow(
        "sns:Subscribe",
        "sns:ListSubscriptionsByTopic",
        on=[topics],
        wide="An instance's alert topic carries our prefix and the instance's id.",
    )
    function.allow(
        "ses:GetEmailIdentity",
        on=[f"arn:{Aws.PARTITION}:ses:{Aws.REGION}:{Aws.ACCOUNT_ID}:identity/*"],
        wide="An identity is named for the tenant's domain.",
    )
    function.allow("iam:GetAccountSummary", on=["*"], wide="IAM knows no resource for it.")


def _allow_webhook_secrets(function: Function, shared: SharedResources) -> None:
    """Replace a webhook's secret: the encryption context keeps a binding's credentials closed."""
    function.allow(
        "kms:Encrypt",
        "kms:Decrypt",
        on=[shared.key.key_arn],
        when={"StringEquals": {"kms:EncryptionContext:purpose": "webhook-secret"}},
    )


def _allow_replay(function: Function, storage: Storage, deliveries: sqs.IQueue, steps: sqs.IQueue) -> None:
    """Read the archive, send deliveries again, remove parked ones from the backlog. No access to secrets."""
    assert storage.portal is not None  # noqa: S101
    function.use_table(storage.portal, "GetItem", "PutItem")
    function.use_table(storage.backlog, "BatchGetItem", "Query", "UpdateItem", "DeleteItem")
    function.send_to(deliveries)
    function.send_to(steps)
    function.consume(steps, size=1, window=0, concurrency=2)


def _settings(portal: Portal, base: Foundation) -> PortalSettings:
    shared, storage, context = base.shared, base.storage, base.shared.context
    assert storage.portal is not None  # noqa: S101
    return PortalSettings(
        sign_in=context.portal,
        public_url=public_url(context),
        issuer=context.portal_issuer.rstrip("/"),
        client_secret_arn=context.portal_client_secret_arn,
        cloud_controller_url=context.portal_cloud_controller_url.rstrip("/"),
        operator_claim=context.portal_operator_claim,
        operator_value=context.portal_operator_value,
        portal_table=storage.portal.table_name,
        broker_table=storage.broker.table_name,
        webhooks_table=storage.webhooks.table_name,
        backlog_table=storage.backlog.table_name,
        reputation_table=storage.reputation.table_name,
        rate_limiter_table=storage.rate_limiter.table_name,
        deliveries_queue_url=base.deliveries.queue.queue_url,
        replays_queue_url=portal.replays.queue.queue_url,
        signing_secret_arn=portal.secret.secret_arn,
        event_topic_arn=base.events.topic.topic_arn,
        key_arn=shared.key.key_arn,
        partition=Aws.PARTITION,
        region=Aws.REGION,
        account=Aws.ACCOUNT_ID,
        operator_name=context.catalog_provider,
        confirmation_mails_per_day=context.confirmation_mails_per_day,
        support_url=context.catalog_support_url,
        self_resume=context.portal_self_resume,
        self_resume_hours=context.portal_self_resume_hours,
        self_resume_days=context.portal_self_resume_days,
        dmarc_policy=context.dmarc_policy,
        dmarc_aggregate_recipients=",".join(context.dmarc_aggregate_recipients),
        ses_calls_per_second=context.ses_calls_per_second,
        **evaluation_rules(context),
    )
