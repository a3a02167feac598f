"""Names in AWS: every id of the platform has one, and can be read back from it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain.tenants import aws_names

OSB_IDS = st.from_regex(r"[A-Za-z0-9._~-]{1,50}", fullmatch=True)
STRANGE = ["a.b", "~", ".", "..", "A", "aB", "_", "~" * 50, "." * 50, "Z" * 50, "a~", "~a", "-", "-" * 50, "9.9_A~"]
UUID = "0b6f3c52-8d3e-4a51-9a44-2f7d1c9e5b10"


def test_a_uuid_stands_in_the_names_as_it_is() -> None:
    """The contract's names; tools and people go by them."""
    assert aws_names.configuration_set(UUID) == f"ses-feedback-{UUID}"
    assert aws_names.iam_user(UUID) == f"ses-feedback-{UUID}"
    assert aws_names.alert_topic(UUID) == f"ses-feedback-{UUID}-alerts"
    assert aws_names.notification_topic(UUID) == f"ses-feedback-{UUID}-notifications"


@given(OSB_IDS)
def test_an_instance_is_found_again_in_its_configuration_sets_name(instance_id: str) -> None:
    """No look-up is needed to attribute an event."""
    assert aws_names.instance_of(aws_names.configuration_set(instance_id)) == instance_id


@given(OSB_IDS)
def test_a_binding_is_found_again_in_its_users_name(binding_id: str) -> None:
    """SES names the calling user in an event's tags."""
    assert aws_names.binding_of(aws_names.iam_user(binding_id)) == binding_id


@pytest.mark.parametrize("id_", STRANGE)
def test_ids_that_aws_cannot_carry_are_read_back_too(id_: str) -> None:
    """The longest and the strangest that a platform may send."""
    assert aws_names.instance_of(aws_names.configuration_set(id_)) == id_
    assert aws_names.binding_of(aws_names.iam_user(id_)) == id_
    assert aws_names.id_in_tag(aws_names.tag_value(id_)) == id_


@given(OSB_IDS)
def test_every_name_is_one_that_aws_takes(id_: str) -> None:
    """SES, SNS, IAM and tags each have their own rules."""
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", aws_names.configuration_set(id_))
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,256}", aws_names.alert_topic(id_))
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,256}", aws_names.notification_topic(id_))
    assert re.fullmatch(r"[a-z0-9._-]{1,64}", aws_names.iam_user(id_))
    assert re.fullmatch(r"[A-Za-z0-9 _.:/=+@-]{1,256}", aws_names.tag_value(id_))


@given(OSB_IDS, OSB_IDS)
def test_two_ids_never_share_a_name(one: str, other: str) -> None:
    """IAM does not tell upper from lower case, so its names differ in more than that."""
    if one != other:
        assert aws_names.configuration_set(one) != aws_names.configuration_set(other)
        assert aws_names.alert_topic(one) != aws_names.alert_topic(other)
        assert aws_names.iam_user(one).lower() != aws_names.iam_user(other).lower()


def test_ids_that_differ_in_case_alone_have_different_users() -> None:
    """IAM would take the second for the first."""
    assert len({aws_names.iam_user(id_).lower() for id_ in ("abc", "ABC", "aBc", "Abc")}) == 4


@pytest.mark.parametrize(
    "name",
    ["newsletter", "", "ses-feedback-", "sesfb-", "sesfb-abc", "ses-feedback-a.b~", "ses-feedback-" + "~" * 51,
     "ses-feedback-" + "-" * 51, "ses-feedback-" + "z" * 51, "ses-feedback-" + "a" * 52, "sesfb-" + "z" * 58,
     "sesfb-" + "Z" * 58, "alice", "ses-feedback-É"],
)  # fmt: skip
def test_a_foreign_name_belongs_to_nobody(name: str) -> None:
    """Neither an instance nor a binding."""
    assert aws_names.instance_of(name) is None
    assert aws_names.binding_of(name) is None


@pytest.mark.parametrize(
    ("value", "right"), [("a", True), ("", False), ("a" * 51, False), ("a/b", False), ("é", False), ("a\n", False)]
)
def test_an_id_is_1_to_50_unreserved_characters(value: str, right: bool) -> None:
    """OSB recommends UUIDs, and allows any string."""
    assert aws_names.is_id(value) is right
