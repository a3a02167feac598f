"""An interface VPC endpoint as EC2 describes it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An interface endpoint. `hostname` is its regional DNS name, empty until EC2 has assigned one."""

    id: str
    state: str
    hostname: str
    error: str
