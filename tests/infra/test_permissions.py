"""What each function may do, and above all what it may not."""

import pytest

from infra.bundle import ROOT
from lambdas.domain.tenants import aws_names
from lambdas.domain.tenants.aws_names import INSTANCE_TAG
from tests.iam.requests import written
from tests.infra.calls import reachable_calls
from tests.infra.snapshots import VARIANTS
from tests.infra.synthesis import Statement, Synthesis, logical_ids, roles, synthesise

pytestmark = pytest.mark.xdist_group("infra")

ENTRIES = {
    "feedback": ("feedback", "handler"),
    "delivery": ("delivery", "handler"),
    "release": ("delivery", "release"),
    "broker": ("broker", "handler"),
    "worker": ("broker", "worker"),
    "sweep": ("broker", "cleanup"),
    "reputation": ("reputation", "handler"),
    "reputation-sweep": ("reputation", "reconcile"),
    "reputation-cap": ("reputation", "cap"),
    "portal": ("portal", "handler"),
    "replay": ("portal", "replay"),
}
_ACTIONS = {  # where IAM's action is not service:Operation
    ("dynamodb", "TransactWriteItems"): (),  # IAM asks for the items' own writes
    ("dynamodb", "BatchExecuteStatement"): ("dynamodb:PartiQLUpdate",),  # the one statement that is made
    ("sqs", "SendMessageBatch"): ("sqs:SendMessage",),
    ("sns", "PublishBatch"): ("sns:Publish",),
}
_PREFIXES = {"sesv2": "ses"}

_OF_OPERATORS = {name: {"dynamodb:Scan"} for name in ("broker", "delivery")}  # by ops and the portal, with its adapters


@pytest.fixture(scope="module")
def stack() -> Synthesis:
    """The stack with everything that widens a role."""
    return synthesise(
        zone_name="mail.example.gov",
        zone_id="Z0123456789ABC",
        privatelink_vpc_id="vpc-0123456a",
        portal="links",
        mails_per_instance_and_day="50000",
    )


@pytest.fixture(scope="module")
def may(stack: Synthesis) -> dict[str, list[Statement]]:
    """The functions' statements by their names."""
    return roles(stack)


@pytest.mark.parametrize("folder", ["feedback", "delivery", "broker", "reputation"])  # the portal has no journeys yet
def test_every_call_in_a_folder_s_source_is_made_on_a_journey(folder: str) -> None:
    """A call that no journey makes is held against no role (tests/iam): add a journey that makes it."""
    functions = [name for name, (where, _) in ENTRIES.items() if where == folder]
    walked = {asked.action for asked in written() if asked.function in functions}
    in_source = set[str]().union(*map(_called, functions))
    assert in_source - walked - _OF_OPERATORS.get(folder, set()) == set()


@pytest.mark.parametrize("function", ENTRIES)
def test_no_function_has_an_action_with_an_asterisk(function: str, may: dict[str, list[Statement]]) -> None:
    """Actions are named one by one."""
    assert [action for action in _actions(may[function]) if "*" in action] == []


def test_delivery_opens_webhook_secrets_and_no_others(may: dict[str, list[Statement]]) -> None:
    """A ciphertext's purpose is in its encryption context; a binding's credentials stay shut."""
    direct = _direct_key_use(may["delivery"])
    assert [one.context("StringEquals", "kms:EncryptionContext:purpose") for one in direct] == [["webhook-secret"]]
    assert {action for one in direct for action in one.actions} == {"kms:Decrypt"}


def test_the_portal_opens_webhook_secrets_and_no_others(may: dict[str, list[Statement]]) -> None:
    """To replace them; what posts with them is delivery, and a binding's credentials stay closed."""
    direct = _direct_key_use(may["portal"])
    assert [one.context("StringEquals", "kms:EncryptionContext:purpose") for one in direct] == [["webhook-secret"]]


def test_the_portal_changes_nothing_of_the_broker_s(stack: Synthesis, may: dict[str, list[Statement]]) -> None:
    """It reads instances and counts confirmation mails; users, identities and configuration sets are the broker's
    alone.
    """
    broker_table = logical_ids(stack, "Tables")["broker"]
    for function in ("portal", "replay"):
        for statement in may[function]:
            if any(broker_table in resource for resource in statement.resources):
                counters = statement.context("ForAllValues:StringLike", "dynamodb:LeadingKeys") == ["confirmations#*"]
                allowed = {"dynamodb:UpdateItem"} if counters else {"dynamodb:GetItem", "dynamodb:Scan"}
                assert set(statement.actions) <= allowed
        granted = _actions(may[function])
        assert {action for action in granted if action.startswith("iam:")} <= {"iam:GetAccountSummary"}
        assert {action for action in granted if action.startswith("ses:")} <= {"ses:GetEmailIdentity"}


def test_the_worker_opens_webhook_secrets_and_no_credentials(may: dict[str, list[Statement]]) -> None:
    """A changed URL's userinfo is encrypted together with the webhook's secret."""
    direct = _direct_key_use(may["worker"])
    assert [one.context("StringEquals", "kms:EncryptionContext:purpose") for one in direct] == [["webhook-secret"]]


def test_the_broker_opens_credentials_and_webhook_secrets(may: dict[str, list[Statement]]) -> None:
    """A binding shows the secret that its webhook has now."""
    opened = [
        one.context("StringEquals", "kms:EncryptionContext:purpose")
        for one in _direct_key_use(may["broker"])
        if "kms:Decrypt" in one.actions
    ]
    assert sorted(opened) == [["binding-credentials"], ["webhook-secret"]]


@pytest.mark.parametrize(
    "function", ["feedback", "release", "replay", "reputation", "reputation-sweep", "reputation-cap", "sweep"]
)
def test_who_needs_no_secret_opens_none(function: str, may: dict[str, list[Statement]]) -> None:
    """They use the key only through the services that hold their data."""
    assert _direct_key_use(may[function]) == []


@pytest.mark.parametrize(
    "function", ["feedback", "delivery", "release", "reputation", "reputation-sweep", "reputation-cap"]
)
def test_the_pipeline_cannot_touch_what_the_broker_keeps(
    function: str, stack: Synthesis, may: dict[str, list[Statement]]
) -> None:
    """Neither the broker's table nor its credentials, nor any IAM user."""
    broker_table = logical_ids(stack, "Tables")["broker"]
    secret = stack.output("BrokerCredentialsSecretArn")["Ref"]
    for statement in may[function]:
        assert not any(broker_table in resource or secret in resource for resource in statement.resources)
        assert not any(action.startswith(("iam:", "secretsmanager:")) for action in statement.actions)


def test_only_the_broker_s_api_reads_its_credentials(stack: Synthesis, may: dict[str, list[Statement]]) -> None:
    """The worker and the sweep answer nobody."""
    secret = stack.output("BrokerCredentialsSecretArn")["Ref"]
    readers = {name for name, statements in may.items() for one in statements if f"${{{secret}}}" in one.resources}
    assert readers == {"broker"}


@pytest.mark.parametrize("function", ["broker", "sweep"])
def test_users_are_made_only_under_cf_and_only_within_the_boundary(
    function: str, stack: Synthesis, may: dict[str, list[Statement]]
) -> None:
    """Without the condition, a broker that is taken over could make itself an administrator."""
    (boundary,) = stack.resources("AWS::IAM::ManagedPolicy")
    for statement in may[function]:
        if not any(action.startswith("iam:") for action in statement.actions):
            continue
        if statement.actions == ("iam:GetAccountSummary",):
            continue
        prefixes = tuple(aws_names.IAM_PATH + prefix for prefix in (aws_names.PREFIX, aws_names.MAPPED_USER_PREFIX))
        users = [resource.partition(":user")[2] for resource in statement.resources]
        assert all(user.startswith(prefixes) for user in users)
        if {"iam:CreateUser", "iam:PutUserPolicy"} & set(statement.actions):
            assert statement.context("StringEquals", "iam:PermissionsBoundary") == [f"${{{boundary}}}"]


def test_nobody_may_change_or_leave_the_boundary(may: dict[str, list[Statement]]) -> None:
    """Nor attach a managed policy, nor touch a role."""
    forbidden = ("PutUserPermissionsBoundary", "DeleteUserPermissionsBoundary", "AttachUserPolicy", "Role", "Group")
    granted = {action for statements in may.values() for action in _actions(statements) if action.startswith("iam:")}
    assert [action for action in granted if any(word in action for word in forbidden)] == []


def test_only_reputation_pauses_sending(may: dict[str, list[Statement]]) -> None:
    """And only of configuration sets that are ours."""
    pausing = {
        name: one
        for name, statements in may.items()
        for one in statements
        if "ses:PutConfigurationSetSendingOptions" in one.actions
    }
    assert set(pausing) == {"reputation", "reputation-sweep"}
    for statement in pausing.values():
        assert all(f":configuration-set/{aws_names.PREFIX}" in resource for resource in statement.resources)


def test_the_operator_s_zone_is_reached_by_the_worker_alone(may: dict[str, list[Statement]]) -> None:
    """And that one zone only; a zone elsewhere is reached by the secret that the operator names."""
    arns = [one.resources for name in may for one in may[name] if any("route53:" in action for action in one.actions)]
    assert arns == [("arn:${AWS::Partition}:route53:::hostedzone/Z0123456789ABC",)]
    elsewhere = "arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:zone-AbCdEf"
    foreign = roles(
        synthesise(zone_name="mail.example.gov", zone_id="Z0123456789ABC", zone_credentials_secret_arn=elsewhere)
    )
    assert not any("route53:" in action for statements in foreign.values() for action in _actions(statements))
    assert any(elsewhere in one.resources for one in foreign["worker"])


def test_the_broker_reads_the_portal_s_client_only_for_cloud_foundry() -> None:
    """Its catalog hands the client to the platform; with another provider the portal alone reads it."""
    expected = {"portal-on-cloud-foundry": {"broker", "portal"}, "portal-on-its-own-domain": {"portal"}}
    for variant, readers in expected.items():
        keys = VARIANTS[variant].keys
        of_roles = roles(synthesise(**keys))
        assert readers == {
            name
            for name, statements in of_roles.items()
            for one in statements
            if keys["portal_client_secret_arn"] in one.resources
        }


def test_endpoints_are_made_only_where_the_operator_offers_them(may: dict[str, list[Statement]]) -> None:
    """Without a VPC in the context no function speaks to EC2."""
    plain = roles(synthesise())
    assert not any("ec2:" in action for statements in plain.values() for action in _actions(statements))
    assert any("ec2:CreateVpcEndpoint" in one.actions for one in may["worker"])


def test_of_endpoints_and_groups_only_those_of_our_instances_are_removed(may: dict[str, list[Statement]]) -> None:
    """Another team's endpoint in the same VPC carries no tag of ours."""
    removing = [one for one in may["worker"] if any("ec2:Delete" in action for action in one.actions)]
    assert removing
    for statement in removing:
        assert statement.context("Null", f"aws:ResourceTag/{INSTANCE_TAG}") == ["false"]


def _called(function: str) -> set[str]:
    folder, entry = ENTRIES[function]
    calls = reachable_calls(ROOT, folder, entry)
    return {
        action
        for service, operation in calls
        for action in _ACTIONS.get((service, operation), (f"{_PREFIXES.get(service, service)}:{operation}",))
    }


def _actions(statements: list[Statement]) -> set[str]:
    return {action for one in statements if one.effect == "Allow" for action in one.actions}


def _direct_key_use(statements: list[Statement]) -> list[Statement]:
    """Uses of the key that are not made by another AWS service on the function's behalf."""
    return [
        one
        for one in statements
        if any(action.startswith("kms:") for action in one.actions)
        and not one.context("StringEquals", "kms:ViaService")
    ]
