"""The portal's object graph, from its settings."""

import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache

import msgspec

from lambdas.aws.clients import Clients
from lambdas.aws.dynamodb.backlog.archive import Archive
from lambdas.aws.dynamodb.backlog.backlog import SHARDS, Backlog
from lambdas.aws.dynamodb.broker.broker_table import BrokerTable
from lambdas.aws.dynamodb.portal_table import PortalTable
from lambdas.aws.dynamodb.rate_limiter import RateLimiter
from lambdas.aws.dynamodb.reputation.reputation_table import ReputationTable
from lambdas.aws.dynamodb.reputation.sending_status_table import SendingStatusTable
from lambdas.aws.dynamodb.webhooks.baseline import Baselines
from lambdas.aws.dynamodb.webhooks.webhook_rotation import WebhookRotation
from lambdas.aws.dynamodb.webhooks.webhook_states import WebhookStates
from lambdas.aws.iam.users import IamUsers
from lambdas.aws.secrets_manager.signing_key import SigningKeys
from lambdas.aws.ses.identity_status import IdentityStatuses
from lambdas.aws.ses.rate_limit import RateLimit
from lambdas.aws.sns.topics import Topics
from lambdas.aws.sqs.delivery_queue import DeliveryQueue
from lambdas.aws.sqs.replay_queue import ReplayQueue
from lambdas.domain.portal import Session
from lambdas.domain.reputation.evaluation import ReputationRules
from lambdas.domain.tenants.dns_records import DnsRecord
from lambdas.domain.tenants.instance import Instance, InstanceState
from lambdas.domain.tenants.instance_dns import InstanceDns
from lambdas.portal import rendering
from lambdas.portal.app import Log, Portal, Refresh
from lambdas.portal.finding import Finder
from lambdas.portal.openid import Client, Provider, fetch
from lambdas.portal.pages.mail import MailPages
from lambdas.portal.pages.openid import CloudFoundryRights, OpenIdPages, no_grants, operators_with
from lambdas.portal.pages.operators import OperatorPages, Quota
from lambdas.portal.pages.replays import ReplayPages
from lambdas.portal.pages.sending import SelfResume, SendingPages
from lambdas.portal.pages.setup import IdentityStatus, LookedUp, SetupPages
from lambdas.portal.pages.signing import SigningPages
from lambdas.portal.pages.status import StatusPages, known
from lambdas.portal.pages.webhooks import WebhookPages
from lambdas.portal.rendering import Renderer, assets_in
from lambdas.portal.replaying import Replayer
from lambdas.portal.routes import Pages, routes
from lambdas.portal.routing import Router
from lambdas.portal.sessions import Sessions
from lambdas.portal.settings import PortalSettings

_PLATFORM_SCOPE = "openid cloud_controller_service_permissions.read"
_SES_PATIENCE = 2.0  # s that a page waits for its turn at SES; without one it says so


def compose(settings: PortalSettings, clients: Clients, *, log: Log) -> Portal:
    """The portal as *settings* say."""
    dynamodb = clients.client("dynamodb")
    table = PortalTable(dynamodb, settings.portal_table)
    keys = SigningKeys(clients.client("secretsmanager"), settings.signing_secret_arn)
    sessions = Sessions(table, lambda now: keys.current(now=now))
    renderer = Renderer(
        sessions=sessions,
        assets=assets_in(rendering.FOLDERS),
        sign_in=settings.sign_in,
        operator_name=settings.operator_name,
        support_url=settings.support_url,
    )
    pages = _pages(settings, clients, renderer, sessions, table)
    return Portal(
        router=Router(routes(pages)),
        sessions=sessions,
        counter=table,
        refresh=_refresh(settings, clients, table),
        refused=renderer.refused,
        log=log,
    )


def compose_replayer(settings: PortalSettings, clients: Clients) -> Replayer:
    """What makes the steps of replays."""
    dynamodb = clients.client("dynamodb")
    return Replayer(
        store=PortalTable(dynamodb, settings.portal_table),
        archive=Archive(dynamodb, settings.backlog_table),
        backlog=Backlog(dynamodb, settings.backlog_table),
        queue=DeliveryQueue(clients.client("sqs"), settings.deliveries_queue_url),
        shards=SHARDS,
    )


def _pages(
    settings: PortalSettings, clients: Clients, renderer: Renderer, sessions: Sessions, table: PortalTable
) -> Pages:
    dynamodb = clients.client("dynamodb")
    broker = BrokerTable(dynamodb, settings.broker_table)
    webhooks = WebhookStates(dynamodb, settings.webhooks_table)
    backlog = Backlog(dynamodb, settings.backlog_table)
    ledger = ReputationTable(dynamodb, settings.reputation_table)
    statuses = SendingStatusTable(dynamodb, settings.reputation_table)
    rules = ReputationRules(**{field.name: getattr(settings, field.name) for field in fields(ReputationRules)})

    def find(instance_id: str) -> Instance | None:
        found = broker.instance(instance_id)
        return None if found is None or found.state is InstanceState.GONE else found

    instance = known(find)
    hooks = WebhookPages(
        renderer=renderer,
        webhooks=webhooks,
        backlog=backlog,
        queue=DeliveryQueue(clients.client("sqs"), settings.deliveries_queue_url),
        secrets=WebhookRotation(
            dynamodb, clients.client("kms"), table=settings.webhooks_table, key_arn=settings.key_arn
        ),
        actions=table,
        instance=instance,
        event_topic_arn=settings.event_topic_arn,
    )
    return Pages(
        openid=_openid(settings, clients, sessions),
        signing=SigningPages(renderer=renderer, sessions=sessions, links=table),
        status=StatusPages(renderer=renderer, statuses=statuses, ledger=ledger, rules=rules, instance=instance),
        mail=MailPages(
            renderer=renderer,
            finder=Finder(
                ledger=ledger,
                archive=Archive(dynamodb, settings.backlog_table),
                backlog=backlog,
                shards=SHARDS,
                clock=time.monotonic,
            ),
            webhooks=webhooks,
            instance=instance,
        ),
        webhooks=hooks,
        replays=ReplayPages(
            renderer=renderer,
            webhooks=hooks,
            replays=table,
            steps=ReplayQueue(clients.client("sqs"), settings.replays_queue_url),
            instance=instance,
            shards=SHARDS,
        ),
        sending=SendingPages(
            renderer=renderer,
            statuses=statuses,
            ledger=ledger,
            baselines=Baselines(dynamodb, settings.webhooks_table),
            resumes=table,
            actions=table,
            rules=rules,
            self_resume=SelfResume(
                enabled=settings.self_resume, hours=settings.self_resume_hours, days=settings.self_resume_days
            ),
            instance=instance,
        ),
        setup=SetupPages(
            renderer=renderer,
            instance=instance,
            records=InstanceDns.parse(
                region=settings.region,
                dmarc_policy=settings.dmarc_policy,
                dmarc_aggregate_recipients=settings.dmarc_aggregate_recipients,
            ).records,
            look_up=_look_up,
            identity=_identities(settings, clients),
            topics=Topics(
                clients.client("sns"),
                key_arn=settings.key_arn,
                arn_prefix=f"arn:{settings.partition}:sns:{settings.region}:{settings.account}:",
            ),
            counter=table,
            actions=table,
        ),
        operators=OperatorPages(
            renderer=renderer,
            statuses=statuses,
            ledger=ledger,
            registry=broker,
            webhooks=webhooks,
            backlog=backlog,
            rules=rules,
            users=lambda: _users(clients),
        ),
        assets=renderer.assets,
    )


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


def _refresh(settings: PortalSettings, clients: Clients, table: PortalTable) -> Refresh:
    if settings.sign_in != "cloud-foundry":
        return _unchanged
    provider = _provider(settings, clients)
    return CloudFoundryRights(api=settings.cloud_controller_url, provider=provider, store=table, fetch=fetch).refresh


def _openid(settings: PortalSettings, clients: Clients, sessions: Sessions) -> OpenIdPages | None:
    if settings.sign_in == "links":
        return None
    platform = settings.sign_in == "cloud-foundry"
    return OpenIdPages(
        provider=_provider(settings, clients),
        sessions=sessions,
        grants=no_grants if platform else operators_with(settings.operator_claim, settings.operator_value),
        keeps_tokens=platform,
    )


def _provider(settings: PortalSettings, clients: Clients) -> Callable[[], Provider]:
    """The provider, made at the first sign-in; its client's secret is read then."""
    scope = _PLATFORM_SCOPE if settings.sign_in == "cloud-foundry" else "openid profile email"

    @cache
    def provider() -> Provider:
        secret = clients.client("secretsmanager").get_secret_value(SecretId=settings.client_secret_arn)["SecretString"]
        known = msgspec.json.decode(secret, type=dict[str, str])
        return Provider(
            issuer=settings.issuer,
            client=Client(id=known["client_id"], secret=known["client_secret"]),
            scope=scope,
            fetch=fetch,
        )

    return provider
