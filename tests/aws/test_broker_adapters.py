"""IAM, SNS, Route 53, KMS, SQS and Secrets Manager as the broker uses them, on moto: everything twice is once."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from lambdas.aws.iam.users import IamUsers
from lambdas.aws.kms.binding_secrets import BindingSecretEncryption
from lambdas.aws.kms.encryption import DecryptionFailed
from lambdas.aws.route53.hosted_zone import HostedZone
from lambdas.aws.secrets_manager.broker_credentials import KEPT_FOR, MAX_EXTRA_READS, Credentials
from lambdas.aws.sns.topics import Topics
from lambdas.aws.sqs.operations_queue import OperationsQueue, decode
from lambdas.domain.errors import AccountFull, NotOurs
from lambdas.domain.tenants.aws_names import INSTANCE_TAG
from lambdas.domain.tenants.dns_records import Dkim, Dmarc, required_records
from lambdas.domain.tenants.iam_user import sending_policy
from lambdas.domain.tenants.instance import BindingSecret
from lambdas.domain.tenants.operation_task import OperationTask

NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
IDENTITY = "arn:aws:ses:us-east-1:123456789012:identity/agency.gov"
SET = "arn:aws:ses:us-east-1:123456789012:configuration-set/s"
OURS = {INSTANCE_TAG: "i1"}
SENDING = sending_policy([IDENTITY, SET], [], domain="agency.gov")


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    """An empty account."""
    with mock_aws():
        yield


def client(service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


# -- IAM -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def iam() -> Any:
    """A client, and the boundary in the account."""
    made = client("iam")
    made.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(sending_policy(["*"], [], domain="agency.gov")))
    return made


def test_a_user_has_its_path_boundary_policy_and_tags(iam: Any) -> None:
    """Made twice it is one."""
    spy = Mock(wraps=iam)
    users = IamUsers(spy, boundary_arn=BOUNDARY)
    policy = sending_policy([IDENTITY, SET], ["198.51.100.0/24"], domain="agency.gov")
    for _ in range(2):
        users.ensure_user("u", policy, {**OURS, "k": "v"})
    user = iam.get_user(UserName="u")["User"]
    assert user["Path"] == "/cf/"
    assert spy.create_user.call_args.kwargs["PermissionsBoundary"] == BOUNDARY  # which moto takes and does not show
    assert {tag["Key"]: tag["Value"] for tag in user["Tags"]} == {**OURS, "k": "v"}
    assert iam.get_user_policy(UserName="u", PolicyName="send")["PolicyDocument"] == policy


def test_a_policy_allows_sending_alone_and_only_from_where_it_may() -> None:
    """On the identity and on the configuration set."""
    addresses = ["*@agency.gov", "*@*.agency.gov"]
    own = {"StringLike": {"ses:FromAddress": addresses}, "StringLikeIfExists": {"ses:FeedbackAddress": addresses}}
    allowed = {"Effect": "Allow", "Action": ["ses:SendEmail", "ses:SendRawEmail"], "Resource": [IDENTITY, SET]}
    assert SENDING["Statement"] == [{**allowed, "Condition": own}]
    limited = {**allowed, "Condition": {**own, "IpAddress": {"aws:SourceIp": ["198.51.100.7/32"]}}}
    assert sending_policy([IDENTITY, SET], ["198.51.100.7/32"], domain="agency.gov")["Statement"] == [limited]


def test_a_user_beyond_the_account_s_quota_is_told_from_other_errors(iam: Any) -> None:
    """Another's fault of IAM is not taken for a full account."""
    with Stubber(iam) as stub:
        for error in ("LimitExceeded", "ServiceFailure"):
            stub.add_client_error("create_user", error)
        users = IamUsers(iam, boundary_arn=BOUNDARY)
        with pytest.raises(AccountFull):
            users.ensure_user("u", {}, OURS)
        with pytest.raises(ClientError, match="ServiceFailure"):
            users.ensure_user("u", {}, OURS)


def test_a_user_has_one_key(iam: Any) -> None:
    """Earlier ones go: nobody has their secret."""
    users = IamUsers(iam, boundary_arn=BOUNDARY)
    users.ensure_user("u", SENDING, OURS)
    keys = [users.replace_key("u") for _ in range(3)]
    listed = iam.list_access_keys(UserName="u")["AccessKeyMetadata"]
    assert [key["AccessKeyId"] for key in listed] == [keys[-1].id]
    assert keys[-1].secret not in repr(keys[-1])


@pytest.mark.parametrize("code", ["NoSuchEntity", "AccessDenied"])
def test_a_user_that_iam_does_not_know_everywhere_yet_is_waited_for(code: str) -> None:
    """It is eventually consistent; what stays unknown is told.

    A replica without the user cannot know its boundary, which the permission asks for: it denies access.
    """
    unknown = ClientError({"Error": {"Code": code, "Message": "u"}}, "PutUserPolicy")
    slept: list[float] = []
    iam = Mock()
    iam.put_user_policy.side_effect = [unknown, unknown, {}]
    iam.list_access_keys.return_value = {"AccessKeyMetadata": []}
    iam.create_access_key.side_effect = [unknown, {"AccessKey": {"AccessKeyId": "k", "SecretAccessKey": "s"}}]
    users = IamUsers(iam, boundary_arn=BOUNDARY, sleep=slept.append)
    users.ensure_user("u", SENDING, OURS)
    assert users.replace_key("u").id == "k"
    assert len(slept) == 3
    iam.put_user_policy.side_effect = unknown
    with pytest.raises(ClientError):
        users.ensure_user("u", SENDING, OURS)


@pytest.mark.parametrize("tags", [[], [{"Key": INSTANCE_TAG, "Value": "i2"}]])
def test_anothers_user_is_neither_taken_nor_removed(iam: Any, tags: list[dict[str, str]]) -> None:
    """A policy of ours would give its application another tenant's domain; an unbind would delete it."""
    iam.create_user(UserName="u", Path="/cf/", Tags=tags)
    key = iam.create_access_key(UserName="u")["AccessKey"]["AccessKeyId"]
    users = IamUsers(iam, boundary_arn=BOUNDARY)
    with pytest.raises(NotOurs, match=r"^an IAM user named u exists"):
        users.ensure_user("u", SENDING, OURS)
    assert iam.list_user_policies(UserName="u")["PolicyNames"] == []
    users.remove_user("u", "i1")
    assert [kept["AccessKeyId"] for kept in iam.list_access_keys(UserName="u")["AccessKeyMetadata"]] == [key]


def test_a_repeated_bind_waits_until_iam_shows_whose_the_user_is() -> None:
    """A replica may not know the user that another says exists."""
    exists, unknown = (
        ClientError({"Error": {"Code": code, "Message": "u"}}, "any")
        for code in ("EntityAlreadyExists", "NoSuchEntity")
    )
    iam = Mock()
    iam.create_user.side_effect = exists
    iam.get_user.side_effect = [unknown, {"User": {"Tags": [{"Key": INSTANCE_TAG, "Value": "i1"}]}}]
    IamUsers(iam, boundary_arn=BOUNDARY, sleep=lambda _: None).ensure_user("u", SENDING, OURS)
    assert iam.put_user_policy.call_count == 1


@pytest.mark.parametrize("half", ["all", "no key", "no policy", "nothing"])
def test_a_user_goes_however_much_of_it_is_there(iam: Any, half: str) -> None:
    """Twice is once."""
    users = IamUsers(iam, boundary_arn=BOUNDARY)
    if half != "nothing":
        users.ensure_user("u", SENDING, OURS)
        if half != "no key":
            users.replace_key("u")
        if half == "no policy":
            iam.delete_user_policy(UserName="u", PolicyName="send")
    for _ in range(2):
        users.remove_user("u", "i1")
    assert iam.list_users()["Users"] == []


def test_the_quota_is_the_accounts() -> None:
    """What the summary says."""
    summary = Mock(get_account_summary=lambda: {"SummaryMap": {"Users": 5000, "UsersQuota": 5000}})
    assert IamUsers(summary, boundary_arn=BOUNDARY).quota().exhausted
    summary = Mock(get_account_summary=lambda: {"SummaryMap": {"Users": 4999, "UsersQuota": 5000}})
    assert not IamUsers(summary, boundary_arn=BOUNDARY).quota().exhausted


# -- SNS -----------------------------------------------------------------------------------------------------------


def test_a_topic_tells_one_address_at_a_time() -> None:
    """A change of address takes the other off; asked twice, nobody is asked to confirm again."""
    sns = client("sns")
    prefix = "arn:aws:sns:us-east-1:123456789012:"
    topics = Topics(
        sns, key_arn="arn:aws:kms:us-east-1:123456789012:key/k", arn_prefix=prefix, may_mail=lambda *_: True
    )
    for name in ("old name", "new name"):
        arn = topics.ensure("t", {**OURS, "organization": name})
        topics.subscribe(arn, "a@b.cc", organization="o1")
    assert sns.get_topic_attributes(TopicArn=arn)["Attributes"]["KmsMasterKeyId"].endswith("key/k")
    topics.subscribe(arn, "c@d.ee", organization="o1")
    listed = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert [entry["Endpoint"] for entry in listed] == ["c@d.ee"]
    assert topics.confirmed(arn, "c@d.ee")  # moto confirms at once
    assert not topics.confirmed(arn, "a@b.cc")
    for _ in range(2):
        topics.remove(arn, "i1")
    assert sns.list_topics()["Topics"] == []


@pytest.mark.parametrize("tags", [[], [{"Key": INSTANCE_TAG, "Value": "i2"}]])
def test_anothers_topic_is_neither_taken_nor_removed(tags: list[dict[str, str]]) -> None:
    """Whoever owns it would read the instance's notifications, and lose the topic with the instance."""
    sns = client("sns")
    prefix = "arn:aws:sns:us-east-1:123456789012:"
    sns.create_topic(Name="t", Tags=tags)
    topics = Topics(sns, key_arn="k", arn_prefix=prefix, may_mail=lambda *_: True)
    with pytest.raises(NotOurs, match=r"^an SNS topic named t exists"):
        topics.ensure("t", OURS)
    topics.remove(prefix + "t", "i1")
    assert [topic["TopicArn"] for topic in sns.list_topics()["Topics"]] == [prefix + "t"]


def test_an_address_that_has_not_confirmed_cannot_be_taken_off() -> None:
    """SNS gives it no ARN; it vanishes by itself."""
    listed = {"Subscriptions": [{"Endpoint": "a@b.cc", "SubscriptionArn": "PendingConfirmation"}]}
    sns = Mock()
    sns.get_paginator.return_value.paginate.return_value = [listed]
    topics = Topics(sns, key_arn="k", arn_prefix="arn:", may_mail=lambda *_: True)
    topics.subscribe("arn", "c@d.ee", organization="o1")
    sns.unsubscribe.assert_not_called()
    assert sns.subscribe.call_args.kwargs["Endpoint"] == "c@d.ee"
    assert not topics.confirmed("arn", "a@b.cc")


def test_a_subscription_that_was_removed_does_not_count_as_wanted() -> None:
    """SNS lists it for three days: a change from one address to another and back within them subscribes anew."""
    listed = {
        "Subscriptions": [
            {"Endpoint": "a@b.cc", "SubscriptionArn": "Deleted"},
            {"Endpoint": "c@d.ee", "SubscriptionArn": "arn:aws:sns:us-east-1:123456789012:t:1"},
        ]
    }
    sns = Mock()
    sns.get_paginator.return_value.paginate.return_value = [listed]
    topics = Topics(sns, key_arn="k", arn_prefix="arn:", may_mail=lambda *_: True)
    topics.subscribe("arn", "a@b.cc", organization="o1")
    assert sns.unsubscribe.call_args.kwargs["SubscriptionArn"].endswith(":t:1")
    assert sns.subscribe.call_args.kwargs["Endpoint"] == "a@b.cc"
    assert not topics.confirmed("arn", "a@b.cc")
    listed["Subscriptions"].insert(0, {"Endpoint": "a@b.cc", "SubscriptionArn": "PendingConfirmation"})
    sns.subscribe.reset_mock()
    topics.subscribe("arn", "a@b.cc", organization="o1")
    sns.subscribe.assert_not_called()


def test_an_address_that_may_get_no_more_mail_is_not_subscribed() -> None:
    """Only a mail that would be sent is counted: an address that is subscribed already needs none."""
    sns = client("sns")
    asked: list[tuple[str, str]] = []

    def may_mail(email: str, organization: str) -> bool:
        asked.append((email, organization))
        return len(asked) == 1

    topics = Topics(sns, key_arn="k", arn_prefix="arn:aws:sns:us-east-1:123456789012:", may_mail=may_mail)
    arn = topics.ensure("t", OURS)
    assert [topics.subscribe(arn, email, organization="o1") for email in ("a@b.cc", "a@b.cc", "c@d.ee")] == [
        True,
        True,
        False,
    ]
    assert asked == [("a@b.cc", "o1"), ("c@d.ee", "o1")]
    [left] = sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"]
    assert left["Endpoint"] == "a@b.cc"  # better the former address than nobody


def test_a_pending_address_is_asked_again_as_often_as_it_may_get_mails() -> None:
    """SNS mails it at each Subscribe; the state of its subscription does not matter."""
    sns, left = Mock(), [True, True, False]
    topics = Topics(sns, key_arn="k", arn_prefix="arn:", may_mail=lambda *who: who == ("a@b.cc", "") and left.pop(0))
    assert [topics.ask_again("arn", "a@b.cc") for _ in range(3)] == [True, True, False]
    assert [call.kwargs["Endpoint"] for call in sns.subscribe.call_args_list] == ["a@b.cc"] * 2


# -- Route 53 ------------------------------------------------------------------------------------------------------


def records(domain: str, mail_from: str = "") -> Any:
    return required_records(
        domain,
        dkim=Dkim(tokens=("t1", "t2"), zone="dkim.amazonses.com"),
        dmarc=Dmarc(policy="reject", aggregate=["x" * 60 + f"{n}@agency.gov" for n in range(5)]),
        mail_from=mail_from,
        region="us-east-1",
    )


def test_a_domains_records_are_made_changed_and_removed() -> None:
    """Nothing else in the zone is touched; long texts are cut into strings of 255."""
    route53 = client("route53")
    zone_id = route53.create_hosted_zone(Name="mail.example.net", CallerReference="x")["HostedZone"]["Id"]
    zone = HostedZone(lambda: route53, zone_id=zone_id)
    domain, other = "ses-1.mail.example.net", "ses-2.mail.example.net"
    for _ in range(2):
        zone.upsert(records(domain, f"bounce.{domain}"))
        zone.upsert(records(other))

    def there(name: str) -> set[tuple[str, str]]:
        found = route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
        return {(r["Name"].rstrip("."), r["Type"]) for r in found if r["Name"].rstrip(".").endswith(name)}

    assert len(there(domain)) == 5
    dmarc = [
        record["ResourceRecords"][0]["Value"]
        for record in route53.list_resource_record_sets(HostedZoneId=zone_id)["ResourceRecordSets"]
        if record["Name"].startswith(f"_dmarc.{domain}")
    ]
    assert max(len(part) for part in dmarc[0].split('" "')) <= 257
    zone.remove(domain, keep=records(domain))
    assert len(there(domain)) == 3
    for _ in range(2):
        zone.remove(domain)
    assert there(domain) == set()
    assert len(there(other)) == 4


# -- KMS -----------------------------------------------------------------------------------------------------------


def test_a_bindings_secret_opens_for_that_binding_alone() -> None:
    """The encryption context holds its id and its purpose."""
    kms = client("kms")
    secret_encryption = BindingSecretEncryption(kms, kms.create_key()["KeyMetadata"]["Arn"])
    secret = BindingSecret(access_key_id="AKIA", secret_access_key="s", webhook_secret="w", webhook_userinfo="u:p")
    ciphertext = secret_encryption.encrypt("b1", secret)
    assert secret_encryption.decrypt("b1", ciphertext) == secret
    assert b"AKIA" not in ciphertext
    with pytest.raises(DecryptionFailed):
        secret_encryption.decrypt("b2", ciphertext)


# -- SQS -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("delay", "seconds"), [(0, 0), (2.4, 2), (-3, 0), (5000, 900)])
def test_a_turn_is_sent_with_a_delay_that_sqs_takes(delay: float, seconds: int) -> None:
    """15 minutes at most."""
    sqs = Mock()
    message = OperationTask(instance_id="i1", operation_id="op")
    OperationsQueue(sqs, "url").send(message, delay=delay)
    sent = sqs.send_message.call_args.kwargs
    assert sent["DelaySeconds"] == seconds
    assert decode(sent["MessageBody"]) == message


# -- Secrets Manager -----------------------------------------------------------------------------------------------


def stored(secret: dict[str, str]) -> Any:
    secrets = client("secretsmanager")
    try:
        secrets.create_secret(Name="c", SecretString=json.dumps(secret))
    except secrets.exceptions.ResourceExistsException:
        secrets.put_secret_value(SecretId="c", SecretString=json.dumps(secret))
    return secrets


def test_current_and_previous_passwords_are_taken_and_no_others() -> None:
    """Also not parts of them, or one's name with the other's password."""
    secrets = stored({"username": "b", "password": "new", "previous_password": "old", "previous_username": "a"})
    credentials = Credentials(secrets, "c")
    for pair, good in {
        ("b", "new"): True,
        ("a", "old"): True,
        ("a", "new"): False,
        ("b", "old"): False,
        ("", ""): False,
        ("b", "ne"): False,
        ("b", "new\udcff"): False,
    }.items():
        assert credentials.accept(*pair, now=NOW) is good


def test_without_a_previous_one_the_empty_password_is_wrong() -> None:
    """A missing part is never a wildcard."""
    credentials = Credentials(stored({"username": "b", "password": "new"}), "c")
    assert not credentials.accept("b", "", now=NOW)
    assert credentials.accept("b", "new", now=NOW)


def test_a_rotation_needs_no_restart() -> None:
    """A new password is looked up when it is first used, an old one forgotten in time, and guessing costs no reads."""
    credentials = Credentials(stored({"username": "b", "password": "one"}), "c")
    assert credentials.accept("b", "one", now=NOW)
    stored({"username": "b", "password": "two", "previous_password": "one"})
    assert credentials.accept("b", "one", now=NOW + timedelta(seconds=1))
    assert credentials.accept("b", "two", now=NOW + timedelta(seconds=2))
    stored({"username": "b", "password": "two"})
    assert not credentials.accept("b", "one", now=NOW + timedelta(seconds=2) + KEPT_FOR)


def test_a_new_password_works_at_once_also_after_wrong_ones() -> None:
    """An operator's typing error must not lock the platform out for a while."""
    credentials = Credentials(stored({"username": "b", "password": "one"}), "c")
    assert credentials.accept("b", "one", now=NOW)
    for _ in range(MAX_EXTRA_READS - 1):
        assert not credentials.accept("b", "typo", now=NOW)
    stored({"username": "b", "password": "two", "previous_password": "one"})
    assert credentials.accept("b", "two", now=NOW)


def test_guessing_costs_a_read_every_ten_seconds() -> None:
    """After a few that are read at once; the right password is accepted all the while."""
    secrets = stored({"username": "b", "password": "one"})
    reads: list[str] = []
    secrets.meta.events.register("before-call.secretsmanager.GetSecretValue", lambda **_: reads.append("read"))
    credentials = Credentials(secrets, "c")
    for second in range(100):
        assert not credentials.accept("b", f"guess {second}", now=NOW + timedelta(milliseconds=100 * second))
        assert credentials.accept("b", "one", now=NOW + timedelta(milliseconds=100 * second))
    assert len(reads) <= 1 + MAX_EXTRA_READS + 1
