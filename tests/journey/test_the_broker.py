"""The broker on the embedded AWS: everything real is made, shown and gone again, in order and out of it."""

import re
import uuid
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdas.aws.ses.control_plane import EVENTS
from lambdas.domain.tenants.aws_names import EVENT_DESTINATION, INSTANCE_TAG, configuration_set, tag_value
from local.tenant.receiver import Receiver
from ops.deployment.osb import Broker, BrokerRefused, OperationFailed
from tests.journey.conftest import Stack

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey")]
ADMIN = {"admin_email": "admin@agency.example"}
SMTP = "com.amazonaws.us-east-1.email-smtp"


def inventory(stack: Stack) -> dict[str, set[str]]:
    """All that a broker could orphan, as AWS lists it. An organization without instances keeps an empty item."""
    sesv2, iam, sns, ec2, route53 = map(stack.client, ("sesv2", "iam", "sns", "ec2", "route53"))
    zones = [zone["Id"] for zone in route53.list_hosted_zones()["HostedZones"]]
    records = [
        record["Name"]
        for zone in zones
        for page in route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
        for record in page["ResourceRecordSets"]
    ]
    tables = stack.facts["tables"]
    items = {
        table: [
            "/".join(str(item[key]["S"]) for key in sorted(item) if key in ("pk", "sk", "instance_id", "item"))
            for page in stack.client("dynamodb").get_paginator("scan").paginate(TableName=tables[table])
            for item in page["Items"]
            if "expires_at" not in item and (item.get("pk") != {"S": "organizations"} or "members" in item)
        ]
        for table in ("broker", "webhooks")
    }
    topics = sns.get_paginator("list_topics").paginate()
    endpoints = ec2.describe_vpc_endpoints()["VpcEndpoints"]
    return {
        "sets": set(sesv2.list_configuration_sets().get("ConfigurationSets", [])),
        "identities": {found["IdentityName"] for found in sesv2.list_email_identities()["EmailIdentities"]},
        "users": {user["UserName"] for user in iam.list_users(PathPrefix="/cf/")["Users"]},
        "topics": {topic["TopicArn"] for page in topics for topic in page["Topics"]},
        "records": set(records),
        "endpoints": {found["VpcEndpointId"] for found in endpoints if found["State"] != "deleted"},
        "groups": {group["GroupId"] for group in ec2.describe_security_groups()["SecurityGroups"]},
        **{table: set(found) for table, found in items.items()},
    }


def new() -> str:
    """An id."""
    return str(uuid.uuid4())


def test_a_whole_life_leaves_no_trace(stack: Stack, receiver: Receiver) -> None:
    """Provisioned, bound, updated, rotated, unbound, deprovisioned; the account is as it was."""
    before = inventory(stack)
    broker, instance, first, second = stack.broker, new(), new(), new()
    domain = f"{instance[:8]}.example"
    told = broker.provision(instance, {**ADMIN, "domain": domain, "mail_from_subdomain": "bounce"})
    assert f"_domainkey.{domain}. 600 IN CNAME" in told
    identity = stack.client("sesv2").get_email_identity(EmailIdentity=domain)
    assert {"Key": "ses-feedback:instance-id", "Value": instance} in identity["Tags"]
    assert identity["MailFromAttributes"]["MailFromDomain"] == f"bounce.{domain}"
    assert identity["ConfigurationSetName"] == f"ses-feedback-{instance}"

    old = broker.bind(instance, first, {"notification_webhook": receiver.url(), "source_ips": ["198.51.100.0/24"]})
    [tested] = receiver.wait_for(kind="webhook.test")
    assert tested.is_signed_with(old["webhook_secret"])
    stack.eventually(
        lambda: broker.binding(instance, first)["credentials"]["instructions"], lambda said: "last test" in said
    )
    policy = stack.client("iam").get_user_policy(UserName=f"ses-feedback-{first}", PolicyName="send")["PolicyDocument"]
    assert policy["Statement"][0]["Condition"]["IpAddress"] == {"aws:SourceIp": ["198.51.100.0/24"]}
    assert len(old["required_records"]) == 6

    broker.update(instance, {"enable_feedback_notifications": True, "mail_from_subdomain": ""})
    assert broker.instance(instance)["parameters"]["enable_feedback_notifications"] is True
    successor = broker.bind(instance, second, predecessor=first)
    assert successor["webhook_secret"] == old["webhook_secret"]
    assert successor["aws_access_key_id"] != old["aws_access_key_id"]
    with pytest.raises(BrokerRefused, match="unbind first"):
        broker.deprovision(instance)
    broker.unbind(instance, first)
    broker.unbind(instance, second)
    broker.deprovision(instance)
    assert inventory(stack) == before


def test_a_generated_domain_verifies_by_its_records(stack: Stack) -> None:
    """They are made in the operator's zone, SES finds them, and they go with the instance."""
    before, instance = inventory(stack), new()
    stack.broker.provision(instance, ADMIN)
    made = inventory(stack)["records"] - before["records"]
    assert len(made) == 5
    stack.broker.deprovision(instance)
    assert inventory(stack) == before


def test_an_endpoint_comes_is_used_and_goes(stack: Stack) -> None:
    """A privatelink instance's host is where an aws-ses binding sends."""
    before = inventory(stack)
    broker, link, instance = stack.broker, new(), new()
    broker.provision(link, {"serviceName": SMTP}, service="privatelink")
    shared = broker.bind(link, link, service="privatelink")
    assert re.fullmatch(r"vpce-\w+-\w+\.email-smtp\.us-east-1\.vpce\.amazonaws\.com", shared["hostname"])
    assert shared["port"] == 2587
    rotated = broker.bind(link, new_link := new(), service="privatelink", predecessor=link)
    assert rotated == shared
    broker.provision(instance, {**ADMIN, "domain": f"{instance[:8]}.example"})
    through = broker.bind(instance, instance, {"privatelink_instance_id": link})
    assert (through["smtp_server"], through["smtp_port"]) == (shared["hostname"], 2587)
    broker.unbind(link, link, service="privatelink")
    broker.unbind(link, new_link, service="privatelink")
    with pytest.raises(BrokerRefused, match="go through this one"):
        broker.deprovision(link, service="privatelink")
    broker.unbind(instance, instance)
    broker.deprovision(instance)
    broker.deprovision(link, service="privatelink")
    assert inventory(stack) == before


def test_a_wrong_service_name_and_a_foreign_domain_make_nothing(stack: Stack) -> None:
    """What is refused leaves no trace."""
    before = inventory(stack)
    domain = f"{new()[:8]}.example"
    stack.client("sesv2").create_email_identity(EmailIdentity=domain)
    for parameters, service in (
        ({"serviceName": "com.amazonaws.us-east-1.s3"}, "privatelink"),
        ({**ADMIN, "domain": domain}, "aws-ses"),
        ({**ADMIN, "domain": "not a domain"}, "aws-ses"),
        ({"admin_email": ["x"]}, "aws-ses"),
    ):
        with pytest.raises((BrokerRefused, OperationFailed)):
            stack.broker.provision(new(), parameters, service=service)
    stack.client("sesv2").delete_email_identity(EmailIdentity=domain)
    taken = {"ConfigurationSetName": configuration_set(instance := new())}
    stack.client("sesv2").create_configuration_set(**taken)
    with pytest.raises(OperationFailed, match="does not belong to this service instance"):
        stack.broker.provision(instance, {**ADMIN, "domain": domain})
    stack.broker.deprovision(instance)  # as the platform does then
    stack.client("sesv2").delete_configuration_set(**taken)  # it is still there
    assert inventory(stack) == before


def test_an_event_destination_that_was_altered_is_put_right(stack: Stack) -> None:
    """A provision that is repeated finds its own set; what it publishes, and where, may be an earlier stack's."""
    ses, instance = stack.client("sesv2"), new()
    name = {"ConfigurationSetName": configuration_set(instance)}
    ses.create_configuration_set(**name, Tags=[{"Key": INSTANCE_TAG, "Value": tag_value(instance)}])
    altered = {"MatchingEventTypes": ["BOUNCE"], "SnsDestination": {"TopicArn": stack.facts["event_topic_arn"]}}
    ses.create_configuration_set_event_destination(
        **name, EventDestinationName=EVENT_DESTINATION, EventDestination={"Enabled": False, **altered}
    )
    stack.broker.provision(instance, {**ADMIN, "domain": f"{instance[:8]}.example"})
    [found] = ses.get_configuration_set_event_destinations(**name)["EventDestinations"]
    assert found["Enabled"]
    assert set(found["MatchingEventTypes"]) == set(EVENTS)
    stack.broker.deprovision(instance)


CALLS = st.lists(
    st.tuples(
        st.sampled_from(["provision", "update", "bind", "rotate", "unbind", "deprovision"]), st.sampled_from(["a", "b"])
    ),
    min_size=3,
    max_size=8,
)


@settings(max_examples=3, suppress_health_check=list(HealthCheck))
@given(calls=CALLS)
def test_calls_in_any_order_leave_nothing_behind(stack: Stack, calls: list[tuple[str, str]]) -> None:
    """The platform does not wait for anything; what it then tidies up leaves the account as it was."""
    before = inventory(stack)
    run = new()[:8]
    for name, which in calls:
        send(stack.broker, name, f"{run}-{which}")
    for which in ("a", "b"):
        tidy(stack, f"{run}-{which}")
    assert inventory(stack) == before


def send(broker: Broker, name: str, instance: str) -> int:
    """One bare call, whatever comes of it: never a fault."""
    offer = broker.offer().query
    path, query = f"/v2/service_instances/{instance}", {**offer, "accepts_incomplete": "true"}
    binding = f"{path}/service_bindings/{instance}"
    guids = {"organization_guid": "o", "space_guid": "s"}
    calls: dict[str, Any] = {
        "provision": ("PUT", path, {**offer, **guids, "parameters": {**ADMIN, "domain": f"{instance}.example"}}),
        "update": ("PATCH", path, {**offer, "parameters": {"mail_from_subdomain": "bounce"}}),
        "bind": ("PUT", binding, {**offer, "parameters": {"notification_email": "digests@agency.example"}}),
        "rotate": ("PUT", binding + "-2", {**offer, "predecessor_binding_id": instance}),
        "unbind": ("DELETE", binding, None),
        "deprovision": ("DELETE", path, None),
    }
    method, path, body = calls[name]
    answer = broker.http.request(method, path, params=query, json=body)
    assert answer.status_code < 500, answer.text
    return answer.status_code


def tidy(stack: Stack, instance: str) -> None:
    """Unbind and deprovision until the broker says that it is gone."""
    broker, successor = stack.broker, f"/v2/service_instances/{instance}/service_bindings/{instance}-2"
    for call in (
        lambda: send(broker, "unbind", instance),
        lambda: broker.http.delete(successor, params=broker.offer().query).status_code,
        lambda: send(broker, "deprovision", instance),
    ):
        stack.eventually(call, lambda status: status == httpx.codes.GONE)
