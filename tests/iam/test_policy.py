"""What the evaluator does with the parts of IAM's language that our policies use.

Sources: the IAM guide's "JSON policy elements" (Resource, Condition operators) and "Policy evaluation logic".
"""

from typing import Any

import pytest

from tests.iam.policy import Grant, Request, allows, grants

ALERTS = "arn:aws:sns:us-east-1:111122223333:ses-feedback-*-alerts"
TOPIC = "arn:aws:sns:us-east-1:111122223333:ses-feedback-1-alerts"


def policy(**more: Any) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": "sns:Publish", "Resource": ALERTS, **more}]}


def publish(resource: str = TOPIC, **context: str) -> Request:
    keys = {key.replace("_", ":"): value for key, value in context.items()}
    return Request(action="sns:Publish", resource=resource, context=keys)


def test_an_allow_needs_the_action_and_the_resource() -> None:
    """Actions in any case, resources in theirs."""
    assert allows([policy()], publish())
    assert allows([policy(Action="SNS:publish")], publish())
    assert not allows([policy(Action="sns:Subscribe")], publish())
    assert not allows([policy()], publish(TOPIC.replace("ses-feedback-1-alerts", "ses-feedback-1-alerts-2")))
    assert not allows([policy()], publish(TOPIC.replace("feedback", "Feedback")))
    assert not allows([], publish())


def test_an_action_without_a_resource_needs_the_asterisk() -> None:
    """Its request names no resource, which no ARN pattern matches."""
    assert not allows([policy()], publish("*"))
    assert allows([policy(Resource="*")], publish("*"))


def test_a_deny_wins() -> None:
    """Wherever it stands."""
    assert not allows([policy(), policy(Effect="Deny")], publish())


def test_every_condition_must_hold_and_one_of_its_values() -> None:
    """A key that the request does not have holds for nothing but IfExists and Null."""
    either = {"StringEquals": {"kms:ViaService": ["sns", "sqs"]}}
    assert allows([policy(Condition=either)], publish(kms_ViaService="sqs"))
    assert not allows([policy(Condition=either)], publish(kms_ViaService="dynamodb"))
    assert not allows([policy(Condition=either)], publish())
    both = {**either, "Null": {"aws:ResourceTag/ours": "false"}}
    assert not allows([policy(Condition=both)], publish(kms_ViaService="sqs"))
    tagged = Request(
        action="sns:Publish", resource=TOPIC, context={"kms:ViaService": "sqs", "aws:ResourceTag/ours": "1"}
    )
    assert allows([policy(Condition=both)], tagged)


@pytest.mark.parametrize(
    ("operator", "address", "allowed"),
    [
        ("StringLike", "app@shop.example", True),
        ("StringLike", "app@Shop.example", False),  # case counts
        ("StringLike", "app@shop.example.org", False),
        ("StringLike", None, False),
        ("StringLikeIfExists", None, True),
        ("StringLikeIfExists", "app@else.example", False),
    ],
)
def test_string_like_takes_asterisks_and_minds_case(operator: str, address: str | None, allowed: bool) -> None:
    """As SES documents it for its keys."""
    document = policy(Condition={operator: {"ses:FromAddress": "*@shop.example"}})
    context = {} if address is None else {"ses:FromAddress": address}
    assert allows([document], Request(action="sns:Publish", resource=TOPIC, context=context)) is allowed


@pytest.mark.parametrize(
    ("keys", "allowed"), [("confirmations#1", True), ("instance#1", False), (None, True), ("CONFIRMATIONS#1", False)]
)
def test_for_all_values_is_true_of_a_key_that_is_not_there(keys: str | None, allowed: bool) -> None:
    """Therefore such a condition goes with a Null that asks for the key."""
    condition = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["confirmations#*"]}}
    present = condition | {"Null": {"dynamodb:LeadingKeys": "false"}}
    request = Request(
        action="dynamodb:UpdateItem", resource="arn:table", context={"dynamodb:LeadingKeys": keys} if keys else {}
    )
    statement = {"Effect": "Allow", "Action": "dynamodb:UpdateItem", "Resource": "arn:table"}
    assert allows([{"Statement": [statement | {"Condition": condition}]}], request) is allowed
    assert allows([{"Statement": [statement | {"Condition": present}]}], request) is (allowed and keys is not None)


def test_addresses_lie_in_a_network() -> None:
    """IpAddress."""
    document = policy(Condition={"IpAddress": {"aws:SourceIp": ["198.51.100.0/24"]}})
    assert allows([document], publish(aws_SourceIp="198.51.100.7"))
    assert not allows([document], publish(aws_SourceIp="203.0.113.7"))


def test_a_boundary_takes_away_and_gives_nothing() -> None:
    """Both must allow."""
    assert allows([policy()], publish(), boundary=policy(Resource="*"))
    assert not allows([policy()], publish(), boundary=policy(Action="sns:Subscribe"))
    assert not allows([], publish(), boundary=policy())


def test_an_operator_that_nobody_tried_is_refused() -> None:
    """The evaluator would take it for one that never matches."""
    with pytest.raises(ValueError, match="StringNotLike"):
        allows([policy(Condition={"StringNotLike": {"ses:FromAddress": "x"}})], publish())


def test_a_statement_is_taken_apart_into_its_smallest_grants() -> None:
    """By action, resource and each value of each condition."""
    document = policy(Action=["a:B", "a:C"], Resource=["x", "y"], Condition={"StringEquals": {"k": ["1", "2"]}})
    assert len(list(grants(document))) == 8
    assert Grant(action="a:C", resource="x", condition=(("StringEquals", "k", "2"),)) in set(grants(document))


def test_only_allows_are_taken_apart() -> None:
    """A Deny is no grant, and NotAction grants what nobody counted."""
    for statement in (policy(Effect="Deny"), policy(NotAction="sns:Publish")):
        with pytest.raises(ValueError, match="plain Allows"):
            list(grants(statement))
