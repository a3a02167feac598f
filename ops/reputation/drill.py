"""`ops drill`: does the protection fire? A throw-away instance, taken across every threshold through the real topic.

The drill makes a configuration set, an instance's item and an alert topic of its own, and a queue that hears what the
admin's and the operator's topics say. It publishes events as SES would, and waits for what must follow. The operator's
subscribers hear of it: that is part of the drill. In the end everything it made is removed.
"""

import json
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated, Any

import typer
from botocore.exceptions import ClientError

from lambdas.aws.clients import client
from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.webhooks.webhook_table import instance_key
from lambdas.domain.reputation.evaluation import SendingState
from lambdas.domain.tenants import aws_names
from lambdas.reputation.composition import Composition
from lambdas.reputation.settings import ReputationSettings
from ops.command_line.console import STACK, Json, Shown, StackName, clear_errors, fail, show
from ops.deployment.stack import Stack, find
from ops.reputation.sending_status import Operator, operator_of, reputation_composition

PATIENCE = 60.0  # s: what the protection promises, from the event that crosses
_POLL = 0.2  # s
_RECIPIENTS = 50  # of one event, as of one mail
_SIMULATOR = "success@simulator.amazonses.com"


class Unfulfilled(Exception):
    """Something that must happen did not; the message says what was seen instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """One expectation: whether it came true, after how many seconds, and what was seen."""

    what: str
    ok: bool
    seconds: float
    seen: str = ""


@dataclass
class Drill:
    """A drill on *stack*. *report* hears of each expectation as it is decided."""

    stack: Stack
    composition: Composition
    settings: ReputationSettings
    operator: Operator
    sender: str | None
    observer: Callable[[Fired], None]
    instance: str = field(default_factory=lambda: f"drill-{secrets.token_hex(6)}")
    undo: list[Callable[[], object]] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    queue_url: str = ""
    number: int = 0

    def run(self) -> None:
        """All four thresholds, the refused send, the resume. Raises Unfulfilled at the first that does not fire."""
        try:
            self._prepare()
            self._bounces()
            self._resume("after the bounces")
            self._complaints()
            self._resume("after the complaints")
        finally:
            self._clean()

    def _bounces(self) -> None:
        rules = self.composition.evaluator.rules
        volume = 2 * max(rules.minimum_outcomes, 500)
        self._publish(self._deliveries(volume))
        self._await("a tenant with good mail is left alone", lambda: self._counted("deliveries") >= volume)
        warn = _crossing(rules.bounce_warning, volume)
        self._publish(self._bounced(warn))
        self._expect_state("the bounce rate crosses the warning", SendingState.WARNED, "warning")
        self._publish(self._bounced(max(rules.minimum_bounces, _crossing(rules.bounce_pause, volume)) - warn))
        self._expect_state("the bounce rate crosses the limit", SendingState.PAUSED, "paused")
        self._expect_refusal()

    def _complaints(self) -> None:
        rules = self.composition.evaluator.rules
        warn = rules.minimum_warning_complaints
        volume = max(rules.minimum_outcomes, 500)
        self._publish(self._deliveries(volume))
        self._await("after the resume, deliveries count again", lambda: self._counted("deliveries") >= volume)
        self._publish(self._complained(warn))
        self._expect_state("the complaint rate crosses the warning", SendingState.WARNED, "warning")
        limit = max(rules.minimum_complaints, round(rules.complaint_pause * volume) + 1)
        self._publish(self._complained(limit - warn))
        self._expect_state("the complaint rate crosses the limit", SendingState.PAUSED, "paused")
        self._expect_refusal()

    def _expect_state(self, what: str, state: SendingState, subject: str) -> None:
        self._await(f"{what}: {state.value}", lambda: self._status() == (state, True))
        for who in ("admin", "operator"):
            self._await(f"{what}: the {who} is notified", lambda who=who: self._was_notified(who, subject))  # type: ignore[misc]

    def _expect_refusal(self) -> None:
        self._await("sending is stopped in SES", lambda: self.composition.sending.enabled(self.instance) is False)
        if self.sender:
            self._await("a mail is refused by SES", self._is_refused)

    def _resume(self, when: str) -> None:
        self.heard.clear()
        past = datetime.now(UTC) - timedelta(minutes=1)
        self.operator.resume(self.instance, why=f"fire drill, {when}", now=datetime.now(UTC))
        self._await(f"resumed {when}: healthy", lambda: self._status() == (SendingState.HEALTHY, True))
        self._await(f"resumed {when}: SES sends again", lambda: self.composition.sending.enabled(self.instance) is True)
        before = self._counted("bounces")
        self._publish([self._event("bounce", 1, sent_at=past), self._event("delivery", 1)])
        self._await(f"resumed {when}: new mail counts", lambda: self._counted("deliveries") >= 1)
        self._await(f"resumed {when}: old mail does not", lambda: self._counted("bounces") == before == 0)

    def _prepare(self) -> None:
        """Make what an instance has, each with its way back."""
        sns, ses = client("sns"), client("sesv2")
        name = aws_names.configuration_set(self.instance)
        self._leave_of_ses()
        ses.create_configuration_set(ConfigurationSetName=name)
        self.undo.append(lambda: ses.delete_configuration_set(ConfigurationSetName=name))
        admin = sns.create_topic(Name=aws_names.alert_topic(self.instance))["TopicArn"]
        self.undo.append(lambda: sns.delete_topic(TopicArn=admin))
        self._hear(name, admin, self.settings.operator_topic_arn)
        item = to_item({**instance_key(self.instance), "notifications": True})
        client("dynamodb").put_item(TableName=self.settings.webhooks_table, Item=item)
        self.undo += [self._forget_instance, self._forget_counts]

    def _hear(self, name: str, *topics: str) -> None:
        """Have the topics publish to a queue of the drill's own.

        Its policy is there from the beginning: SQS takes up to a minute to apply a changed one, and SNS would lose what
        is published until then.
        """
        sns, sqs = client("sns"), client("sqs")
        queue = self.settings.operator_topic_arn.replace(":sns:", ":sqs:").rpartition(":")[0] + ":" + name
        policy = {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": {"ArnEquals": {"aws:SourceArn": list(topics)}},
            },
        }
        self.queue_url = sqs.create_queue(QueueName=name, Attributes={"Policy": json.dumps(policy)})["QueueUrl"]
        self.undo.append(lambda: sqs.delete_queue(QueueUrl=self.queue_url))
        for topic in topics:
            arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, ReturnSubscriptionArn=True)
            self.undo.append(lambda arn=arn: sns.unsubscribe(SubscriptionArn=arn["SubscriptionArn"]))  # type: ignore[misc]

    def _clean(self) -> None:
        """Undo what was made, the last first; what cannot be undone is reported, not raised."""
        for step in reversed(self.undo):
            try:
                step()
            except ClientError as error:
                self.observer(Fired(what="cleaning up", ok=False, seconds=0.0, seen=str(error)))

    def _forget_instance(self) -> None:
        key = to_item(instance_key(self.instance))
        client("dynamodb").delete_item(TableName=self.settings.webhooks_table, Key=key)

    def _forget_counts(self) -> None:
        """Counters, ledger, status and history: nobody looks at a drill's again."""
        self.composition.statuses.forget(self.instance)
        table, dynamodb = self.settings.reputation_table, client("dynamodb")
        pages = dynamodb.get_paginator("query").paginate(
            TableName=table,
            KeyConditionExpression="instance_id = :instance",
            ExpressionAttributeValues=to_item({":instance": self.instance}),
            ExpressionAttributeNames={"#item": "item"},
            ProjectionExpression="instance_id, #item",
        )
        for key in [key for page in pages for key in page["Items"]]:
            dynamodb.delete_item(TableName=table, Key=key)

    def _publish(self, events: Sequence[dict[str, Any]]) -> None:
        remaining = iter(events)
        while chunk := list(islice(remaining, 10)):
            entries = [{"Id": str(number), "Message": json.dumps(event)} for number, event in enumerate(chunk)]
            answer = client("sns").publish_batch(
                TopicArn=self.settings.event_topic_arn,
                PublishBatchRequestEntries=entries,  # type: ignore[arg-type]
            )
            if answer.get("Failed"):
                raise Unfulfilled(f"the topic refused events: {answer['Failed'][0].get('Message')}")

    def _deliveries(self, recipients: int) -> list[dict[str, Any]]:
        return [self._event("delivery", count) for count in _portions(recipients)]

    def _bounced(self, recipients: int) -> list[dict[str, Any]]:
        return [self._event("bounce", count) for count in _portions(recipients)]

    def _complained(self, complaints: int) -> list[dict[str, Any]]:
        return [self._event("complaint", 1) for _ in range(complaints)]

    def _event(self, kind: str, recipients: int, *, sent_at: datetime | None = None) -> dict[str, Any]:
        """An event as SES writes it, about addresses that do not exist."""
        self.number += 1
        now = datetime.now(UTC)
        stamp = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        addresses = [f"{self.number}.{number}@drill.example" for number in range(recipients)]
        own: dict[str, Any] = {"timestamp": stamp, "feedbackId": f"{int(now.timestamp() * 1000):016x}-{self.number}"}
        match kind:
            case "bounce":
                listed = [{"emailAddress": address, "status": "5.1.1"} for address in addresses]
                own |= {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": listed}
            case "complaint":
                listed = [{"emailAddress": address} for address in addresses]
                own |= {"complaintFeedbackType": "abuse", "complainedRecipients": listed}
            case _:
                own |= {"recipients": addresses, "smtpResponse": "250 OK"}
        sent = (sent_at or now).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        mail = {
            "timestamp": sent,
            "messageId": f"{self.instance}-{self.number}",
            "source": "drill@drill.example",
            "destination": addresses,
            "tags": {"ses:configuration-set": [aws_names.configuration_set(self.instance)]},
        }
        return {"eventType": kind.title(), kind: own, "mail": mail}

    def _counted(self, what: str) -> int:
        """A count of the instance's rates, since its last resume."""
        measured = self.composition.evaluator.measure(
            self.composition.statuses.load(self.instance), now=datetime.now(UTC)
        )
        return int(getattr(measured, what))

    def _status(self) -> tuple[SendingState, bool]:
        """The state, and whether everything that follows from it is done."""
        status = self.composition.statuses.load(self.instance)
        return status.state, status.pending is None

    def _was_notified(self, who: str, subject: str) -> bool:
        topic = self.settings.operator_topic_arn if who == "operator" else aws_names.alert_topic(self.instance)
        self._listen()
        return any(topic in mail and subject in mail and self.instance in mail for mail in self.heard)

    def _listen(self) -> None:
        answer = client("sqs").receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        for message in answer.get("Messages", []):
            envelope = json.loads(message["Body"])
            self.heard.append(f"{envelope.get('TopicArn')} {envelope.get('Subject')}")
            client("sqs").delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])

    def _is_refused(self) -> bool:
        try:
            client("sesv2").send_email(
                FromEmailAddress=str(self.sender),
                Destination={"ToAddresses": [_SIMULATOR]},
                Content={"Simple": {"Subject": {"Data": "Drill"}, "Body": {"Text": {"Data": "Must not arrive."}}}},
                ConfigurationSetName=aws_names.configuration_set(self.instance),
            )
        except ClientError as error:
            text = f"{error.response['Error']['Code']} {error.response['Error'].get('Message', '')}"
            if "paused" in text.lower():
                return True
            raise Unfulfilled(f"SES refused the mail for another reason: {text}") from error
        return False

    def _leave_of_ses(self) -> None:
        while wait := self.composition.rate_limiter.acquire(now=datetime.now(UTC)):
            time.sleep(wait)

    def _await(self, what: str, holds: Callable[[], bool]) -> None:
        started = time.monotonic()
        while not (held := holds()) and time.monotonic() - started < PATIENCE:
            time.sleep(_POLL)
        state, done = self._status()
        seen = f"{state.value}{'' if done else ', not acted on yet'}, {self._counted('outcomes')} outcomes"
        self.observer(Fired(what=what, ok=held, seconds=round(time.monotonic() - started, 1), seen=seen))
        if not held:
            raise Unfulfilled(f"{what}: not within {PATIENCE:.0f} s; seen: {seen}")


def drill(
    sender: Annotated[
        str | None, typer.Option("--from", help="Also try to send from this verified address, which must be refused.")
    ] = None,
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Take a temporary instance across every threshold and show what fired, and how fast. Its alerts are real."""
    fired: list[Fired] = []
    failure = ""

    def observer(one: Fired) -> None:
        fired.append(one)
        if not as_json:
            typer.echo(f"{'ok    ' if one.ok else 'failed'}  {one.what} ({one.seconds} s)")

    with clear_errors():
        found = find(stack)
        composition, settings = reputation_composition(found)
        try:
            Drill(
                stack=found,
                composition=composition,
                settings=settings,
                operator=operator_of(found),
                sender=sender,
                observer=observer,
            ).run()
        except Unfulfilled as unfulfilled:
            failure = str(unfulfilled)
    if as_json:
        show(list(map(_row, fired)), title="", empty="", as_json=True)
    if failure:
        fail(failure)
    if not as_json:
        slowest = max(one.seconds for one in fired)
        typer.echo(f"All {len(fired)} expectations were met; the slowest took {slowest} s.")


def _row(one: Fired) -> dict[str, Any]:
    return {
        "expected": one.what,
        "fired": Shown(one.ok, "green" if one.ok else "red"),
        "seconds": one.seconds,
        "seen": one.seen,
    }


def _crossing(rate: float, deliveries: int) -> int:
    """How many bounces beside *deliveries* make *rate*."""
    return int(rate * deliveries / (1 - rate)) + 1


def _portions(recipients: int) -> Iterator[int]:
    while recipients > 0:
        yield min(recipients, _RECIPIENTS)
        recipients -= _RECIPIENTS
