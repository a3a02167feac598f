"""The queues between feedback and delivery."""

from aws_cdk import Duration
from constructs import Construct

from infra.function import SharedResources
from infra.queues import QueuePair

TIMEOUT = Duration.seconds(90)  # of a run of the delivery functions; a single attempt ends after 15 s


class Deliveries(Construct):
    """The deliveries queue, and a separate one for slow webhooks, so that they do not delay others.

    A message group for each webhook keeps one tenant's flood from delaying the others.
    """

    def __init__(self, scope: Construct, id: str, *, shared: SharedResources) -> None:
        super().__init__(scope, id)
        pair = QueuePair(
            self,
            "Deliveries",
            shared=shared,
            timeout=TIMEOUT,
            name="deliveries",
            because="Deliveries could not be processed.",
        )
        self.queue, self.dead = pair.queue, pair.dead
        slow = QueuePair(
            self,
            "SlowDeliveries",
            shared=shared,
            timeout=TIMEOUT,
            name="slow_deliveries",
            because="Deliveries to slow webhooks could not be processed.",
        )
        self.slow_queue, self.slow_dead = slow.queue, slow.dead
        for name, queue in {"Deliveries": self.queue, "SlowDeliveries": self.slow_queue}.items():
            shared.operator.watch_age(
                name,
                queue,
                above=Duration.minutes(30),
                because="Deliveries wait: the delivery function does not keep up or fails. "
                "`python -m ops errors delivery` shows its errors.",
            )
