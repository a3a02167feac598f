"""The schema of every body, by format and type: what a receiver may rely on."""

from typing import Any

from docs.generate.json_schema import DRAFT, Schema, schema_of
from lambdas.domain.webhooks.webhook_body import DATA, Timestamp

VERSION = "1"  # of the contract: the major version of the project
EVENT_TYPES = tuple(DATA)
_ID = {"type": "string", "pattern": "^msg_[0-9a-f]{32}$", "description": "The webhook-id of the event."}
_TIMESTAMP = {**schema_of(Timestamp), "description": "When SES says it happened, UTC."}


def schemas() -> dict[str, Schema]:
    """Every schema by its path below docs/schemas."""
    found: dict[str, Schema] = {}
    for type_ in EVENT_TYPES:
        found[f"{type_}.schema.json"] = _document(type_, _standard(type_))
        found[f"cloudevents/{type_}.schema.json"] = _document(f"cloudevents:{type_}", _cloud_event(type_))
        found[f"cloudevents-binary/{type_}.schema.json"] = _document(
            f"cloudevents-binary:{type_}", schema_of(DATA[type_])
        )
    found["batch.schema.json"] = _document("batch", _batch())
    found["cloudevents/batch.schema.json"] = _document(
        "cloudevents:batch", {"type": "array", "items": {"anyOf": [_cloud_event(type_) for type_ in EVENT_TYPES]}}
    )
    found["sns/notification.schema.json"] = _document("sns:notification", _sns())
    return found


def _document(name: str, schema: Schema) -> Schema:
    return {"$schema": DRAFT, "$id": f"urn:ses-feedback:{VERSION}:{name}", "title": name, **schema}


def _standard(type_: str, **more: Any) -> Schema:
    properties = {**more, "type": {"const": type_}, "timestamp": _TIMESTAMP, "data": schema_of(DATA[type_])}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _batch() -> Schema:
    items = {"anyOf": [_standard(type_, id=_ID) for type_ in EVENT_TYPES]}
    return {
        "type": "object",
        "description": "What a webhook with `notification_batch` above 1 gets: several events in one request.",
        "properties": {
            "type": {"const": "batch"},
            "timestamp": {**schema_of(Timestamp), "description": "When the first of its events happened, UTC."},
            "data": {"type": "array", "minItems": 1, "maxItems": 100, "items": items},
        },
        "required": ["type", "timestamp", "data"],
    }


def _cloud_event(type_: str) -> Schema:
    properties = {
        "specversion": {"const": "1.0"},
        "id": _ID,
        "source": {"type": "string", "description": "The service instance: /ses-feedback/instances/<instance id>."},
        "type": {"const": type_},
        "time": _TIMESTAMP,
        "subject": {"type": "string", "description": "SES's id of the mail; absent if the event is about no mail."},
        "datacontenttype": {"const": "application/json"},
        "data": schema_of(DATA[type_]),
    }
    return {"type": "object", "properties": properties, "required": [name for name in properties if name != "subject"]}


def _sns() -> Schema:
    return {
        "type": "object",
        "properties": {
            "Type": {"const": "Notification"},
            "MessageId": {"type": "string", "format": "uuid", "description": "Made from the webhook-id."},
            "TopicArn": {"type": "string"},
            "Message": {
                "type": "string",
                "contentMediaType": "application/json",
                "description": "The JSON text that SES wrote. An event of ours, such as webhook.test, has its type as "
                "`eventType` and names no recipient.",
            },
            "Timestamp": _TIMESTAMP,
        },
        "required": ["Type", "MessageId", "TopicArn", "Message", "Timestamp"],
    }  # fmt: skip
