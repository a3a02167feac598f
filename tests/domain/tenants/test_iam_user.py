"""What an application's user may do, and whether IAM takes it."""

import pytest

from lambdas.domain.tenants.iam_user import MAX_POLICY, AccessKey, Quota, fits_iam, sending_policy

RESOURCES = ("arn:identity", "arn:configuration-set")


@pytest.mark.parametrize("source_ips", [(), ("192.0.2.0/24", "198.51.100.7/32")])
def test_a_sender_may_send_as_its_domain_from_its_addresses(source_ips: tuple[str, ...]) -> None:
    """Through identity and configuration set, by SMTP and by API; in the envelope too, if it is given."""
    addresses = ["*@agency.gov", "*@*.agency.gov"]
    condition: dict[str, object] = {
        "StringLike": {"ses:FromAddress": addresses},
        "StringLikeIfExists": {"ses:FeedbackAddress": addresses},
    }
    if source_ips:
        condition["IpAddress"] = {"aws:SourceIp": list(source_ips)}
    assert sending_policy(RESOURCES, source_ips, domain="agency.gov") == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["ses:SendEmail", "ses:SendRawEmail"],
                "Resource": ["arn:identity", "arn:configuration-set"],
                "Condition": condition,
            }
        ],
    }


def test_a_policy_fits_if_it_has_as_many_characters_as_iam_counts() -> None:
    """2,048, without white space."""
    empty = len('{"a":"","b":1}')
    assert fits_iam({"a": "x" * (MAX_POLICY - empty), "b": 1})
    assert not fits_iam({"a": "x" * (MAX_POLICY - empty + 1), "b": 1})
    assert MAX_POLICY == 2_048


@pytest.mark.parametrize(("users", "exhausted"), [(4_999, False), (5_000, True), (5_001, True)])
def test_a_quota_is_exhausted_at_its_limit(users: int, exhausted: bool) -> None:
    """IAM refuses the next user."""
    assert Quota(users=users, limit=5_000).exhausted is exhausted


def test_a_key_shows_its_id_and_not_its_secret() -> None:
    """A repr ends up in logs."""
    assert repr(AccessKey(id="AKIA", secret="hidden")) == "AccessKey(id='AKIA')"
