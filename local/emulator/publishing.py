"""Publishes a raw event as SES would, for mail of one instance."""

import copy
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lambdas.domain.tenants.aws_names import configuration_set
from local.clients import Clients
from local.emulator.sending import SUBJECT
from local.emulator.ses_events import ses_id, stamp

_DETAILS = ("bounce", "complaint", "delivery", "deliveryDelay", "reject", "open", "click", "failure", "subscription")


def publish(facts: Mapping[str, Any], message: str) -> None:
    """Publish *message*, whatever it is, to the stack's event topic. *facts* is `stack.json`."""
    sns = Clients(facts["aws_endpoint_url"], facts["region"]).client("sns")
    sns.publish(TopicArn=facts["event_topic_arn"], Message=message, Subject=SUBJECT)


def told_of(text: str, instance_id: str) -> str:
    """An event's text as if the mail had gone through the instance's configuration set.

    An SNS envelope is removed, because SNS adds its own. Text that is not an event is unchanged.
    """
    event = _event(text)
    if event is None:
        return text
    tags = event["mail"].setdefault("tags", {})
    tags["ses:configuration-set"] = [configuration_set(instance_id)]
    return json.dumps(event)


def as_new(text: str, *, now: datetime, region: str) -> str:
    """An event's text with new ids and times, so that it is not a duplicate."""
    event = _event(text)
    if event is None:
        return text
    mail = event["mail"]
    mail["messageId"], mail["timestamp"] = ses_id(now, region), stamp(now)
    for name in _DETAILS:
        if isinstance(detail := event.get(name), dict):
            detail["timestamp"] = stamp(now)
            if "feedbackId" in detail:
                detail["feedbackId"] = ses_id(now, region)
    return json.dumps(event)


def _event(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
        if isinstance(value, dict) and isinstance(value.get("Message"), str):
            value = json.loads(value["Message"])
    except ValueError:
        return None
    return copy.deepcopy(value) if isinstance(value, dict) and isinstance(value.get("mail"), dict) else None
