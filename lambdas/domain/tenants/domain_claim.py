"""Domain claims: which instance holds a sending domain."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An instance's claim on a domain."""

    domain: str
    instance_id: str
    organization_guid: str
