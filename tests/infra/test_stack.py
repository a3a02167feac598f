"""What the stack promises, read from its template."""

import json
import re
from typing import Any

import pytest

from infra.bundle import ROOT
from lambdas.domain.tenants import aws_names
from tests.infra.synthesis import REGIONS, Synthesis, as_list, logical_ids, statements, synthesise, text

pytestmark = pytest.mark.xdist_group("infra")

FOURTEEN_DAYS = 14 * 24 * 3600


@pytest.fixture(scope="module")
def stack() -> Synthesis:
    """The stack as production gets it."""
    return synthesise()


@pytest.mark.parametrize("region", REGIONS)
def test_no_arn_is_written_with_a_literal_partition_region_or_account(region: str) -> None:
    """What is deployed to GovCloud must not speak of `arn:aws:`, nor of a region."""
    written = json.dumps(synthesise(region).template)
    assert re.findall(r"arn:aws[a-z-]*:", written) == []
    assert re.findall(r":\d{12}:", written) == []
    assert region not in written


def test_the_topic_admits_only_our_configuration_sets(stack: Synthesis) -> None:
    """SES may publish for sets with our prefix in this account; nobody else may, and nobody without TLS."""
    topic = stack.output("EventTopicArn")["Ref"]
    (policy,) = [one for one in stack.properties("AWS::SNS::TopicPolicy") if one["Topics"] == [{"Ref": topic}]]
    allowed = [one for one in statements(policy["PolicyDocument"]) if one.effect == "Allow"]
    (ses,) = allowed
    assert ses.principals == ("ses.amazonaws.com",)
    assert ses.actions == ("sns:Publish",)
    assert ses.context("StringEquals", "AWS:SourceAccount") == ["${AWS::AccountId}"]
    assert ses.context("ArnLike", "AWS:SourceArn") == [
        "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:configuration-set/" + aws_names.PREFIX + "*"
    ]


def test_every_queue_and_topic_refuses_what_is_not_encrypted_on_the_way(stack: Synthesis) -> None:
    """aws:SecureTransport false is denied to everyone."""
    queues = {json.dumps({"Ref": name}) for name in stack.resources("AWS::SQS::Queue")}
    topics = {json.dumps({"Ref": name}) for name in stack.resources("AWS::SNS::Topic")}
    for kind, property_name, all_of in (("SQS::Queue", "Queues", queues), ("SNS::Topic", "Topics", topics)):
        denying = {
            json.dumps(one)
            for policy in stack.properties(f"AWS::{kind}Policy")
            if any(
                found.effect == "Deny" and found.context("Bool", "aws:SecureTransport") == ["false"]
                for found in statements(policy["PolicyDocument"])
            )
            for one in policy[property_name]
        }
        assert denying == all_of


def test_every_queue_keeps_messages_fourteen_days_encrypted_with_our_key(stack: Synthesis) -> None:
    """A weekend and a holiday pass before anything is lost."""
    queues = stack.properties("AWS::SQS::Queue")
    assert {queue["MessageRetentionPeriod"] for queue in queues} == {FOURTEEN_DAYS}
    assert {json.dumps(queue["KmsMasterKeyId"]) for queue in queues} == {json.dumps(_key_arn(stack))}


def test_every_working_queue_ends_in_a_watched_dead_letter_queue(stack: Synthesis) -> None:
    """Depth and age of every dead-letter queue alarm to the operator topic, and say when it is over."""
    queues = logical_ids(stack, "Queues")
    for name in ("events", "deliveries", "slow_deliveries", "operations"):
        redrive = stack.resources("AWS::SQS::Queue")[queues[name]]["Properties"]["RedrivePolicy"]
        assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": [queues[f"{name}_dlq"], "Arn"]}
    for name in (
        "events_dlq",
        "subscription_dlq",
        "deliveries_dlq",
        "slow_deliveries_dlq",
        "operations_dlq",
        "reputation_dlq",
    ):
        assert _alarmed_metrics(stack, queues[name]) >= {
            "ApproximateNumberOfMessagesVisible",
            "ApproximateAgeOfOldestMessage",
        }


def test_every_alarm_tells_the_operator_when_it_begins(stack: Synthesis) -> None:
    """An alarm without an action is a decoration. An OK action would also run for each alarm of a first deployment."""
    topic = [stack.output("OperatorTopicArn")]
    for alarm in stack.properties("AWS::CloudWatch::Alarm"):
        assert alarm["AlarmActions"] == topic
        assert "OKActions" not in alarm
        assert len(alarm["AlarmDescription"]) > 20
        assert '"' not in alarm["AlarmDescription"], "it becomes part of a JSON string when the alarm is over"


def test_the_operator_is_told_when_an_alarm_of_this_stack_is_over(stack: Synthesis) -> None:
    """Only after it had been in ALARM: a new alarm goes from INSUFFICIENT_DATA to OK by itself."""
    (rule_id,) = (name for name, one in stack.resources("AWS::Events::Rule").items() if "Recoveries" in name)
    rule = stack.resources("AWS::Events::Rule")[rule_id]["Properties"]
    pattern = rule["EventPattern"]
    assert pattern["detail"] == {"previousState": {"value": ["ALARM"]}, "state": {"value": ["OK"]}}
    assert (pattern["source"], pattern["detail-type"]) == (["aws.cloudwatch"], ["CloudWatch Alarm State Change"])
    (ours,) = pattern["resources"]
    alarms = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:"
    assert text(ours["prefix"]) == alarms + "${AWS::StackName}-"
    operator = stack.output("OperatorTopicArn")
    assert [target["Arn"] for target in rule["Targets"]] == [operator]
    (policy,) = [one for one in stack.properties("AWS::SNS::TopicPolicy") if one["Topics"] == [operator]]
    (admitted,) = [one for one in statements(policy["PolicyDocument"]) if one.principals == ("events.amazonaws.com",)]
    assert admitted.actions == ("sns:Publish",)
    assert admitted.context("ArnEquals", "aws:SourceArn") == [f"${{{rule_id}.Arn}}"]


def test_every_alarm_on_a_metric_of_ours_watches_one_that_is_counted(stack: Synthesis) -> None:
    """A metric renamed in the code alone would leave an alarm that never fires."""
    ours = [one for one in stack.properties("AWS::CloudWatch::Alarm") if one.get("Namespace") == "SesFeedback"]
    assert ours
    for alarm in ours:
        (dimension,) = alarm["Dimensions"]
        assert dimension["Name"] == "service"
        sources = "".join(path.read_text() for path in (ROOT / "lambdas" / dimension["Value"]).rglob("*.py"))
        assert f'"{alarm["MetricName"]}"' in sources


def test_the_subscription_is_raw_and_loses_nothing(stack: Synthesis) -> None:
    """SNS gives up after 23 days of trying: then the event waits in a queue of its own."""
    (subscription,) = [one for one in stack.properties("AWS::SNS::Subscription") if one["Protocol"] == "sqs"]
    queues = logical_ids(stack, "Queues")
    assert subscription["RawMessageDelivery"] is True
    assert subscription["Endpoint"] == {"Fn::GetAtt": [queues["events"], "Arn"]}
    assert subscription["RedrivePolicy"] == {"deadLetterTargetArn": {"Fn::GetAtt": [queues["subscription_dlq"], "Arn"]}}


def test_a_message_stays_hidden_six_times_as_long_as_its_function_may_run(stack: Synthesis) -> None:
    """AWS's advice; less, and a throttled poller receives a message that is still being worked on."""
    queues, functions = logical_ids(stack, "Queues"), logical_ids(stack, "Functions")
    for queue, function in (
        ("events", "feedback"),
        ("deliveries", "delivery"),
        ("slow_deliveries", "delivery"),
        ("operations", "worker"),
    ):
        visibility = stack.resources("AWS::SQS::Queue")[queues[queue]]["Properties"]["VisibilityTimeout"]
        timeout = stack.resources("AWS::Lambda::Function")[functions[function]]["Properties"]["Timeout"]
        assert visibility >= 6 * timeout


def test_batches_answer_for_each_message_and_run_a_bounded_number_at_a_time(stack: Synthesis) -> None:
    """One bad message does not bring back its neighbours."""
    sources = stack.properties("AWS::Lambda::EventSourceMapping")
    assert len(sources) == 5
    assert all(source["FunctionResponseTypes"] == ["ReportBatchItemFailures"] for source in sources)
    from_queues = [source for source in sources if "StartingPosition" not in source]
    assert all(2 <= source["ScalingConfig"]["MaximumConcurrency"] <= 1000 for source in from_queues)


def test_reputation_follows_bounce_and_complaint_counters_alone_and_no_record_stops_it(stack: Synthesis) -> None:
    """Deliveries are most of the writes and wake nobody; a record that keeps failing is set aside."""
    (source,) = [one for one in stack.properties("AWS::Lambda::EventSourceMapping") if "StartingPosition" in one]
    counters, _handed_over = source["FilterCriteria"]["Filters"]  # what wakes it: tests/infra/test_reputation.py
    assert json.loads(counters["Pattern"])["dynamodb"] == {"Keys": {"item": {"S": [{"prefix": "feedback#"}]}}}
    assert source["BisectBatchOnFunctionError"] is True
    assert 0 < source["MaximumRecordAgeInSeconds"] <= 24 * 3600
    failures = logical_ids(stack, "Queues")["reputation_dlq"]
    assert source["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": [failures, "Arn"]}


def test_every_function_is_arm64_python_3_13_with_a_role_of_its_own_and_logs_that_end(stack: Synthesis) -> None:
    """A shared role would give each function what any of them needs."""
    functions = stack.resources("AWS::Lambda::Function")
    assert set(functions) == set(logical_ids(stack, "Functions").values())
    assert {(one["Properties"]["Runtime"], *one["Properties"]["Architectures"]) for one in functions.values()} == {
        ("python3.13", "arm64")
    }
    assert len({json.dumps(one["Properties"]["Role"]) for one in functions.values()}) == len(functions)
    groups = stack.resources("AWS::Logs::LogGroup")
    for function in functions.values():
        group = groups[function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]]["Properties"]
        assert group["RetentionInDays"] == 90
        assert group["KmsKeyId"] == _key_arn(stack)


def test_tables_are_on_demand_restorable_and_encrypted_with_our_key(stack: Synthesis) -> None:
    """Five tables, whose items end by themselves."""
    tables = stack.properties("AWS::DynamoDB::Table")
    assert len(tables) == 5
    for table in tables:
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        assert table["SSESpecification"] == {
            "SSEEnabled": True,
            "SSEType": "KMS",
            "KMSMasterKeyId": _key_arn(stack),
        }
        assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}


def test_production_keeps_data(stack: Synthesis) -> None:
    """Deleting the stack leaves tables, queues, key, secret and logs; a table refuses to be deleted."""
    for kind in ("DynamoDB::Table", "SQS::Queue", "KMS::Key", "SecretsManager::Secret", "Logs::LogGroup"):
        found = stack.resources(f"AWS::{kind}").values()
        assert {one["DeletionPolicy"] for one in found} == {"RetainExceptOnCreate"}, kind
        assert {one["UpdateReplacePolicy"] for one in found} == {"Retain"}, kind


def test_a_first_deployment_that_failed_can_be_repeated(stack: Synthesis) -> None:
    """The CDK CLI protects the stack before it creates anything, and deletes a failed creation before the next one.

    So nothing may be protected yet, and nothing may outlive the rollback: a table under deletion protection would stop
    it, a retained key or queue would be orphaned.
    """
    assert not stack.terminates_protected
    assert not any(table.get("DeletionProtectionEnabled") for table in stack.properties("AWS::DynamoDB::Table"))
    kept = [name for name, one in stack.template["Resources"].items() if one.get("DeletionPolicy") == "Retain"]
    assert kept == []


def test_a_stack_that_stands_is_protected_when_the_operator_says_so() -> None:
    """Stack and tables refuse to be deleted; the CDK CLI sets the stack's protection on every deployment."""
    protected = synthesise(protect="true")
    assert protected.terminates_protected
    assert all(table["DeletionProtectionEnabled"] for table in protected.properties("AWS::DynamoDB::Table"))


def test_an_unprotected_production_stack_says_so_at_every_deployment(stack: Synthesis) -> None:
    """The CDK CLI prints it; it is gone once the stack is protected, and a trial stack needs none."""
    assert any("set the context key protect to true" in note for note in stack.notes)
    assert not synthesise(protect="true").notes
    assert not synthesise(production="false").notes


def test_a_trial_stack_leaves_nothing_behind() -> None:
    """production=false is for the embedded AWS and for trying out."""
    trial = synthesise(production="false")
    kept = [
        name for name, one in trial.template["Resources"].items() if one.get("DeletionPolicy", "").startswith("Retain")
    ]
    assert kept == []
    assert not any(table.get("DeletionProtectionEnabled") for table in trial.properties("AWS::DynamoDB::Table"))


def test_the_key_admits_the_services_that_publish_and_the_account_s_own_logs(stack: Synthesis) -> None:
    """alias/aws/sns would admit neither SES nor alarms; the key rotates."""
    (key,) = stack.properties("AWS::KMS::Key")
    assert key["EnableKeyRotation"] is True
    allowed = {principal: one for one in statements(key["KeyPolicy"]) for principal in one.principals}
    for service in ("ses", "sns", "cloudwatch", "events"):
        assert set(allowed[f"{service}.amazonaws.com"].actions) == {"kms:GenerateDataKey*", "kms:Decrypt"}
    logs = allowed["logs.${AWS::Region}.amazonaws.com"]
    assert logs.context("ArnLike", "kms:EncryptionContext:aws:logs:arn") == [
        "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:*"
    ]


def test_the_broker_is_reached_over_a_throttled_and_logged_api(stack: Synthesis) -> None:
    """Whatever the path, the function answers, after it has judged Basic auth."""
    (stage,) = stack.properties("AWS::ApiGatewayV2::Stage")
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 20
    assert "DestinationArn" in stage["AccessLogSettings"]
    assert "authorization" not in stage["AccessLogSettings"]["Format"].lower()
    assert [route["RouteKey"] for route in stack.properties("AWS::ApiGatewayV2::Route")] == ["$default"]


def test_the_brokers_password_is_made_at_deploy_and_stands_nowhere(stack: Synthesis) -> None:
    """Made by Secrets Manager, encrypted with our key, fit for a command line."""
    (secret,) = stack.properties("AWS::SecretsManager::Secret")
    assert secret["KmsKeyId"] == _key_arn(stack)
    made = secret["GenerateSecretString"]
    assert json.loads(made["SecretStringTemplate"]) == {"username": "broker"}
    assert (made["GenerateStringKey"], made["ExcludePunctuation"]) == ("password", True)
    assert made["PasswordLength"] >= 32


def test_the_boundary_lets_a_tenants_key_send_and_nothing_else(stack: Synthesis) -> None:
    """Whatever policy the broker were tricked into writing, this is the most a user can do."""
    (boundary,) = stack.properties("AWS::IAM::ManagedPolicy")
    (only,) = statements(boundary["PolicyDocument"])
    assert only.effect == "Allow"
    assert set(only.actions) == {"ses:SendEmail", "ses:SendRawEmail"}
    assert all(":ses:" in resource for resource in only.resources)


def test_delivery_goes_into_the_operators_subnets_when_told() -> None:
    """The delivery function alone; the others talk to AWS only."""
    stack = synthesise(delivery_subnet_ids="subnet-0123456a,subnet-0123456b", delivery_security_group_ids="sg-0123456a")
    attached = {
        name: one["Properties"]["VpcConfig"]
        for name, one in stack.resources("AWS::Lambda::Function").items()
        if "VpcConfig" in one["Properties"]
    }
    assert attached == {
        logical_ids(stack, "Functions")["delivery"]: {
            "SubnetIds": ["subnet-0123456a", "subnet-0123456b"],
            "SecurityGroupIds": ["sg-0123456a"],
        }
    }


def test_every_function_decides_by_its_own_region_whether_to_use_fips(stack: Synthesis) -> None:
    """The choice travels, not its outcome: a pipeline that synthesises need not know where it is deployed to."""
    functions = logical_ids(stack, "Functions")
    assert {_environment(stack, name)["FIPS"] for name in functions} == {"auto"}
    assert {_environment(synthesise(fips="on"), name)["FIPS"] for name in functions} == {"on"}


def test_every_function_counts_in_the_namespace_that_the_alarms_watch(stack: Synthesis) -> None:
    """Metrics of another namespace, or of none, would leave alarms that never fire."""
    watched = {one["Namespace"] for one in stack.properties("AWS::CloudWatch::Alarm")} - {"AWS/Lambda", "AWS/SQS"}
    counted = {_environment(stack, name)["POWERTOOLS_METRICS_NAMESPACE"] for name in logical_ids(stack, "Functions")}
    assert watched == counted == {"SesFeedback"}


def test_throttling_alone_takes_no_message_to_a_dead_letter_queue_within_a_day(stack: Synthesis) -> None:
    """A batch that Lambda throttles counts as received and comes back after the visibility timeout."""
    working = [queue for queue in stack.properties("AWS::SQS::Queue") if "RedrivePolicy" in queue]
    assert len(working) >= 4
    for queue in working:
        assert queue["RedrivePolicy"]["maxReceiveCount"] * queue["VisibilityTimeout"] >= 24 * 3600
        assert queue["RedrivePolicy"]["maxReceiveCount"] <= 1000  # SQS's own bound
    (stream,) = [one for one in stack.properties("AWS::Lambda::EventSourceMapping") if "StartingPosition" in one]
    assert stream["MaximumRecordAgeInSeconds"] >= 24 * 3600


def test_an_account_with_ten_concurrent_runs_keeps_some_for_the_broker() -> None:
    """The keys that docs/operators.md gives such an account leave two for the API, the stream and the schedules.

    AWS's least maximum is 2 for a queue.
    """
    documented = (ROOT / "docs" / "operators.md").read_text()
    keys = dict(re.findall(r"-c (\w+_concurrency)=(\d+)", documented))
    stack = synthesise(**keys)
    sources = stack.properties("AWS::Lambda::EventSourceMapping")
    most = [one["ScalingConfig"]["MaximumConcurrency"] for one in sources if "ScalingConfig" in one]
    assert len(keys) == len(most) == 4
    assert sum(most) <= 10 - 2


def test_what_the_operator_sets_reaches_the_functions() -> None:
    """Context keys arrive in the environment that the functions read their settings from."""
    stack = synthesise(
        allowed_cidrs="10.0.0.0/8,192.168.0.0/16",
        retry_seconds="1,2,3",
        zone_name="mail.example.gov",
        zone_id="Z0123456789ABC",
        dmarc_policy="reject",
        pause_bounce_rate="0.05",
    )
    assert _environment(stack, "delivery")["ALLOWED_CIDRS"] == "10.0.0.0/8,192.168.0.0/16"
    assert _environment(stack, "release")["RETRY_SECONDS"] == "1,2,3"
    assert _environment(stack, "worker")["OPERATOR_ZONE"] == "mail.example.gov"
    assert _environment(stack, "broker")["DMARC_POLICY"] == "reject"
    assert _environment(stack, "reputation")["BOUNCE_PAUSE"] == "0.05"


def _environment(stack: Synthesis, function: str) -> dict[str, Any]:
    found = stack.resources("AWS::Lambda::Function")[logical_ids(stack, "Functions")[function]]
    variables: dict[str, Any] = found["Properties"]["Environment"]["Variables"]
    return variables


def _key_arn(stack: Synthesis) -> dict[str, Any]:
    (name,) = stack.resources("AWS::KMS::Key")
    return {"Fn::GetAtt": [name, "Arn"]}


def _alarmed_metrics(stack: Synthesis, queue: str) -> set[str]:
    named = {"Fn::GetAtt": [queue, "QueueName"]}
    return {
        alarm["MetricName"]
        for alarm in stack.properties("AWS::CloudWatch::Alarm")
        if any(dimension["Value"] == named for dimension in as_list(alarm.get("Dimensions", [])))
    }


def test_references_are_written_out_for_reading() -> None:
    """The helper these tests lean on."""
    joined = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":x:", {"Fn::GetAtt": ["Key", "Arn"]}]]}
    assert text(joined) == "arn:${AWS::Partition}:x:${Key.Arn}"
