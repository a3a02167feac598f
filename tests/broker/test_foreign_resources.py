"""What exists under a name of ours and is not ours is refused in words that name it, and left as it is."""

import pytest

from lambdas.domain.tenants.aws_names import INSTANCE_TAG
from tests.broker.world import World

ALERTS = "arn:aws:sns:us-east-1:123456789012:ses-feedback-i1-alerts"
DIGESTS = "arn:aws:sns:us-east-1:123456789012:ses-feedback-b1-notifications"


@pytest.fixture
def world() -> World:
    """An empty one."""
    return World()


def test_a_foreign_configuration_set_fails_the_provision_and_stays(world: World) -> None:
    """Undoing the failed provision must not delete it."""
    world.ses.sets["ses-feedback-i1"] = {INSTANCE_TAG: "another"}
    assert world.provision().status == 202
    world.work()
    answer = world.poll().body
    assert (answer["state"], "a configuration set named ses-feedback-i1" in answer["description"]) == ("failed", True)
    assert world.left() == {"sets": {"ses-feedback-i1": {INSTANCE_TAG: "another"}}}


def test_a_foreign_topic_fails_the_provision_and_stays(world: World) -> None:
    """Its subscribers would read the instance's notifications."""
    world.topics.topics[ALERTS] = {"somebody@else.example"}
    world.topics.owners[ALERTS] = None
    assert world.provision().status == 202
    world.work()
    answer = world.poll().body
    assert (answer["state"], "an SNS topic named ses-feedback-i1-alerts" in answer["description"]) == ("failed", True)
    assert world.left() == {"topics": {ALERTS: {"somebody@else.example"}}}


def test_a_foreign_user_refuses_the_bind_and_stays(world: World) -> None:
    """Its keys would send as the tenant's domain."""
    world.ready()
    world.users.users["ses-feedback-b1"] = theirs = {"keys": {"AKIA": "s"}, "tags": {}}
    answer = world.bind()
    assert (answer.status, answer.body["error"]) == (409, "Conflict")
    assert "an IAM user named ses-feedback-b1" in answer.body["description"]
    assert world.left()["users"] == {"ses-feedback-b1": theirs}
    assert world.bind("b2").status == 201


def test_a_foreign_topic_refuses_the_bind_and_nothing_of_it_is_left(world: World) -> None:
    """The user that was made before goes again."""
    world.ready()
    world.topics.topics[DIGESTS], world.topics.owners[DIGESTS] = set(), "another"
    answer = world.bind(parameters={"notification_email": "a@b.cc"})
    assert (answer.status, "an SNS topic named ses-feedback-b1" in answer.body["description"]) == (409, True)
    assert "users" not in world.left()
    assert DIGESTS in world.topics.topics
