"""Dollars per million events, from what feedback and delivery were counted to do and the price list in prices.json."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks import workload
from benchmarks.pipeline import DEPLOYED, Fed, Posted, Stage, deliver, feed, seed
from benchmarks.report import Figure, Report, Table, lower, number
from benchmarks.world import World

AWS_LATENCY = 0.005  # s that the stub takes to answer: DynamoDB's usual; SQS and KMS take up to twice that
RECEIVER_LATENCY = 0.1  # s
RECEIVERS = 100
WHOLE_CORE = 1769  # MB of memory at which Lambda gives a function one core
MEMORY = {"feedback": 512, "delivery": 1769, "reputation": 512}  # MB, as infra deploys them
LONGEST = 300  # s until all must be delivered
POLLED = 10  # messages that Lambda receives, and deletes, in one request
POLLERS = 5  # environments of delivery that Lambda keeps busy at least
ENVIRONMENT_LIFE = 7_200  # s before Lambda replaces an environment: each asks KMS for every webhook's secret once
PER_TENANT = 0.04  # events a second on average: 100,000 a month
REPORT_LINES = 900  # bytes that Lambda itself logs of an invocation (start, report)
PACKET_OVERHEAD = 250  # bytes of a POST: 22 of TLS, one or two packets of 52, and a share of a connection's 1.6 KB
JUDGEMENT_READS = 12.5  # read units: a month of hourly counters, 50 KB, read consistently
JUDGEMENT_S = 0.1  # s billed for a judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """So many tenants, some far busier than others; events in one batch, and in all; the $ per million that are wanted.

    *together* is the webhooks' `notification_batch`.
    """

    tenants: int
    batch: int
    events: int
    target: float | None = None
    together: int = 1


FULL = DEPLOYED.feedback_batch_size
SCENARIOS = (
    Scenario(tenants=1, batch=FULL, events=4_000, target=1.45),
    Scenario(tenants=100, batch=FULL, events=4_000, target=1.50),
    Scenario(tenants=10_000, batch=FULL, events=8_000, target=2.00),
)
TOGETHER = tuple(Scenario(tenants=100, batch=FULL, events=4_000, together=batch) for batch in (10, 100))
QUIETER = (Scenario(tenants=100, batch=100, events=2_000), Scenario(tenants=100, batch=10, events=500))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The price list; units are in the names."""

    as_of: str
    region: str
    currency: str
    sns_publish_per_million: float
    sqs_request_per_million: float
    lambda_request_per_million: float
    lambda_gb_second_arm64: float
    dynamodb_write_unit_per_million: float
    dynamodb_read_unit_per_million: float
    kms_request_per_million: float
    logs_per_gb: float
    data_out_per_gb: float
    monthly: dict[str, float]
    others_per_million: dict[str, tuple[float, float]]


def prices() -> Prices:
    """The price list in the repository."""
    return msgspec.json.decode(Path(__file__).with_name("prices.json").read_bytes(), type=Prices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one event uses of AWS, on average."""

    sns_publishes: float
    sqs_requests: float
    lambda_requests: float
    lambda_gb_s: float
    writes: float
    reads: float
    kms_requests: float
    log_bytes: float
    bytes_out: float


def lines(usage: Usage, price: Prices) -> dict[str, float]:
    """Dollars per million events, by line."""
    return {
        "SNS": usage.sns_publishes * price.sns_publish_per_million,
        "SQS": usage.sqs_requests * price.sqs_request_per_million,
        "Lambda": usage.lambda_requests * price.lambda_request_per_million
        + usage.lambda_gb_s * price.lambda_gb_second_arm64 * 1e6,
        "DynamoDB": usage.writes * price.dynamodb_write_unit_per_million
        + usage.reads * price.dynamodb_read_unit_per_million,
        "KMS": usage.kms_requests * price.kms_request_per_million,
        "logs": usage.log_bytes * 1e6 / 1e9 * price.logs_per_gb,
        "data out": usage.bytes_out * 1e6 / 1e9 * price.data_out_per_gb,
    }


def gb_seconds(stage: Stage, memory: int) -> float:
    """What Lambda bills for *stage*: where a function has a share of a core only, its CPU takes so much longer."""
    slower = max(1.0, WHOLE_CORE / memory)
    return (stage.wall_s + stage.cpu_s * (slower - 1)) * memory / 1024


def usage_of(fed: Fed, posted: Posted, events: int) -> Usage:
    """What an event used, counted where it could be and by the rules of AWS's bills where not."""
    feedback, delivery = fed.stage, posted.stage
    counts = feedback.counts + delivery.counts
    judgements = feedback.counts["dynamodb.TransactWriteItems"]
    size = sum(map(len, fed.messages))
    received = max(len(fed.messages) / POLLED, size / 65_536) + len(fed.messages) / POLLED
    gb_s = gb_seconds(feedback, MEMORY["feedback"]) + gb_seconds(delivery, MEMORY["delivery"])
    return Usage(
        sns_publishes=1.0,
        sqs_requests=1.0 + 2 / POLLED + (counts["sqs.requests"] + received) / events,
        lambda_requests=(len(feedback.invocations) + len(delivery.invocations) + judgements) / events,
        lambda_gb_s=(gb_s + judgements * JUDGEMENT_S * MEMORY["reputation"] / 1024) / events,
        writes=_total(counts, "dynamodb.write_units.") / events,
        reads=(counts["dynamodb.half_read_units"] / 2 + judgements * JUDGEMENT_READS) / events,
        kms_requests=POLLERS / (PER_TENANT * ENVIRONMENT_LIFE),
        log_bytes=(
            feedback.log_bytes
            + delivery.log_bytes
            + REPORT_LINES * (len(feedback.invocations) + len(delivery.invocations))
        )
        / events,
        bytes_out=(posted.bytes + PACKET_OVERHEAD * posted.posts) / events,
    )


def _total(counts: Mapping[str, int], prefix: str) -> int:
    return sum(count for name, count in counts.items() if name.startswith(prefix))


def measure() -> Report:
    """Run every scenario and price it."""
    price = prices()
    with World(RECEIVERS) as world:
        used = {scenario: _run(world, scenario) for scenario in (*SCENARIOS, *QUIETER, *TOGETHER)}
    priced = {scenario: lines(usage, price) for scenario, usage in used.items()}
    return Report(
        name="cost",
        tables=(
            _dollars({scenario: priced[scenario] for scenario in SCENARIOS}, price),
            _by_batch({scenario: priced[scenario] for scenario in (SCENARIOS[1], *QUIETER)}),
            _by_together({scenario: priced[scenario] for scenario in (SCENARIOS[1], *TOGETHER)}),
            _usage({scenario: used[scenario] for scenario in SCENARIOS}),
        ),
        figures=_figures({scenario: priced[scenario] for scenario in SCENARIOS}),
    )


def _run(world: World, scenario: Scenario) -> Usage:
    seed(world, scenario.tenants, batch=scenario.together)
    world.stub("behave", latency=AWS_LATENCY)
    events = list(workload.events(scenario.events, tenants=scenario.tenants, skewed=True))
    warming = list(workload.events_in_turn(scenario.tenants))
    fed = feed(world, events, batch=scenario.batch, warming=warming)
    posted = deliver(world, fed.messages, latency=RECEIVER_LATENCY, batch=scenario.batch, seconds=LONGEST, whole=True)
    if scenario.together == 1 and posted.delivered < scenario.events:
        raise RuntimeError(f"{posted.delivered:,} of {scenario.events:,} events were delivered")
    return usage_of(fed, posted, scenario.events)


def _figures(priced: Mapping[Scenario, Mapping[str, float]]) -> tuple[Figure, ...]:
    return tuple(
        lower(f"cost: a million events at {_heading(scenario)}", sum(dollars.values()), "$", scenario.target)
        for scenario, dollars in priced.items()
    )


def _dollars(priced: Mapping[Scenario, Mapping[str, float]], price: Prices) -> Table:
    scenarios = list(priced)
    names = list(priced[scenarios[0]])
    rows = [(name, *(number(priced[scenario][name], "$") for scenario in scenarios)) for name in names]
    rows.append(("all in", *(number(sum(priced[scenario].values()), "$") for scenario in scenarios)))
    rows += [(name, *([_range(low, high)] * len(scenarios))) for name, (low, high) in price.others_per_million.items()]
    return Table(
        title=f"Dollars per million events ({price.region}, prices of {price.as_of}), SES's own left out",
        columns=("line", *(_heading(scenario) for scenario in scenarios)),
        rows=tuple(rows),
        note=(
            "Counted: calls, units, bytes logged and posted, Lambda's time with an AWS that takes 5 ms and receivers "
            "that take 100 ms. Reckoned: Lambda's polling, SNS's sends to SQS, KMS (once an environment and webhook, "
            "100,000 events a tenant and month), judgements, packets' overhead. A few tenants send most of the mail. "
            "The others' prices are their lists', without their data out."
        ),
    )


def _by_batch(priced: Mapping[Scenario, Mapping[str, float]]) -> Table:
    return Table(
        title=f"Dollars per million events at {SCENARIOS[1].tenants} tenants, by how full batches are",
        columns=("line", *(f"{scenario.batch:,} events" for scenario in priced)),
        rows=_rows(priced),
        note="A batch is what arrives in feedback_batch_window_seconds, up to feedback_batch_size.",
    )


def _by_together(priced: Mapping[Scenario, Mapping[str, float]]) -> Table:
    return Table(
        title=f"Dollars per million events at {SCENARIOS[1].tenants} tenants, by notification_batch",
        columns=("line", *(str(scenario.together) for scenario in priced)),
        rows=_rows(priced),
        note="The most events that one POST carries; notification_batch_seconds is 0: only what is there together.",
    )


def _rows(priced: Mapping[Scenario, Mapping[str, float]]) -> tuple[tuple[str, ...], ...]:
    names = list(next(iter(priced.values())))
    rows = [(name, *(number(dollars[name], "$") for dollars in priced.values())) for name in names]
    return (*rows, ("all in", *(number(sum(dollars.values()), "$") for dollars in priced.values())))


def _usage(used: Mapping[Scenario, Usage]) -> Table:
    scenarios = list(used)
    parts: dict[str, Callable[[Usage], float]] = {
        "SQS requests": lambda usage: usage.sqs_requests,
        "Lambda requests": lambda usage: usage.lambda_requests,
        "Lambda, GB-ms": lambda usage: 1000 * usage.lambda_gb_s,
        "DynamoDB write units": lambda usage: usage.writes,
        "DynamoDB read units": lambda usage: usage.reads,
        "KMS requests": lambda usage: usage.kms_requests,
        "bytes logged": lambda usage: usage.log_bytes,
        "bytes sent": lambda usage: usage.bytes_out,
    }
    return Table(
        title="What an event uses",
        columns=("", *(_heading(scenario) for scenario in scenarios)),
        rows=tuple((name, *(number(part(used[scenario])) for scenario in scenarios)) for name, part in parts.items()),
    )


def _heading(scenario: Scenario) -> str:
    return f"{scenario.tenants:,} tenants" if scenario.tenants > 1 else "1 tenant"


def _range(low: float, high: float) -> str:
    return number(low, "$") if low == high else f"{number(low, '$')} to {number(high, '$')}"
