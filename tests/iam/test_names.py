"""What is made for tenants and what the stack owns never go by the same pattern."""

import pytest

from lambdas.domain.tenants import aws_names
from tests.iam.policy import Request, allows, grants
from tests.iam.test_roles import PRIVATELINK, ZONE
from tests.iam.world import EXAMPLE_ID, World
from tests.infra.synthesis import synthesise

pytestmark = pytest.mark.xdist_group("infra")

STACKS = ("ses-feedback", "ses-feedback-alerts", "ses-feedback-1-notifications", "ses-feedback-" + EXAMPLE_ID, "S")


def patterns(deployed: World) -> set[tuple[str, str, str]]:
    """Function, action and ARN pattern of all that is granted by pattern, not by name."""
    granted = ((name, grant) for name, policy in deployed.policies.items() for grant in grants(policy))
    return {(name, grant.action, grant.resource) for name, grant in granted if "*" in grant.resource.rstrip(":*")}


@pytest.mark.parametrize("stack", STACKS)
def test_no_pattern_matches_what_the_stack_owns(stack: str) -> None:
    """CloudFormation makes names that begin with the stack's. Who may publish to tenants' topics forges no events."""
    deployed = World(synthesise(**ZONE, **PRIVATELINK), stack=stack)
    owned = deployed.owned()
    logs = {logical_id for logical_id in owned if owned[logical_id].split(":")[2] == "logs"}
    matched = [
        (function, action, logical_id)
        for function, action, pattern in patterns(deployed)
        for logical_id in owned.keys() - logs
        if allows([_allowing(action, pattern)], Request(action=action, resource=owned[logical_id]))
    ]
    assert matched == []


def test_the_patterns_of_topics_match_tenants_topics() -> None:
    """So that the test above cannot pass by patterns that match nothing."""
    deployed = World(synthesise(**ZONE, **PRIVATELINK))
    topics = {pattern for _, action, pattern in patterns(deployed) if action.startswith("sns:")}
    made = [aws_names.alert_topic(EXAMPLE_ID), aws_names.notification_topic(EXAMPLE_ID)]
    for name in made:
        request = Request(action="sns:Publish", resource=f"arn:aws:sns:us-east-1:111122223333:{name}")
        assert [pattern for pattern in topics if allows([_allowing("sns:Publish", pattern)], request)]


def _allowing(action: str, resource: str) -> dict[str, object]:
    return {"Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}
