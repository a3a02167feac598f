"""The broker's object graph, built on its adapters."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from lambdas.aws.clients import Clients
from lambdas.broker.adapters import Adapters, topic_arn_prefix
from lambdas.broker.bindings.binding import Binder, BindingQueries
from lambdas.broker.bindings.maker import Maker
from lambdas.broker.bindings.secret_rotation import SecretRotation
from lambdas.broker.bindings.ses_bindings import SesBindings
from lambdas.broker.bindings.unbinding import Unbinding
from lambdas.broker.bindings.webhook_test import SendTest
from lambdas.broker.instances.deprovisioning import Deprovisioning
from lambdas.broker.instances.domain_claims import DomainClaims
from lambdas.broker.instances.domain_release import DomainRelease
from lambdas.broker.instances.domain_takeover import DomainTakeover
from lambdas.broker.instances.earlier_pauses import EarlierPauses
from lambdas.broker.instances.operator_dns import OperatorDns
from lambdas.broker.instances.privatelink import PrivateLinkBindings, PrivateLinkSteps
from lambdas.broker.instances.provisioning import Provisioning
from lambdas.broker.instances.queries import InstanceQueries
from lambdas.broker.instances.ses_steps import SesSteps
from lambdas.broker.instances.updating import Updating
from lambdas.broker.instances.webhook_changes import WebhookChanges
from lambdas.broker.instances.webhook_update import WebhookUpdate
from lambdas.broker.limits import Limits
from lambdas.broker.operations.cleanup import Cleanup, LogCleanup
from lambdas.broker.operations.engine import Engine, OperationStep
from lambdas.broker.operations.requests import Operations
from lambdas.broker.osb.api import Api, LogAnswer
from lambdas.broker.osb.catalog import PRIVATELINK_SERVICE, SES_SERVICE, catalog, id_in_cell
from lambdas.broker.osb.parameters import WebhookRules
from lambdas.broker.osb.rendering import Renderer
from lambdas.broker.ports import LogStep
from lambdas.broker.settings import BrokerSettings
from lambdas.domain.tenants.instance import Instance
from lambdas.domain.webhooks.address_rules import AddressRules
from lambdas.domain.webhooks.signature import new_secret

WORKER_MAX_WAIT = 10.0  # s: a step run lasts 45 s, so waiting in it is cheaper than another run
API_MAX_WAIT = 1.5  # s: a bind is to be done in 5
NO_WAIT = 0.0  # s: what is only nice to know


def clock() -> datetime:
    """The current time, UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A unique id."""
    return uuid.uuid4().hex


@dataclass(frozen=True)
class Composition:
    """The broker's object graph, made when it is first asked for."""

    settings: BrokerSettings
    adapters: Adapters
    clock: Callable[[], datetime] = clock
    new_id: Callable[[], str] = new_id
    new_secret: Callable[[], str] = new_secret

    def api(self, log_answer: LogAnswer) -> Api:
        """What answers the platform."""
        settings = self.settings
        return Api(
            accept=self.adapters.credentials,
            provisioning=Provisioning(
                store=self.adapters.table,
                operations=self._operations,
                identities=self.adapters.ses(API_MAX_WAIT),
                claims=self._claims(API_MAX_WAIT),
                takeover=DomainTakeover(
                    store=self.adapters.table,
                    operations=self._operations,
                    claims=self._claims(API_MAX_WAIT),
                    txt=self.adapters.txt,
                ),
                settings=settings,
            ),
            updating=Updating(
                store=self.adapters.table,
                operations=self._operations,
                webhooks=self._webhook_changes,
                settings=settings,
            ),
            deprovisioning=Deprovisioning(store=self.adapters.table, operations=self._operations, settings=settings),
            instance_queries=self.instance_queries,
            binder=self._binder,
            unbinding=self.unbinding,
            binding_queries=BindingQueries(store=self.adapters.table, makers=self._makers),
            catalog=lambda: catalog(settings, self.adapters.dashboard_client()),
            log_answer=log_answer,
        )

    def engine(self, log_step: LogStep) -> Engine:
        """What works operations off."""
        return Engine(
            instances=self.adapters.table,
            tasks=self.adapters.tasks,
            steps_of=self._steps_of,
            succeeded=self._renderer.succeeded,
            updated=self._renderer.updated,
            clock=self.clock,
            log_step=log_step,
        )

    def cleanup(self, log: LogCleanup, waiting: Callable[[int, float], None]) -> Cleanup:
        """Removes leftovers of binds and resumes stalled operations; *waiting* records how many operations wait."""
        return Cleanup(
            store=self.adapters.table,
            instances=self.instance_queries,
            bindings=self.unbinding,
            log=log,
            waiting=waiting,
        )

    @cached_property
    def instance_queries(self) -> InstanceQueries:
        """What answers fetches and polls of instances."""
        return InstanceQueries(
            store=self.adapters.table, operations=self._operations, portal_url=self.settings.portal_url
        )

    @cached_property
    def unbinding(self) -> Unbinding:
        """What removes bindings."""
        return Unbinding(store=self.adapters.table, makers=self._makers, settings=self.settings)

    @cached_property
    def _binder(self) -> Binder:
        return Binder(
            store=self.adapters.table,
            secret_encryption=self.adapters.secret_encryption,
            decrypt_webhook_secret=self.adapters.decrypt_webhook_secret,
            webhooks=self.adapters.webhooks,
            makers=self._makers,
            unbinding=self.unbinding,
            settings=self.settings,
            rules=self._rules,
            limits=Limits.of(self.settings, self.adapters.table),
            new_id=self.new_id,
            new_secret=self.new_secret,
        )

    @cached_property
    def _makers(self) -> dict[str, Maker]:
        makers: dict[str, Maker] = {SES_SERVICE: self._ses_bindings, PRIVATELINK_SERVICE: PrivateLinkBindings()}
        return {id_in_cell(service, self.settings): maker for service, maker in makers.items()}

    @cached_property
    def _operations(self) -> Operations:
        return Operations(tasks=self.adapters.tasks, new_id=self.new_id)

    @cached_property
    def _webhook_changes(self) -> WebhookChanges:
        return WebhookChanges(
            store=self.adapters.table,
            webhooks=self.adapters.webhooks,
            encrypt_webhook_secret=self.adapters.encrypt_webhook_secret,
            decrypt_webhook_secret=self.adapters.decrypt_webhook_secret,
            rules=self._rules,
        )

    @cached_property
    def _ses_bindings(self) -> SesBindings:
        return SesBindings(
            users=self.adapters.users,
            webhooks=self.adapters.webhooks,
            topics=self.adapters.topics,
            secret_encryption=self.adapters.secret_encryption,
            encrypt_webhook_secret=self.adapters.encrypt_webhook_secret,
            decrypt_webhook_secret=self.adapters.decrypt_webhook_secret,
            rotation=SecretRotation(
                webhooks=self.adapters.webhooks,
                decrypt=self.adapters.decrypt_webhook_secret,
                encrypt=self.adapters.encrypt_webhook_secret,
            ),
            test=self._send_test,
            identities=self.adapters.ses(NO_WAIT),
            renderer=self._renderer,
            topic_arn_prefix=topic_arn_prefix(self.settings),
        )

    def _steps_of(self, instance: Instance) -> Sequence[OperationStep]:
        return self._privatelink_steps(instance) if instance.privatelink else self._ses_steps(instance)

    @cached_property
    def _privatelink_steps(self) -> PrivateLinkSteps:
        settings = self.settings
        return PrivateLinkSteps(
            endpoints=self.adapters.endpoints,
            subnet_ids=_listed(settings.privatelink_subnet_ids),
            cidrs=_listed(settings.privatelink_cidrs),
        )

    @cached_property
    def _ses_steps(self) -> SesSteps:
        return SesSteps(
            claims=self._claims(WORKER_MAX_WAIT),
            release=DomainRelease(
                ses=self.adapters.ses(WORKER_MAX_WAIT),
                users=self.adapters.users,
                bindings=self.adapters.table,
                notifier=self.adapters.notifier,
                portal_url=self.settings.portal_url,
            ),
            pauses=self._earlier_pauses,
            ses=self.adapters.ses(WORKER_MAX_WAIT),
            topics=self.adapters.topics,
            zone=self.adapters.zone,
            webhooks=self.adapters.webhooks,
            webhook_update=WebhookUpdate(
                webhooks=self.adapters.webhooks,
                encrypt=self.adapters.encrypt_webhook_secret,
                decrypt=self.adapters.decrypt_webhook_secret,
                test=self._send_test,
            ),
            dns=self._dns,
            event_topic_arn=self.settings.event_topic_arn,
            topic_arn_prefix=topic_arn_prefix(self.settings),
            clock=self.clock,
        )

    def _claims(self, max_wait: float) -> DomainClaims:
        return DomainClaims(claims=self.adapters.table, identities=self.adapters.ses(max_wait))

    @cached_property
    def _earlier_pauses(self) -> EarlierPauses:
        adapters = self.adapters
        return EarlierPauses(marks=adapters.pause_marks, sending_statuses=adapters.sending_statuses, clock=self.clock)

    @cached_property
    def _send_test(self) -> SendTest:
        return SendTest(deliveries=self.adapters.deliveries, topic_arn=self.settings.event_topic_arn)

    @cached_property
    def _dns(self) -> OperatorDns:
        return OperatorDns.of(self.settings)

    @cached_property
    def _renderer(self) -> Renderer:
        return Renderer(settings=self.settings, dns=self._dns)

    @cached_property
    def _rules(self) -> WebhookRules:
        settings = self.settings
        addresses = AddressRules.parse(settings.allowed_cidrs, allow_http=settings.allow_http)
        return WebhookRules(addresses=addresses, private_names=bool(settings.allowed_cidrs))


def compose(settings: BrokerSettings, clients: Clients, *, clock: Callable[[], datetime] = clock) -> Composition:
    """The broker, from its settings."""
    return Composition(settings, Adapters(settings, clients, clock), clock)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())
