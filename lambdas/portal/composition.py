"""The portal's object graph, from its settings."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from lambdas.aws.clients import Clients
from lambdas.aws.dynamodb.backlog.archive import Archive
from lambdas.aws.dynamodb.backlog.backlog import SHARDS, Backlog
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.dynamodb.confirmation_mails import ConfirmationMails
from lambdas.aws.dynamodb.portal_table import PortalTable
from lambdas.aws.dynamodb.rate_limiter import RateLimiter
from lambdas.aws.dynamodb.reputation.reputation_table import ReputationTable
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.aws.dynamodb.webhooks.baseline import Baselines
from lambdas.aws.dynamodb.webhooks.webhook_rotation import WebhookRotation
from lambdas.aws.dynamodb.webhooks.webhook_states import WebhookStates
from lambdas.aws.iam.users import IamUsers
from lambdas.aws.secrets_manager.oauth_client import OAuthClientSecret
from lambdas.aws.secrets_manager.signing_key import SigningKeys
from lambdas.aws.ses.identity_status import IdentityStatuses
from lambdas.aws.ses.rate_limit import RateLimit
from lambdas.aws.sns.topics import Topics
from lambdas.aws.sqs.delivery_queue import DeliveryQueue
from lambdas.aws.sqs.replay_queue import ReplayQueue
from lambdas.domain.portal import OAuthClient, Session
from lambdas.domain.reputation.evaluation import ReputationRules
from lambdas.domain.tenants.dns_records import DnsRecord
from lambdas.domain.tenants.instance import Instance, InstanceState
from lambdas.domain.tenants.instance_dns import InstanceDns
from lambdas.portal import rendering
from lambdas.portal.app import Log, Portal, Refresh
from lambdas.portal.finding import Finder
from lambdas.portal.openid import Provider, fetch
from lambdas.portal.overview import Overviews
from lambdas.portal.pages.mail import MailPages
from lambdas.portal.pages.openid import CloudFoundryRights, OpenIdPages, no_grants, operators_with
from lambdas.portal.pages.operators import OperatorPages, Quota
from lambdas.portal.pages.recipients import RecipientPages
from lambdas.portal.pages.replays import ReplayPages
from lambdas.portal.pages.sending import SelfResume, SendingPages
from lambdas.portal.pages.setup import IdentityStatus, LookedUp, SetupPages
from lambdas.portal.pages.signing import SigningPages
from lambdas.portal.pages.status import StatusPages, known
from lambdas.portal.pages.webhooks import WebhookPages
from lambdas.portal.recipients import RecipientFinder
from lambdas.portal.rendering import Renderer, assets_in
from lambdas.portal.replaying import Replayer
from lambdas.portal.routes import Pages, routes
from lambdas.portal.routing import Router
from lambdas.portal.sessions import Sessions
from lambdas.portal.settings import PortalSettings

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

_PLATFORM_SCOPE = "openid cloud_controller_service_permissions.read"
_COUNTERS = 176  # read at once: 7 days and 8 hours, what a row of the operators' list shows
_SES_PATIENCE = 2.0  # s that a page waits for its turn at SES; without one it says so


def compose(settings: PortalSettings, clients: Clients, *, log: Log) -> Portal:
    """The portal as *settings* say."""
    composition = _Composition(settings, clients)
    return Portal(
        router=Router(routes(composition.pages())),
        sessions=composition.sessions,
        counter=composition.table,
        refresh=composition.refresh(),
        refused=composition.renderer.refused,
        log=log,
    )


def compose_replayer(settings: PortalSettings, clients: Clients) -> Replayer:
    """What makes the steps of replays."""
    composition = _Composition(settings, clients)
    return Replayer(
        store=composition.table,
        archive=composition.archive,
        backlog=composition.backlog,
        queue=composition.deliveries,
        shards=SHARDS,
    )


@dataclass(frozen=True)
class _Composition:
    """The object graph: adapters first, then the pages that use them. What several use is made once."""

    settings: PortalSettings
    clients: Clients

    # -- adapters

    @property
    def dynamodb(self) -> "DynamoDBClient":
        return self.clients.client("dynamodb")

    @cached_property
    def table(self) -> PortalTable:
        return PortalTable(self.dynamodb, self.settings.portal_table)

    @cached_property
    def broker(self) -> BrokerTable:
        return BrokerTable(self.dynamodb, self.settings.broker_table)

    @cached_property
    def webhook_states(self) -> WebhookStates:
        return WebhookStates(self.dynamodb, self.settings.webhooks_table)

    @cached_property
    def archive(self) -> Archive:
        return Archive(self.dynamodb, self.settings.backlog_table)

    @cached_property
    def backlog(self) -> Backlog:
        return Backlog(self.dynamodb, self.settings.backlog_table)

    @cached_property
    def ledger(self) -> ReputationTable:
        return ReputationTable(self.dynamodb, self.settings.reputation_table, consistent=False, page=_COUNTERS)

    @cached_property
    def statuses(self) -> SendingStatusTable:
        return SendingStatusTable(self.dynamodb, self.settings.reputation_table)

    @cached_property
    def deliveries(self) -> DeliveryQueue:
        return DeliveryQueue(self.clients.client("sqs"), self.settings.deliveries_queue_url)

    @cached_property
    def topics(self) -> Topics:
        settings = self.settings
        prefix = f"arn:{settings.partition}:sns:{settings.region}:{settings.account}:"
        mails = ConfirmationMails(
            self.clients.client("dynamodb"),
            settings.broker_table,
            limit=settings.confirmation_mails_per_day,
            clock=lambda: datetime.now(UTC),
        )
        return Topics(self.clients.client("sns"), key_arn=settings.key_arn, arn_prefix=prefix, may_mail=mails.take)

    # -- what all pages use

    @cached_property
    def sessions(self) -> Sessions:
        keys = SigningKeys(self.clients.client("secretsmanager"), self.settings.signing_secret_arn)
        return Sessions(self.table, lambda now: keys.current(now=now))

    @cached_property
    def renderer(self) -> Renderer:
        return Renderer(
            sessions=self.sessions,
            assets=assets_in(rendering.FOLDERS),
            sign_in=self.settings.sign_in,
            operator_name=self.settings.operator_name,
            support_url=self.settings.support_url,
        )

    @cached_property
    def rules(self) -> ReputationRules:
        return self.settings.rules

    @cached_property
    def instance(self) -> Callable[[str], Instance]:
        """Raises NotFound for an instance that is gone."""

        def find(instance_id: str) -> Instance | None:
            found = self.broker.instance(instance_id)
            return None if found is None or found.state is InstanceState.GONE else found

        return known(find)

    @cached_property
    def overviews(self) -> Overviews:
        return Overviews(registry=self.broker, webhooks=self.webhook_states)

    # -- pages

    def pages(self) -> Pages:
        return Pages(
            openid=self._openid(),
            signing=SigningPages(renderer=self.renderer, sessions=self.sessions, links=self.table),
            status=self._status(),
            mail=self._mail(),
            webhooks=self._webhooks,
            replays=self._replays(),
            sending=self._sending(),
            setup=self._setup(),
            operators=self._operators(),
            recipients=RecipientPages(
                renderer=self.renderer,
                finder=RecipientFinder(ledger=self.ledger, clock=time.monotonic),
                overviews=self.overviews,
            ),
            assets=self.renderer.assets,
        )

    def _status(self) -> StatusPages:
        return StatusPages(
            renderer=self.renderer,
            statuses=self.statuses,
            ledger=self.ledger,
            rules=self.rules,
            instance=self.instance,
        )

    def _mail(self) -> MailPages:
        finder = Finder(
            ledger=self.ledger, archive=self.archive, backlog=self.backlog, shards=SHARDS, clock=time.monotonic
        )
        return MailPages(renderer=self.renderer, finder=finder, webhooks=self.webhook_states, instance=self.instance)

    @cached_property
    def _webhooks(self) -> WebhookPages:
        secrets = WebhookRotation(
            self.dynamodb,
            self.clients.client("kms"),
            table=self.settings.webhooks_table,
            key_arn=self.settings.key_arn,
        )
        return WebhookPages(
            renderer=self.renderer,
            webhooks=self.webhook_states,
            backlog=self.backlog,
            queue=self.deliveries,
            secrets=secrets,
            actions=self.table,
            instance=self.instance,
            event_topic_arn=self.settings.event_topic_arn,
        )

    def _replays(self) -> ReplayPages:
        return ReplayPages(
            renderer=self.renderer,
            webhooks=self._webhooks,
            replays=self.table,
            steps=ReplayQueue(self.clients.client("sqs"), self.settings.replays_queue_url),
            instance=self.instance,
            shards=SHARDS,
        )

    def _sending(self) -> SendingPages:
        settings = self.settings
        return SendingPages(
            renderer=self.renderer,
            statuses=self.statuses,
            ledger=self.ledger,
            baselines=Baselines(self.dynamodb, settings.webhooks_table),
            resumes=self.table,
            actions=self.table,
            rules=self.rules,
            self_resume=SelfResume(
                enabled=settings.self_resume, hours=settings.self_resume_hours, days=settings.self_resume_days
            ),
            instance=self.instance,
        )

    def _setup(self) -> SetupPages:
        dns = InstanceDns.parse(
            region=self.settings.region,
            dmarc_policy=self.settings.dmarc_policy,
            dmarc_aggregate_recipients=self.settings.dmarc_aggregate_recipients,
        )
        return SetupPages(
            renderer=self.renderer,
            instance=self.instance,
            records=dns.records,
            look_up=_look_up,
            identity=_identities(self.settings, self.clients),
            topics=self.topics,
            counter=self.table,
            actions=self.table,
        )

    def _operators(self) -> OperatorPages:
        return OperatorPages(
            renderer=self.renderer,
            statuses=self.statuses,
            ledger=self.ledger,
            overviews=self.overviews,
            backlog=self.backlog,
            rules=self.rules,
            users=lambda: _users(self.clients),
        )

    # -- signing in with an OpenID provider

    def refresh(self) -> Refresh:
        """How a session's rights are asked for again."""
        if self.settings.sign_in != "cloud-foundry":
            return _unchanged
        api = self.settings.cloud_controller_url
        return CloudFoundryRights(api=api, provider=self._provider, store=self.table, fetch=fetch).refresh

    def _openid(self) -> OpenIdPages | None:
        if self.settings.sign_in == "links":
            return None
        platform = self.settings.sign_in == "cloud-foundry"
        return OpenIdPages(
            provider=self._provider,
            sessions=self.sessions,
            grants=no_grants
            if platform
            else operators_with(self.settings.operator_claim, self.settings.operator_value),
            keeps_tokens=platform,
        )

    def _provider(self) -> Provider:
        """The provider, with the client as its secret has it now; its addresses are asked for once."""
        scope = _PLATFORM_SCOPE if self.settings.sign_in == "cloud-foundry" else "openid profile email"
        secret = OAuthClientSecret(self.clients.client("secretsmanager"), self.settings.client_secret_arn)
        return _provider_of(self.settings.issuer, secret.read(), scope)


@lru_cache(maxsize=1)
def _provider_of(issuer: str, client: OAuthClient, scope: str) -> Provider:
    return Provider(issuer=issuer, client=client, scope=scope, fetch=fetch)


def _look_up(records: Sequence[DnsRecord]) -> Sequence[LookedUp]:
    from lambdas.portal.dns_lookup import look_up  # here, because one page alone needs the library

    return look_up(records)


def _identities(settings: PortalSettings, clients: Clients) -> Callable[[str], IdentityStatus | None]:
    limiter = RateLimiter(clients.client("dynamodb"), settings.rate_limiter_table, rate=settings.ses_calls_per_second)
    pace = RateLimit(limiter, max_wait=_SES_PATIENCE, clock=lambda: datetime.now(UTC), sleep=time.sleep)
    statuses = IdentityStatuses(clients.client("sesv2"), pace)

    def identity(domain: str) -> IdentityStatus | None:
        found = statuses.of(domain)
        return IdentityStatus(verified=found[0], dkim=found[1], mail_from=found[2]) if found else None

    return identity


def _users(clients: Clients) -> Quota:
    quota = IamUsers(clients.client("iam"), boundary_arn="").quota()
    return Quota(name="IAM users (bindings)", used=quota.users, limit=quota.limit)


def _unchanged(session: Session, _instance: str, _now: datetime) -> Session:
    """Links are granted once."""
    return session
