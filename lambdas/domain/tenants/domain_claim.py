"""Domain claims: which instance holds a sending domain."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An instance's claim on a domain. `verified`: SES found its DKIM records at `checked_at` (None: never checked)."""

    domain: str
    instance_id: str
    organization_guid: str
    verified: bool = False
    checked_at: datetime | None = None
