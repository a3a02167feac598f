"""What a bound application may send: the binding's policy within the permissions boundary."""

from typing import Any

import pytest

from lambdas.domain.tenants.iam_user import fits_iam, sending_policy
from tests.iam.policy import Request, allows
from tests.iam.test_roles import VARIANTS, world

pytestmark = pytest.mark.xdist_group("infra")


def may_send(
    variant: str = "standard",
    *,
    sender: str | None = "app@shop.example",
    feedback: str | None = None,
    resource: str = "identity/shop.example",
    action: str = "ses:SendRawEmail",
    source_ips: tuple[str, ...] = (),
    **context: str,
) -> bool:
    """Whether a binding of shop.example's instance may send so, in the variant's partition and region."""
    deployed = world(variant)
    ses = f"arn:{deployed.partition}:ses:{deployed.region}:111122223333"
    policy = sending_policy(
        [f"{ses}:identity/shop.example", f"{ses}:configuration-set/ses-feedback-1"], source_ips, domain="shop.example"
    )
    [boundary] = deployed.synthesis.properties("AWS::IAM::ManagedPolicy")
    given: dict[str, Any] = {"ses:FromAddress": sender, "ses:FeedbackAddress": feedback}
    keys = {key: value for key, value in given.items() if value is not None}
    keys |= {key.replace("_", ":"): value for key, value in context.items()}
    request = Request(action=action, resource=f"{ses}:{resource}", context=keys)
    return allows([policy], request, boundary=deployed.resolve(boundary["PolicyDocument"]))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("action", ["ses:SendEmail", "ses:SendRawEmail"])
@pytest.mark.parametrize("resource", ["identity/shop.example", "configuration-set/ses-feedback-1"])
def test_a_binding_sends_as_its_domain(variant: str, action: str, resource: str) -> None:
    """By the API and by SMTP: SES asks for the identity and for the configuration set."""
    assert may_send(variant, action=action, resource=resource)


@pytest.mark.parametrize(
    ("sender", "allowed"),
    [
        ("app@shop.example", True),
        ("App.Name+tag@shop.example", True),  # any case before the @
        ("app@mail.shop.example", True),
        ("app@a.b.shop.example", True),
        ("app@Shop.Example", False),  # IAM compares with case: the docs say to write the domain in lower case
        ("app@other.example", False),
        ("app@notshop.example", False),
        ("app@shop.example.evil.example", False),
        ("app@shop.example <app@other.example>", False),
        (None, False),
    ],
)
def test_the_from_address_is_of_the_domain_or_a_subdomain(sender: str | None, allowed: bool) -> None:
    """Should SES check the envelope's identity only, the header's address is still bound to the domain."""
    assert may_send(sender=sender) is allowed


@pytest.mark.parametrize(
    ("feedback", "allowed"),
    [(None, True), ("bounces@mail.shop.example", True), ("bounces@other.example", False)],
)
def test_bounces_are_not_forwarded_to_others(feedback: str | None, allowed: bool) -> None:
    """The Return-Path, where a mail names one."""
    assert may_send(feedback=feedback) is allowed


def test_source_ips_hold_as_well() -> None:
    """All conditions of a statement must hold."""
    assert may_send(source_ips=("198.51.100.0/24",), aws_SourceIp="198.51.100.7")
    assert not may_send(source_ips=("198.51.100.0/24",), aws_SourceIp="203.0.113.7")
    assert not may_send(source_ips=("198.51.100.0/24",), aws_SourceIp="198.51.100.7", sender="app@other.example")


@pytest.mark.parametrize("resource", ["identity/other.example", "configuration-set/ses-feedback-2"])
def test_nothing_of_another_tenant_is_used(resource: str) -> None:
    """Neither its identity nor its configuration set."""
    assert not may_send(resource=resource)


def test_nothing_else_is_allowed_even_by_a_wider_policy() -> None:
    """The boundary holds whatever a binding's policy says."""
    wide = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    deployed = world("standard")
    boundary = deployed.resolve(deployed.synthesis.properties("AWS::IAM::ManagedPolicy")[0]["PolicyDocument"])
    ses = "arn:aws:ses:us-east-1:111122223333:identity/shop.example"
    assert allows([wide], Request(action="ses:SendEmail", resource=ses), boundary=boundary)
    for action, resource in (("ses:DeleteEmailIdentity", ses), ("iam:CreateUser", "arn:aws:iam::111122223333:user/x")):
        assert not allows([wide], Request(action=action, resource=resource), boundary=boundary)


def test_the_longest_domain_and_ids_fit_iam() -> None:
    """Whatever the tenant's domain; what does not fit for its many source_ips is refused at the bind."""
    domain = ".".join(["d" * 62] * 4)
    ses = "arn:aws-us-gov:ses:us-gov-west-1:111122223333"
    arns = [f"{ses}:identity/{domain}", f"{ses}:configuration-set/ses-feedback-{'i' * 50}"]
    assert fits_iam(sending_policy(arns, [], domain=domain))
    assert not fits_iam(sending_policy(arns, [f"198.51.100.{number}/32" for number in range(100)], domain=domain))
