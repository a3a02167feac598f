"""The feedback function's object graph."""

from lambdas.aws.clients import Clients
from lambdas.aws.dynamodb.reputation.ledger import Ledger
from lambdas.aws.dynamodb.webhooks.audiences import Audiences
from lambdas.aws.sqs.delivery_queue import DeliveryQueue
from lambdas.domain.ports import Runner
from lambdas.feedback.record import Recorder
from lambdas.feedback.settings import FeedbackSettings


def compose(settings: FeedbackSettings, clients: Clients, *, run: Runner = map) -> Recorder:
    """Everything the function needs, from its settings. *run* makes the calls for different instances."""
    dynamodb = clients.client("dynamodb")
    return Recorder(
        audiences=Audiences(dynamodb, settings.webhooks_table),
        ledger=Ledger(dynamodb, settings.reputation_table, run=run),
        delivery_queue=DeliveryQueue(clients.client("sqs"), settings.deliveries_queue_url),
        topic_arn=settings.event_topic_arn,
    )
