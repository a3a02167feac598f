"""An OpenAPI 3.1 document whose `webhooks` are the requests that an application gets."""

from docs.generate.bodies import EVENT_TYPES, VERSION
from docs.generate.json_schema import Schema

_HEADERS = {
    "webhook-id": "The event's id, or the batch's. The same over retries, redeliveries and replays: drop ids you know.",
    "webhook-timestamp": "Seconds since 1970 of this attempt. Refuse a request that is more than five minutes off.",
    "webhook-signature": "`v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; several, separated by spaces, "
    "while a secret is being rotated.",
}
_ANSWERS = {
    "2XX": "Handled, or stored to be handled. Nothing is sent again.",
    "410": "The webhook is disabled at once; its events are kept.",
    "429": "Sent again later, after Retry-After if that is given.",
    "503": "Sent again later, after Retry-After if that is given.",
    "default": "Sent again by the retry schedule. Redirects are not followed.",
}


def openapi(schemas: dict[str, Schema]) -> Schema:
    """The document. *schemas* is what `docs.generate.bodies.schemas` gives."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ses-feedback webhooks",
            "version": f"{VERSION}.0.0",
            "description": "The requests that a webhook of ses-feedback gets. Signed as Standard Webhooks specifies.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "webhooks": {type_: {"post": _operation(type_, schemas)} for type_ in (*EVENT_TYPES, "batch")},
    }


def _operation(type_: str, schemas: dict[str, Schema]) -> Schema:
    batch = type_ == "batch"
    structured = "application/cloudevents-batch+json" if batch else "application/cloudevents+json"
    content = {
        "application/json": {"schema": _embedded(schemas[f"{type_}.schema.json"])},
        structured: {"schema": _embedded(schemas[f"cloudevents/{type_}.schema.json"])},
    }
    if not batch:
        content["text/plain; charset=UTF-8"] = {"schema": _embedded(schemas["sns/notification.schema.json"])}
    return {
        "operationId": type_.replace(".", "_"),
        "summary": type_,
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in _HEADERS.items()
        ],
        "requestBody": {"required": True, "content": content},
        "responses": {status: {"description": text} for status, text in _ANSWERS.items()},
    }


def _embedded(schema: Schema) -> Schema:
    return {name: value for name, value in schema.items() if name not in ("$schema", "$id")}
