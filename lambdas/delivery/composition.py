"""The delivery functions' object graph.

What only one function needs is imported where it is composed: release, which runs every minute, needs no libcurl.
"""

import gc
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from aws_lambda_powertools import Logger

from lambdas.aws.clients import Clients
from lambdas.aws.dynamodb.backlog.archive import Archive
from lambdas.aws.dynamodb.backlog.backlog import Backlog
from lambdas.aws.dynamodb.webhooks.webhook_states import WebhookStates
from lambdas.aws.kms.webhook_secrets import SecretDecrypter
from lambdas.aws.sns.notifier import Notifier
from lambdas.aws.sqs.delivery_queue import DeliveryQueue
from lambdas.delivery.health_transitions import HealthTransitions
from lambdas.delivery.ports import Count, DeliveryRules, Queues
from lambdas.delivery.settings import DeliverySettings
from lambdas.domain.webhooks.health import HealthRules
from lambdas.domain.webhooks.retry_schedule import RetrySchedule

DECRYPTING = 16  # secrets at a time, each a call of some milliseconds: KMS allows thousands a second

if TYPE_CHECKING:
    from lambdas.delivery.dispatch import Dispatcher
    from lambdas.delivery.gauges import BacklogGauges
    from lambdas.delivery.release import Releaser


def clock() -> datetime:
    """The current time, UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Composition:
    """The parts of both functions, made when they are first asked for."""

    settings: DeliverySettings
    clients: Clients
    logger: Logger
    count: Count
    seconds: Callable[[str, Sequence[float]], None]

    @cached_property
    def dispatcher(self) -> "Dispatcher":
        """Delivers a batch of the deliveries queue."""
        with _without_collector():
            from lambdas.delivery.certificates import ca_file
            from lambdas.delivery.concurrency import CONNECTIONS
            from lambdas.delivery.dispatch import Dispatcher
            from lambdas.delivery.name_resolver import NameResolver
            from lambdas.delivery.observability import DeliveryLog
            from lambdas.delivery.webhook_client import WebhookClient
        from lambdas.domain.webhooks.address_rules import AddressRules

        settings = self.settings
        addresses = AddressRules.parse(settings.allowed_cidrs, allow_http=settings.allow_http)
        return Dispatcher(
            queues=self._queues,
            states=self._states,
            tests=self._states,
            backlog=self._backlog,
            archive=Archive(self.clients.impatient_dynamodb(), settings.backlog_table),
            transitions=self._transitions,
            decrypt=SecretDecrypter(self.clients.client("kms"), run=ThreadPoolExecutor(DECRYPTING).map),
            client=WebhookClient(
                addresses, NameResolver(addresses), ca_file(settings.private_ca_file), connections=CONNECTIONS
            ),
            rules=_rules(settings),
            clock=clock,
            jitter=lambda: random.uniform(-1, 1),  # noqa: S311  # jitter, no secret
            log=DeliveryLog(logger=self.logger, count=self.count, seconds=self.seconds),
        )

    @cached_property
    def releaser(self) -> "Releaser":
        """Returns parked deliveries that are due to the queue."""
        from lambdas.delivery.digests import Digests
        from lambdas.delivery.release import Releaser

        return Releaser(
            queues=self._queues,
            states=self._states,
            partitions=self._backlog,
            digests=Digests(
                topics=self._notifier,
                states=self._states,
                logger=self.logger,
                count=self.count,
                portal_url=self.settings.portal_url,
            ),
            transitions=self._transitions,
            clock=clock,
            logger=self.logger,
            count=self.count,
        )

    @cached_property
    def gauges(self) -> "BacklogGauges":
        """Measures the backlog."""
        from lambdas.delivery.gauges import BacklogGauges

        return BacklogGauges(
            partitions=self._backlog, states=self._states, count=self.count, seconds=self.seconds, logger=self.logger
        )

    @cached_property
    def _queues(self) -> Queues:
        sqs, settings = self.clients.client("sqs"), self.settings
        return Queues(
            prompt=DeliveryQueue(sqs, settings.deliveries_queue_url),
            slow=DeliveryQueue(sqs, settings.slow_deliveries_queue_url),
        )

    @cached_property
    def _states(self) -> WebhookStates:
        return WebhookStates(self.clients.client("dynamodb"), self.settings.webhooks_table)

    @cached_property
    def _backlog(self) -> Backlog:
        return Backlog(self.clients.client("dynamodb"), self.settings.backlog_table)

    @cached_property
    def _notifier(self) -> Notifier:
        settings = self.settings
        return Notifier(
            self.clients.client("sns"), partition=settings.partition, region=settings.region, account=settings.account
        )

    @cached_property
    def _transitions(self) -> HealthTransitions:
        return HealthTransitions(
            states=self._states,
            backlog=self._backlog,
            notifier=self._notifier,
            logger=self.logger,
            count=self.count,
            portal_url=self.settings.portal_url,
        )


def compose(
    settings: DeliverySettings,
    clients: Clients,
    *,
    logger: Logger,
    count: Count,
    seconds: Callable[[str, Sequence[float]], None],
) -> Composition:
    """Both functions, from their settings. *count* and *seconds* record metrics."""
    return Composition(settings, clients, logger, count, seconds)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Import large modules with the garbage collector off: it would scan the growing heap again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _rules(settings: DeliverySettings) -> DeliveryRules:
    return DeliveryRules(
        retry_schedule=RetrySchedule.parse(settings.retry_seconds),
        health=HealthRules(
            failing_after=timedelta(seconds=settings.failing_seconds),
            disabled_after=timedelta(seconds=settings.disabled_seconds),
            probes=tuple(float(wait) for wait in settings.probe_seconds.split(",")),
        ),
        release_every=settings.release_seconds,
        attempt_seconds=settings.attempt_seconds,
    )
