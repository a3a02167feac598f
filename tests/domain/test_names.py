from hypothesis import given
from hypothesis import strategies as st

from lambdas.domain import names

OSB_IDS = st.from_regex(r"[A-Za-z0-9-]{1,50}", fullmatch=True)


@given(OSB_IDS)
def test_an_instance_is_found_again_in_its_configuration_sets_name(instance_id: str) -> None:
    assert names.instance_of(names.configuration_set(instance_id)) == instance_id


@given(OSB_IDS)
def test_a_binding_is_found_again_in_its_users_name(binding_id: str) -> None:
    assert names.binding_of(names.iam_user(binding_id)) == binding_id


@given(OSB_IDS)
def test_the_longest_id_fits_what_aws_allows(identifier: str) -> None:
    assert len(names.configuration_set(identifier)) <= 64
    assert len(names.iam_user(identifier)) <= 64
    assert len(names.alert_topic(identifier)) <= 256


def test_a_foreign_name_belongs_to_nobody() -> None:
    assert names.instance_of("newsletter") is None
    assert names.instance_of("ses-feedback-") is None
    assert names.binding_of("alice") is None
