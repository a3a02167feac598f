"""What each check of the doctor says of an account that is not well."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from lambdas.aws.dynamodb.attribute_values import to_item
from ops.doctor import deployment, quotas, sending, signals
from ops.doctor.findings import Check, Level, run
from tests.aws.tables import dynamodb_with
from tests.ops.doctor.fakes import NOON, STACK, FakeAccount, refused


def found(check: Check, account: FakeAccount) -> list[tuple[Level, str]]:
    """Level and text of each finding."""
    return [(finding.level, finding.text) for finding in run(check, account)]


def test_a_call_that_is_not_allowed_becomes_a_warning_that_names_it() -> None:
    """So that one missing right hides no other finding."""
    account = FakeAccount(answers={"sesv2": {"get_account": refused("AccessDenied", "GetAccount")}})
    (finding,) = run(sending.sending, account)
    assert finding.level is Level.WARNING
    assert finding.text == "GetAccount answered AccessDenied: AccessDenied message"


@pytest.mark.parametrize(("date", "level"), [("11:59:58", Level.OK), ("11:54:00", Level.PROBLEM)])
def test_a_clock_that_is_minutes_off_is_a_problem(date: str, level: Level) -> None:
    """AWS refuses signatures, receivers refuse webhooks."""
    headers = {"date": f"Sat, 21 Nov 2026 {date} GMT"}
    identity = {
        "Arn": "arn:aws-us-gov:iam::111122223333:user/u",
        "Account": "111122223333",
        "ResponseMetadata": {"HTTPHeaders": headers},
    }
    account = FakeAccount(answers={"sts": {"get_caller_identity": identity}})
    first, clock = found(deployment.credentials, account)
    assert first == (Level.OK, "account 111122223333, partition aws-us-gov, region us-gov-west-1")
    assert clock[0] is level


@pytest.mark.parametrize(
    ("answer", "level"),
    [
        (refused("ParameterNotFound"), Level.PROBLEM),
        ({"Parameter": {"Value": "5"}}, Level.PROBLEM),
        ({"Parameter": {"Value": "21"}}, Level.OK),
    ],
)
def test_an_account_without_bootstrap_is_a_problem(answer: Any, level: Level) -> None:
    """Nothing can be deployed there."""
    account = FakeAccount(answers={"ssm": {"get_parameter": answer}})
    assert [finding[0] for finding in found(deployment.bootstrap, account)] == [level]


@pytest.mark.parametrize(("quota", "level"), [(10, Level.WARNING), (1000, Level.OK)])
def test_a_new_accounts_concurrency_is_a_warning_before_the_deployment(quota: int, level: Level) -> None:
    """Against what the context asks for."""
    limits = {"AccountLimit": {"ConcurrentExecutions": quota}}
    account = FakeAccount(stack=None, answers={"lambda": {"get_account_settings": limits}})
    ((actual, text),) = found(deployment.concurrency, account)
    assert actual is level
    assert f"{quota} concurrent executions, the event sources may use 42" in text


def test_a_disabled_event_source_is_a_problem_with_the_command_that_enables_it() -> None:
    """The pipeline stands still."""
    mapping = {
        "UUID": "u1",
        "State": "Disabled",
        "FunctionArn": "arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:f",
        "EventSourceArn": "arn:aws-us-gov:sqs:us-gov-west-1:111122223333:deliveries",
    }
    answers = {"lambda": {"list_event_source_mappings": {"EventSourceMappings": [mapping]}}}
    (finding,) = run(deployment.event_sources, FakeAccount(answers=answers))
    assert finding.level is Level.PROBLEM
    assert finding.remedy == "aws lambda update-event-source-mapping --enabled --uuid u1"


@pytest.mark.parametrize(
    ("state", "level"),
    [("CREATE_COMPLETE", Level.OK), ("ROLLBACK_COMPLETE", Level.PROBLEM), ("UPDATE_FAILED", Level.PROBLEM)],
)
def test_a_failed_stack_is_a_problem(state: str, level: Level) -> None:
    """And drift that was never looked for a warning."""
    stacks = {"Stacks": [{"StackStatus": state}]}
    account = FakeAccount(answers={"cloudformation": {"describe_stacks": stacks}})
    levels = [finding[0] for finding in found(deployment.stack, account)]
    assert levels == [level, Level.WARNING]


@pytest.mark.parametrize(("state", "level"), [("Enabled", Level.OK), ("PendingDeletion", Level.PROBLEM)])
def test_a_key_that_cannot_be_used_is_a_problem(state: str, level: Level) -> None:
    """Nothing can be read or sent."""
    account = FakeAccount(answers={"kms": {"describe_key": {"KeyMetadata": {"KeyState": state}}}})
    assert [finding[0] for finding in found(deployment.key, account)] == [level]


def test_an_old_password_is_a_warning() -> None:
    """With the command that rotates it."""
    described = {"LastChangedDate": NOON - timedelta(days=400)}
    account = FakeAccount(answers={"secretsmanager": {"describe_secret": described}})
    (finding,) = run(deployment.secrets, account)
    assert (finding.level, finding.remedy) == (Level.WARNING, "python -m ops broker rotate")


def test_logs_that_never_end_are_named() -> None:
    """They cost money for ever."""
    groups = {
        "logGroups": [{"logGroupName": "ses-feedback-A", "retentionInDays": 90}, {"logGroupName": "ses-feedback-B"}]
    }
    account = FakeAccount(answers={"logs": {"describe_log_groups": groups}})
    assert found(deployment.logs, account) == [(Level.WARNING, "kept for ever: ses-feedback-B")]


@pytest.mark.parametrize(
    ("answer", "levels"),
    [
        ({"ProductionAccessEnabled": False}, [Level.PROBLEM, Level.OK, Level.WARNING]),
        (
            {"ProductionAccessEnabled": True, "EnforcementStatus": "PROBATION", "SendQuota": {"Max24HourSend": 100.0}},
            [Level.OK, Level.WARNING, Level.OK],
        ),
        (
            {
                "ProductionAccessEnabled": True,
                "EnforcementStatus": "SHUTDOWN",
                "SendQuota": {"Max24HourSend": 100.0, "SentLast24Hours": 81.0},
            },
            [Level.OK, Level.PROBLEM, Level.WARNING],
        ),
        ({"ProductionAccessEnabled": True, "SendQuota": {"Max24HourSend": -1.0}}, [Level.OK, Level.OK, Level.OK]),
    ],
)
def test_the_account_as_ses_sees_it(answer: dict[str, Any], levels: list[Level]) -> None:
    """Sandbox, enforcement, quota."""
    account = FakeAccount(answers={"sesv2": {"get_account": answer}})
    assert [finding[0] for finding in found(sending.sending, account)] == levels


@pytest.mark.parametrize(("rate", "level"), [(0.01, Level.OK), (0.03, Level.WARNING), (0.06, Level.PROBLEM)])
def test_the_accounts_bounce_rate_is_held_against_what_aws_judges_by(rate: float, level: Level) -> None:
    """The latest hour counts."""
    points = [{"Timestamp": NOON - timedelta(hours=5), "Maximum": 0.5}, {"Timestamp": NOON, "Maximum": rate}]
    answers = {"cloudwatch": {"get_metric_statistics": [{"Datapoints": points}, {"Datapoints": []}]}}
    assert [finding[0] for finding in found(sending.account_rates, FakeAccount(answers=answers))] == [level, Level.OK]


@pytest.mark.parametrize(
    ("used", "recent", "level", "end"),
    [
        (10, 0, Level.OK, "10 of 5000 IAM users"),
        (4900, 0, Level.WARNING, "4900 of 5000 IAM users"),
        (5000, 0, Level.PROBLEM, "5000 of 5000 IAM users"),
        (3500, 1500, Level.WARNING, "3500 of 5000 IAM users, full in 30 days at the growth of the last 30"),
        (1000, 30, Level.OK, "1000 of 5000 IAM users, full in 4000 days at the growth of the last 30"),
    ],
)
def test_a_quota_is_seen_coming(used: int, recent: int, level: Level, end: str) -> None:
    """By its share, and by the days until it is full."""
    usage = quotas.Usage(resource="IAM users", used=used, quota=5000, recent=recent)
    finding = quotas.finding(usage)
    assert (finding.level, finding.text) == (level, end)


def test_every_quota_is_counted_over_all_pages() -> None:
    """Users by creation, SES's lists by their token, endpoints only with a VPC."""
    users = [{"CreateDate": NOON - timedelta(days=days)} for days in (1, 29, 31)]
    endpoints = [{"CreationTimestamp": NOON}]
    answers: dict[str, Any] = {
        "iam": {
            "get_account_summary": {"SummaryMap": {"Users": 12, "UsersQuota": 5000}},
            "list_users": {"Users": users},
        },
        "sesv2": {
            "list_configuration_sets": [
                {"ConfigurationSets": ["a", "b"], "NextToken": "t"},
                {"ConfigurationSets": ["c"]},
            ],
            "list_email_identities": {"EmailIdentities": [{}]},
        },
        "sns": {"list_topics": {"Topics": [{}, {}]}},
        "ec2": {"describe_vpc_endpoints": {"VpcEndpoints": endpoints}},
        "service-quotas": {"get_service_quota": [refused("AccessDenied"), {"Quota": {"Value": 200.0}}]},
    }
    account = FakeAccount(stack=None, context={"privatelink_vpc_id": "vpc-1"}, answers=answers)
    found = {usage.resource: usage.quota for usage in quotas.usages(account)}
    assert (found["SNS topics"], found["interface endpoints"]) == (100_000, 200)
    answers["sesv2"]["list_configuration_sets"] = [
        {"ConfigurationSets": ["a", "b"], "NextToken": "t"},
        {"ConfigurationSets": ["c"]},
    ]
    answers["service-quotas"]["get_service_quota"] = refused("NoSuchResourceException")
    assert [(usage.resource, usage.used, usage.recent) for usage in quotas.usages(account)] == [
        ("IAM users", 12, 2),
        ("configuration sets", 3, None),
        ("SES identities", 1, None),
        ("SNS topics", 2, None),
        ("interface endpoints", 1, 1),
    ]


def test_configuration_sets_identities_and_topics_grow_with_the_instances_of_the_last_30_days() -> None:
    """SES does not say when it made them: the claims on the instances' domains do, without reservations."""
    with dynamodb_with("broker", keys=("pk", "sk")) as client:
        for number, days in enumerate((1, 20, 40)):
            claimed_at = (NOON - timedelta(days=days)).isoformat()
            claim = {"instance_id": f"i{number}", "organization_guid": "o", "claimed_at": claimed_at}
            item = {"pk": "domains", "sk": f"gov.agency.d{number}", **claim}
            client.put_item(TableName="broker", Item=to_item(item))
        reserved = {"pk": "domains", "sk": "gov.agency.x", "organization_guid": "o", "expires_at": 4_000_000_000}
        client.put_item(TableName="broker", Item=to_item(reserved))
        account = FakeAccount(stack=replace(STACK, tables={"broker": "broker"}), answers={"dynamodb": client})
        assert quotas._recent_instances(account) == 2


@pytest.mark.parametrize(
    ("arns", "level"),
    [([], Level.PROBLEM), (["PendingConfirmation"], Level.PROBLEM), (["Deleted", "arn:sub"], Level.OK)],
)
def test_alarms_that_reach_nobody_are_a_problem(arns: list[str], level: Level) -> None:
    """Not subscribed, or not confirmed."""
    subscriptions = {"Subscriptions": [{"SubscriptionArn": arn} for arn in arns]}
    account = FakeAccount(answers={"sns": {"list_subscriptions_by_topic": subscriptions}})
    assert [finding[0] for finding in found(signals.operator_subscription, account)] == [level]


def test_instances_whose_admin_has_not_confirmed_are_named() -> None:
    """Topics of others, and digest topics, are passed over; two lists of the account are read, not one per topic."""
    names = ("i1", "i2", "i3")
    topics = [{"TopicArn": f"arn:sns:ses-feedback-{name}-alerts"} for name in names]
    others = [{"TopicArn": f"arn:sns:{name}"} for name in ("ses-feedback-b-notifications", "x")]
    subscriptions = [
        {"TopicArn": "arn:sns:ses-feedback-i1-alerts", "SubscriptionArn": "PendingConfirmation"},
        {"TopicArn": "arn:sns:ses-feedback-i2-alerts", "SubscriptionArn": "Deleted"},
        {"TopicArn": "arn:sns:ses-feedback-i2-alerts", "SubscriptionArn": "arn:confirmed"},
        {"TopicArn": "arn:sns:x", "SubscriptionArn": "PendingConfirmation"},
    ]
    sns = {"list_topics": {"Topics": [*topics, *others]}, "list_subscriptions": {"Subscriptions": subscriptions}}
    assert found(signals.admin_subscriptions, FakeAccount(answers={"sns": sns})) == [
        (Level.WARNING, "2 instance(s) whose admin_email has not confirmed: i1, i3")
    ]


def test_dead_letters_are_a_problem_and_waiting_work_is_not() -> None:
    """With the command that lists them."""
    attributes = {"ApproximateNumberOfMessages": "3", "ApproximateNumberOfMessagesNotVisible": "1"}
    account = FakeAccount(answers={"sqs": {"get_queue_attributes": {"Attributes": attributes}}})
    working, dead = run(signals.queues, account)
    assert (working.level, working.text) == (Level.OK, "deliveries: 3 waiting, 1 in flight")
    assert (dead.level, dead.remedy) == (Level.PROBLEM, "python -m ops dlq list deliveries_dlq")


@pytest.mark.parametrize(
    ("working", "dead", "expected"),
    [
        ([], [], [(Level.OK, "SQS publishes none: all queues were empty for hours")]),
        ([30.0, 9000.0], [], [(Level.OK, "the oldest message of all queues is 0 min old, in deliveries")]),
        (
            [9000.0],
            [],
            [
                (Level.WARNING, "deliveries: the oldest message waits for 2 h"),
                (Level.OK, "the oldest message of all queues is 2 h old, in deliveries"),
            ],
        ),
        (
            [0.0],
            [4 * 86_400.0],
            [
                (Level.WARNING, "deliveries_dlq: the oldest message is 4 days old and is lost in 10 days"),
                (Level.OK, "the oldest message of all queues is 4 days old, in deliveries_dlq"),
            ],
        ),
        (
            [0.0],
            [11 * 86_400.0],
            [
                (Level.PROBLEM, "deliveries_dlq: the oldest message is 11 days old and is lost in 3 days"),
                (Level.OK, "the oldest message of all queues is 11 days old, in deliveries_dlq"),
            ],
        ),
    ],
)
def test_the_age_of_each_queues_oldest_message_is_held_against_what_it_may_be(
    working: list[float], dead: list[float], expected: list[tuple[Level, str]]
) -> None:
    """The latest value; a dead letter counts the days until it is lost."""
    results = [{"Id": "q0", "Values": working}, {"Id": "q1", "Values": dead}]
    account = FakeAccount(answers={"cloudwatch": {"get_metric_data": {"MetricDataResults": results}}})
    assert found(signals.queue_ages, account) == expected


def test_a_disabled_schedule_is_a_problem_with_the_command_that_enables_it() -> None:
    """Without it parked deliveries are not released."""
    rules = {"Rules": [{"Name": "ses-feedback-Release", "State": "DISABLED"}, {"Name": "b", "State": "ENABLED"}]}
    (finding,) = run(deployment.schedules, FakeAccount(answers={"events": {"list_rules": rules}}))
    assert finding.level is Level.PROBLEM
    assert finding.remedy == "aws events enable-rule --name ses-feedback-Release"


def test_an_alarm_that_fires_is_shown_with_its_own_advice() -> None:
    """The description says what to do."""
    alarm = {"AlarmName": "ses-feedback-X", "StateValue": "ALARM", "AlarmDescription": "Do this."}
    account = FakeAccount(answers={"cloudwatch": {"describe_alarms": {"MetricAlarms": [alarm]}}})
    (finding,) = run(signals.alarms, account)
    assert (finding.level, finding.remedy) == (Level.PROBLEM, "Do this.")
