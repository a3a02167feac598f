"""The stack's context keys, from cdk.json or `cdk deploy -c key=value`, checked at synthesis.

`python -m infra.context` prints them as a Markdown table.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Self, get_type_hints

from infra.rules import (
    CIDRS,
    CONCURRENCY,
    EMAIL,
    EMAILS,
    KINDS,
    RATE,
    RETENTIONS,
    SECONDS,
    URL,
    ContextError,
    Rule,
    between,
    matching,
    one_of,
    read,
    written,
)

_HEX = "([0-9a-f]{8}|[0-9a-f]{17})"  # EC2's ids, old and new
_OURS = re.compile(r"[a-z][a-z0-9_]*")  # the CDK's own keys hold a colon, a slash, an at sign or a dash


def _key(default: object, doc: str, rule: Rule | None = None) -> Any:
    return field(default=default, metadata={"doc": doc, "rule": rule})


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The operator's settings. Field names are the context keys."""

    stack_name: str = _key(
        "ses-feedback",
        "CloudFormation stack name",
        matching(r"[A-Za-z][A-Za-z0-9-]{0,127}", "letters, digits and dashes, beginning with a letter"),
    )
    production: bool = _key(True, "keep tables, key, secret, logs and queues' messages when the stack is deleted")
    protect: bool = _key(
        False,
        "refuse to delete the stack and its tables (termination and deletion protection); set it once the first "
        "deployment has succeeded",
    )
    operator_email: str = _key(
        "",
        "address that is notified of alarms and pauses, subscribed to the operator topic; empty: subscribe yourself",
        EMAIL,
    )

    runbook_url: str = _key(
        "", "where docs/runbooks is served as HTML, for the alarms' descriptions; empty: the repository's path", URL
    )
    zone_name: str = _key(
        "",
        "DNS zone in which a tenant without a domain gets a subdomain; empty: a domain must be given",
        matching(r"([a-z0-9-]+\.)*[a-z0-9-]*", "a domain in lower case without a final dot, such as mail.example.gov"),
    )
    zone_id: str = _key(
        "", "Route 53 id of that zone", matching(r"(Z[A-Z0-9]+)?", "a hosted zone id, such as Z0123456789ABC")
    )
    zone_credentials_secret_arn: str = _key(
        "",
        "ARN of a Secrets Manager secret with credentials for that zone, where it lives in another account or "
        'partition (always so in GovCloud): {"aws_access_key_id", "aws_secret_access_key", "region"}',
        matching(r"(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:\S+)?", "a secret's ARN, or empty"),
    )
    dmarc_policy: str = _key(
        "none",
        "policy in the DMARC records that tenants are asked to make (a US agency needs reject)",
        one_of("none", "quarantine", "reject"),
    )
    dmarc_aggregate_recipients: tuple[str, ...] = _key(
        (), "addresses that every DMARC record names beside the tenant's for aggregate reports", EMAILS
    )
    fips: str = _key(
        "auto",
        "whether bindings name SES's FIPS host and our own calls go to AWS's FIPS endpoints, where the region has "
        "them; auto is on in GovCloud, off elsewhere",
        one_of("auto", "on", "off"),
    )

    allowed_cidrs: tuple[str, ...] = _key((), "networks that webhooks may reach beside public addresses", CIDRS)
    allow_http: bool = _key(False, "let webhooks be plain HTTP; for local use only")
    delivery_subnet_ids: tuple[str, ...] = _key(
        (),
        "subnets the delivery function is attached to, for webhooks in a private network; they need a way to the "
        "internet (NAT) or endpoints for SQS, DynamoDB, KMS, SNS and logs",
        matching(rf"subnet-{_HEX}", "subnet ids, comma-separated"),
    )
    delivery_security_group_ids: tuple[str, ...] = _key(
        (),
        "security groups of the delivery function in those subnets",
        matching(rf"sg-{_HEX}", "security group ids, comma-separated"),
    )
    private_ca_bundle: str = _key(
        "",
        "PEM file on this machine with certificate authorities that webhooks may use beside the public ones; travels "
        "in the delivery function's bundle",
        Rule(lambda value: not value or Path(value).is_file(), "the path of a PEM file that exists, or empty"),
    )

    attempt_seconds: int = _key(
        15,
        "how long one attempt may take in all, s; Standard Webhooks asks for 15 to 30",
        between(1, 30),
    )
    retry_seconds: tuple[int, ...] = _key(
        (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400), "waits after each failed attempt, s", SECONDS
    )
    probe_seconds: tuple[int, ...] = _key(
        (5, 30, 300, 900), "waits between probes of a failing webhook, s; the last repeats", SECONDS
    )
    failing_seconds: int = _key(
        30, "how long three or more failures must go on before a webhook counts as failing, s", between(0, 3600)
    )
    disabled_seconds: int = _key(
        432_000,
        "how long a webhook may be failing before it is disabled, s; its events are kept",
        between(1, 1_209_600),
    )
    release_seconds: int = _key(
        60,
        "how often parked deliveries that are due are released, s; AWS schedules by whole minutes, so below 60 "
        "the release function does several rounds a run",
        Rule(
            lambda value: 1 <= value < 60 or (value % 60 == 0 and 0 < value <= 900),
            "1 to 59, or whole minutes up to 900",
        ),
    )

    warn_bounce_rate: float = _key(0.02, "bounce rate at which a tenant is warned", RATE)
    pause_bounce_rate: float = _key(0.04, "bounce rate at which a tenant's sending is paused", RATE)
    warn_complaint_rate: float = _key(0.0004, "complaint rate at which a tenant is warned", RATE)
    pause_complaint_rate: float = _key(0.0008, "complaint rate at which a tenant's sending is paused", RATE)
    reputation_outcomes: int = _key(10_000, "outcomes that make a representative volume", between(1, 10_000_000))
    reputation_days: int = _key(30, "days that the rates look back at most", between(1, 30))
    reputation_floor_outcomes: int = _key(500, "outcomes under which there is no verdict", between(1, 10_000_000))
    reputation_floor_bounces: int = _key(5, "bounces under which nobody is paused", between(1, 100_000))
    reputation_floor_complaints: int = _key(11, "complaints under which nobody is paused", between(1, 100_000))
    reputation_floor_warning_complaints: int = _key(
        4, "complaints under which nobody is warned of them", between(1, 100_000)
    )

    mails_per_instance_and_day: int = _key(
        0,
        "mails (by recipient, counted when their outcome is known) after which an instance is paused until midnight "
        "UTC; 0: no cap",
        between(0, 100_000_000),
    )

    cell: str = _key(
        "",
        "name of this stack among several that one platform uses (docs/scaling.md): its services are called "
        "aws-ses-<cell> and privatelink-<cell>, with ids of their own; never change it once there are instances",
        matching(r"([a-z]([a-z0-9-]{0,18}[a-z0-9])?)?", "up to 20 of a-z, 0-9 and dashes, beginning with a letter"),
    )
    catalog_display_name: str = _key("Amazon SES", "the service's name in the marketplace")
    catalog_provider: str = _key("ses-feedback", "the provider's name in the marketplace")
    catalog_documentation_url: str = _key("", "where tenants read about the service", URL)
    catalog_support_url: str = _key("", "where tenants get help", URL)

    portal: str = _key(
        "off",
        "the portal, a page for each service instance, and how people sign in: links (one-time links that the operator "
        "makes), cloud-foundry (who may see the instance there), oidc (operators by OpenID Connect, tenants by links)",
        one_of("off", "links", "cloud-foundry", "oidc"),
    )
    portal_domain_name: str = _key(
        "",
        "the portal's own domain name, which you point at the API's; empty: the API's address",
        matching(r"([a-z0-9-]+\.)+[a-z0-9-]+|", "a domain in lower case, such as mail.example.gov, or empty"),
    )
    portal_certificate_arn: str = _key(
        "",
        "ARN of the certificate for that name in AWS Certificate Manager, in the stack's region",
        matching(r"(arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/\S+)?", "a certificate's ARN, or empty"),
    )
    portal_url: str = _key(
        "",
        "the portal's address where a proxy of yours stands before it; empty: the domain name's or the API's",
        matching(r"(https://[^\s/]+|http://127\.0\.0\.1:\d+)?", "https:// and a host, without a path, or empty"),
    )
    portal_issuer: str = _key(
        "",
        "OpenID issuer that people sign in at: Cloud Foundry's UAA for cloud-foundry, the operators' provider for oidc",
        URL,
    )
    portal_client_secret_arn: str = _key(
        "",
        'ARN of a Secrets Manager secret with the portal\'s client at that issuer: {"client_id", "client_secret"}; '
        "its redirect URI is <portal address>/sign-in/callback; with cloud-foundry the platform makes the client from "
        "the broker's catalog",
        matching(r"(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:\S+)?", "a secret's ARN, or empty"),
    )
    portal_cloud_controller_url: str = _key("", "Cloud Foundry's API, which says who may see an instance", URL)
    portal_operator_claim: str = _key("groups", "claim of an operator's ID token (oidc)")
    portal_operator_value: str = _key("", "what that claim must be or hold, such as mail-operators (oidc)")
    portal_self_resume: bool = _key(
        False,
        "whether a tenant may resume its own instance in the portal, on probation, after an automatic pause by its own "
        "rates",
    )
    portal_self_resume_hours: int = _key(24, "how long after the pause that is possible at first, h", between(1, 720))
    portal_self_resume_days: int = _key(
        90, "how many days an organization has to wait before it resumes the same domain again", between(1, 365)
    )
    portal_requests_per_second: int = _key(20, "throttle of the portal's API", between(1, 1000))
    portal_burst: int = _key(60, "burst that the portal's API takes", between(1, 5000))

    privatelink_vpc_id: str = _key(
        "",
        "VPC in which the privatelink service makes endpoints; empty: the service is not offered",
        matching(rf"(vpc-{_HEX})?", "a VPC id, or empty"),
    )
    privatelink_subnet_ids: tuple[str, ...] = _key(
        (),
        "subnets for those endpoints; empty: all of the VPC's in zones that have the service",
        matching(rf"subnet-{_HEX}", "subnet ids, comma-separated"),
    )
    privatelink_cidrs: tuple[str, ...] = _key(
        (), "networks from which those endpoints are reached; empty: the VPC's own", CIDRS
    )

    webhooks_per_instance: int = _key(
        20,
        "webhooks and notification_email addresses that a service instance may have; each gets every event",
        between(1, 100),
    )
    bindings_per_instance: int = _key(
        40,
        "bindings that a service instance may have, twice as many during a rotation; each is an IAM user",
        between(1, 5_000),
    )
    instances_per_organization: int = _key(
        100,
        "service instances that an organization may have; each is an SES configuration set and an identity, or an "
        "endpoint",
        between(1, 5_000),
    )
    confirmation_mails_per_day: int = _key(
        10,
        "confirmation mails that one address gets in a day (UTC) from all tenants together",
        between(1, 1_000),
    )
    allowed_public_suffixes: tuple[str, ...] = _key(
        (),
        "public suffixes, such as gov.uk, that a tenant may have as its domain all the same",
        matching(r"([a-z0-9-]+\.)*[a-z0-9-]+", "domains in lower case, comma-separated"),
    )
    suppression: str = _key(
        "account",
        "account: SES suppresses addresses that bounced or complained, for all tenants together; off: new instances "
        "send to them all the same",
        one_of("account", "off"),
    )

    broker_allowed_cidrs: tuple[str, ...] = _key(
        (),
        "networks that the platform calls the broker from; with any, the broker gets a second URL (output BrokerUrl) "
        "that refuses all others before they cost anything",
        CIDRS,
    )
    broker_http_api: bool = _key(
        True,
        "keep the broker's first URL (output BrokerHttpUrl), which takes requests from everywhere; false only once the "
        "platform calls the one for broker_allowed_cidrs",
    )
    broker_requests_per_second: int = _key(20, "throttle of the broker's API", between(1, 1000))
    broker_burst: int = _key(40, "burst that the broker's API takes", between(1, 5000))
    ses_calls_per_second: float = _key(
        1.0, "pace of all calls to SES's control plane; SES takes about one a second and account", between(0.1, 100)
    )
    feedback_batch_size: int = _key(1_000, "events that one run of the feedback function takes", between(1, 10_000))
    feedback_batch_window_seconds: int = _key(
        1, "how long a batch of events is waited for, s; larger batches cost less", between(0, 300)
    )
    feedback_concurrency: int = _key(10, "runs of the feedback function at a time", CONCURRENCY)
    delivery_batch_size: int = _key(
        1_000,
        "messages (each of up to 50 deliveries of one webhook) that one run of the delivery function takes",
        between(1, 10_000),
    )
    delivery_batch_window_seconds: int = _key(1, "how long a batch of deliveries is waited for, s", between(0, 300))
    delivery_concurrency: int = _key(20, "runs of the delivery function at a time", CONCURRENCY)
    slow_delivery_concurrency: int = _key(
        10, "runs of the delivery function at a time for webhooks that answer slowly", CONCURRENCY
    )
    worker_concurrency: int = _key(
        2, "runs of the broker's worker at a time; SES takes about one call a second", CONCURRENCY
    )
    log_retention_days: int = _key(90, "days that logs are kept", one_of(*RETENTIONS))

    bundle_platform: str = _key(
        "lambda",
        "what the functions' bundles are built for: lambda (arm64) or host (the embedded AWS)",
        one_of("lambda", "host"),
    )

    @classmethod
    def read(cls, values: Mapping[str, object]) -> Self:
        """Read the keys from the app's context, without the CDK's own keys. Raises ContextError."""
        known = {field.name: field for field in fields(cls)}
        for name in values:
            if _OURS.fullmatch(name) and name not in known:
                raise ContextError(_unknown(name, known))
        types = get_type_hints(cls)
        given = {name: read(name, types[name], values[name]) for name in known if values.get(name) is not None}
        return cls(**given)

    def __post_init__(self) -> None:
        for key in fields(self):
            rule: Rule | None = key.metadata["rule"]
            value = getattr(self, key.name)
            if rule and not rule.holds(value):
                raise ContextError(f"context key {key.name} is {written(value)!r}; it must be {rule.right}")
        self._check_together("zone_name", "zone_id")
        self._check_together("delivery_subnet_ids", "delivery_security_group_ids")
        self._check_together("portal_domain_name", "portal_certificate_arn")
        self._check_sign_in()
        self._check_needs("privatelink_subnet_ids", "privatelink_vpc_id")
        if not self.broker_http_api and not self.broker_allowed_cidrs:
            raise ContextError("context key broker_http_api is false; it needs broker_allowed_cidrs")
        self._check_needs("privatelink_cidrs", "privatelink_vpc_id")
        self._check_needs("zone_credentials_secret_arn", "zone_name")
        self._check_order("warn_bounce_rate", "pause_bounce_rate")
        self._check_order("warn_complaint_rate", "pause_complaint_rate")
        self._check_window("feedback_batch_size", "feedback_batch_window_seconds")
        self._check_window("delivery_batch_size", "delivery_batch_window_seconds")

    def _check_sign_in(self) -> None:
        wanted = {
            "cloud-foundry": ("portal_issuer", "portal_client_secret_arn", "portal_cloud_controller_url"),
            "oidc": ("portal_issuer", "portal_client_secret_arn", "portal_operator_value"),
        }
        for name in wanted.get(self.portal, ()):
            if not getattr(self, name):
                raise ContextError(f"context key {name} is missing; portal={self.portal} needs it")

    def _check_together(self, one: str, other: str) -> None:
        self._check_needs(one, other)
        self._check_needs(other, one)

    def _check_needs(self, name: str, other: str) -> None:
        if getattr(self, name) and not getattr(self, other):
            raise ContextError(f"context key {other} is missing; {name} needs it")

    def _check_window(self, size: str, window: str) -> None:
        if getattr(self, size) > 10 and not getattr(self, window):
            raise ContextError(f"context key {window} is 0; Lambda wants at least 1 for batches over 10")

    def _check_order(self, *names: str) -> None:
        for low, high in pairwise(names):
            if getattr(self, low) >= getattr(self, high):
                raise ContextError(f"context key {low} is {getattr(self, low)}; it must be below {high}")


def _unknown(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}?" if close else "the keys are " + ", ".join(known)
    return f"context key {name} is unknown; {hint}"


def table() -> str:
    """The keys as a Markdown table: name, default, meaning with valid values."""
    types = get_type_hints(Context)
    rows = ["| key | default | meaning |", "|---|---|---|"]
    for key in fields(Context):
        rule: Rule | None = key.metadata["rule"]
        right = rule.right if rule else KINDS[types[key.name]]
        default = f"`{written(key.default)}`" if written(key.default) else ""
        rows.append(f"| `{key.name}` | {default} | {key.metadata['doc']} ({right}) |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())  # noqa: T201
