"""Acknowledged findings of cdk-nag, each at the construct where it arises, with its reason."""

from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import Construct

_PACKS = ("AwsSolutions", "Serverless", "NIST.800.53.R5")


def accept(construct: Construct, *rules: str, because: str) -> None:
    """Accept the findings of *rules* (such as "AwsSolutions-SMG4") on *construct* and what is below it."""
    Validations.of(construct).acknowledge(
        *(Acknowledgment(id=f"{_pack(rule)}::{rule}", reason=because) for rule in rules)
    )


def accept_wildcards(construct: Construct, *arns: str, because: str) -> None:
    """Accept that a policy below *construct* names resources by these patterns."""
    resolved = (_flat(Stack.of(construct).resolve(arn)) for arn in arns)
    accept(construct, *(f"AwsSolutions-IAM5[Resource::{arn}]" for arn in resolved), because=because)


def _pack(rule: str) -> str:
    return next(pack for pack in _PACKS if rule.startswith(pack + "-"))


def _flat(value: Any) -> str:
    """An ARN as cdk-nag writes it: references in angle brackets."""
    match value:
        case {"Ref": str(name)}:
            return f"<{name}>"
        case {"Fn::GetAtt": [str(resource), str(attribute)]}:
            return f"<{resource}.{attribute}>"
        case {"Fn::Join": [str(separator), list(parts)]}:
            return separator.join(map(_flat, parts))
        case _:
            return str(value)
