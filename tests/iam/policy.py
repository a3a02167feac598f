"""Evaluating IAM policies: ministack's evaluator, and grants taken apart so that each can be seen to be used.

The evaluator is the one that the embedded AWS has behind its AUTH switch. What we rely on of IAM's rules is pinned in
test_policy.py.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from tests.infra.synthesis import as_list

_OPERATORS = frozenset(
    {"StringEquals", "StringLike", "StringLikeIfExists", "IpAddress", "Null", "ArnLike", "ForAllValues:StringLike"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What IAM is asked: may this action be done on this resource? *context* are the request's condition keys."""

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The smallest part of an Allow: one action, one resource pattern, one value of each condition."""

    action: str
    resource: str
    condition: tuple[tuple[str, str, str], ...] = ()  # operator, key, value

    def document(self) -> dict[str, Any]:
        """A policy of this grant alone."""
        condition: dict[str, dict[str, str]] = {}
        for operator, key, value in self.condition:
            condition.setdefault(operator, {})[key] = value
        statement = {"Effect": "Allow", "Action": self.action, "Resource": self.resource, "Condition": condition}
        return {"Statement": [statement]}

    def allows(self, request: Request) -> bool:
        """Whether this grant alone allows *request*."""
        return allows([self.document()], request)


def allows(
    documents: Sequence[Mapping[str, Any]], request: Request, *, boundary: Mapping[str, Any] | None = None
) -> bool:
    """Whether the policy *documents* allow *request*, within a permissions *boundary* if there is one."""
    context = EvalContext(
        principal_arn="arn:aws:iam::111122223333:user/tested",
        principal_type="User",
        principal_account="111122223333",
        action=request.action,
        resource_arn=request.resource,
        region="us-east-1",
        source_ip=request.context.get("aws:SourceIp", "192.0.2.1"),
        service_context={key.lower(): value for key, value in request.context.items()},
    )
    for document in documents:
        _check_operators(document)
    limits = [[parse_policy_document(dict(boundary))]] if boundary else []
    decided = evaluate(context, [parse_policy_document(dict(document)) for document in documents], *limits)
    return bool(decided.decision == "Allow")


def grants(document: Mapping[str, Any]) -> Iterator[Grant]:
    """The smallest grants of a policy document. Raises ValueError for a statement that is not an Allow."""
    for statement in document["Statement"]:
        if statement["Effect"] != "Allow" or {"NotAction", "NotResource"} & set(statement):
            raise ValueError(f"only plain Allows can be taken apart: {statement}")
        for action, resource in product(as_list(statement["Action"]), as_list(statement["Resource"])):
            for condition in _conditions(statement.get("Condition", {})):
                yield Grant(action=action, resource=resource, condition=condition)


def _conditions(condition: Mapping[str, Mapping[str, Any]]) -> Iterable[tuple[tuple[str, str, str], ...]]:
    """One value of each key, in every combination; no key: one grant without a condition."""
    keys = [
        [(operator, key, value) for value in as_list(values)]
        for operator, by_key in condition.items()
        for key, values in by_key.items()
    ]
    return product(*keys)


def _check_operators(document: Mapping[str, Any]) -> None:
    """The evaluator takes an operator that it does not know for one that never matches: refuse it instead."""
    for statement in document["Statement"]:
        if unknown := set(statement.get("Condition", {})) - _OPERATORS:
            raise ValueError(f"condition operators {unknown}: pin how they behave in test_policy.py first")
