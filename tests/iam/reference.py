"""Policies against AWS's Service Authorization Reference, as policy_sentry carries it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from policy_sentry.querying.actions import get_action_data

from tests.iam.implicit import IN_A_VPC
from tests.iam.policy import Grant, grants

_GLOBAL = frozenset({"aws:SourceIp", "aws:PrincipalTag"})  # condition keys that every request has
# Taken on everything although they take resources: Lambda checks that the role may do them anywhere.
_EVERYWHERE = frozenset(IN_A_VPC.actions)
# A log group's ARN ends in `:*` for what is done to its streams: the Logs guide, "Resources and operations".
_STREAMS = "arn:${Partition}:logs:${Region}:${Account}:log-group:${LogGroupName}:*"
_FORMS = {"logs:CreateLogStream": _STREAMS, "logs:PutLogEvents": _STREAMS}


def findings(document: Mapping[str, Any]) -> Iterator[str]:
    """What of a policy AWS would not understand: actions, resources of another form, conditions that never match."""
    for grant in grants(document):
        service, _, name = grant.action.partition(":")
        entries = get_action_data(service, name).get(service, [])
        if not entries or entries[0]["action"] != grant.action:
            yield f"{grant.action} is no action"
            continue
        fitting = [entry for entry in entries if _fits(grant, entry["resource_arn_format"], entries)]
        if not fitting:
            yield f"{grant.action} takes no {grant.resource}"
        for _, key, _ in grant.condition:
            if not any(_has(entry["condition_keys"], key) for entry in fitting):
                yield f"{grant.action} on {grant.resource} knows no {key}"


def _fits(grant: Grant, form: str, entries: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a resource has the form of an ARN that the action takes; `*` only where it takes none."""
    forms = {entry["resource_arn_format"] for entry in entries}
    if grant.resource == "*" or form == "*":
        return grant.resource == "*" and (forms == {"*"} or grant.action in _EVERYWHERE)
    return any(_matches(grant.resource, one) for one in (form, _FORMS.get(grant.action, form)))


def _matches(resource: str, form: str) -> bool:
    """Whether an ARN has a *form* such as `arn:${Partition}:sqs:${Region}:${Account}:${QueueName}`."""
    parts = re.split(r"\$\{(\w+)\}", form)
    names = (".+" if name.endswith(("WithPath", "LogGroupName", "StreamLabel")) else "[^:/]+" for name in parts[1::2])
    pattern = "".join(re.escape(text) + name for text, name in zip(parts[::2], [*names, ""], strict=True))
    return re.fullmatch(pattern, resource) is not None


def _has(known: list[str], key: str) -> bool:
    """Whether *key* is among those *known*, where `${TagKey}` and the like stand for any name."""
    if key.partition("/")[0] in _GLOBAL:
        return True
    forms = (re.sub(r"\\\$\\\{\w+\\\}", ".+", re.escape(form)) for form in known)
    return any(re.fullmatch(form, key) for form in forms)
