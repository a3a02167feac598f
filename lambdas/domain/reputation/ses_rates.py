"""Bounce and complaint rates that SES itself publishes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SesRates:
    """Rates from 0 to 1. None if SES published none within the last day."""

    bounce_rate: float | None
    complaint_rate: float | None
