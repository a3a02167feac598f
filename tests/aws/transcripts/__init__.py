"""Walks through each adapter, beside the texts of what they ask: see tests/aws/transcript.py."""

from collections.abc import Callable

from tests.aws.transcript import Transcript
from tests.aws.transcripts import broker, deliveries, portal, reputation, services, webhooks

WALKS: dict[str, Callable[[Transcript], None]] = {
    walk.__name__: walk
    for module in (broker, deliveries, portal, reputation, services, webhooks)
    for walk in module.WALKS
}
