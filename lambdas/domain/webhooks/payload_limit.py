"""Shortens a body to the size limit in steps: the least important first, an application's own tags last."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

MAX_BODY = 20_000  # bytes: Standard Webhooks asks for payloads under 20 KB
_BRIEF = 200  # characters of a diagnostic: its code and its first sentence
_SOME = 20  # recipients: of 50 at most in one mail
_APPLICATIONS_HEADERS = {"x-tag", "x-metadata"}  # django-anymail keeps an application's tags there
_SECTIONS = ("bounce", "complaint", "delivery", "deliveryDelay")
_LISTS = ("bouncedRecipients", "complainedRecipients", "delayedRecipients", "recipients")


def shrunk_data(data: dict[str, Any], body: Callable[[dict[str, Any]], str]) -> str:
    """*body* of as much of *data* as fits MAX_BODY, marked as truncated."""
    written = ""
    for smaller in _smaller_data(deepcopy(data) | {"truncated": True}):
        written = body(smaller)
        if _fits(written):
            break
    return written


def _smaller_data(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    mail, recipients = data.get("mail", {}), data.get("recipients", [])
    for recipient in recipients:
        recipient["diagnostic"] = _brief(recipient["diagnostic"])
    yield data
    for recipient in recipients:
        recipient["diagnostic"] = None
    yield data
    mail["to"] = []
    yield data
    del recipients[_SOME:]
    yield data
    mail["subject"] = _brief(mail.get("subject"))
    del recipients[1:]
    yield data
    mail["tags"] = {}
    yield data
    yield {name: data.get(name) for name in ("instance_id", "binding_id", "message_id", "truncated")}


def shrunk_source(source: str, body: Callable[[str], str]) -> str:
    """*body* of SES's JSON text *source*, shortened until it fits MAX_BODY."""
    written = body(source)
    for smaller in _smaller_sources(source) if not _fits(written) else ():
        written = body(smaller)
        if _fits(written):
            break
    return written


def _smaller_sources(source: str) -> Iterator[str]:
    try:
        event = json.loads(source)
    except (ValueError, RecursionError):  # a number or a nesting that only the queue's parser accepts
        event = {}
    yield from map(_json, _smaller_events(event))
    kind = event.get("eventType") or event.get("notificationType")
    yield _json({"eventType": str(kind)[:_BRIEF], "mail": {"destination": [], "headersTruncated": True}})


def _smaller_events(event: dict[str, Any]) -> Iterator[dict[str, Any]]:
    mail = event["mail"] if isinstance(event.get("mail"), dict) else {}
    headers = mail.pop("headers", [])
    mail["headersTruncated"] = True
    mail["headers"] = [header for header in _dicts(headers) if str(header.get("name")).lower() in _APPLICATIONS_HEADERS]
    yield event
    mail.pop("commonHeaders", None)
    yield event
    listed = _recipient_lists(event)
    for recipient in (recipient for recipients in listed for recipient in _dicts(recipients)):
        recipient["diagnosticCode"] = _brief(recipient.get("diagnosticCode"))
    yield event
    mail["destination"] = []
    yield event
    for recipients in listed:
        del recipients[_SOME:]
    yield event
    mail["headers"], mail["tags"] = [], {}
    yield event


def _recipient_lists(event: dict[str, Any]) -> list[list[Any]]:
    sections = [event[name] for name in _SECTIONS if isinstance(event.get(name), dict)]
    return [section[name] for section in sections for name in _LISTS if isinstance(section.get(name), list)]


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _brief(text: Any) -> str | None:
    return text[:_BRIEF] if isinstance(text, str) else None


def _fits(body: str) -> bool:
    return len(body.encode()) <= MAX_BODY


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
