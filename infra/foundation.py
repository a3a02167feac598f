"""What the functions' constructs are built on."""

from dataclasses import dataclass

from infra.deliveries import Deliveries
from infra.events import Events
from infra.function import SharedResources
from infra.storage import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundation:
    """Keys, alarms and settings that all share, the tables, and the queues between the functions."""

    shared: SharedResources
    storage: Storage
    events: Events
    deliveries: Deliveries
