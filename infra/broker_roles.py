"""Permissions of the broker's functions; each function below grants one capability."""

from collections.abc import Sequence

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from infra.context import Context
from infra.function import Function, SharedResources
from infra.storage import Storage
from lambdas.domain.tenants import aws_names
from lambdas.domain.tenants.aws_names import INSTANCE_TAG

# purposes: lambdas/aws/kms/webhook_secrets.py and binding_secrets.py
_SECRET, _CREDENTIALS = "webhook-secret", "binding-credentials"


# the reason why an ARN ends in an asterisk
_OF_A_BINDING = "A user's or notification topic's name holds the binding's id."
_OF_AN_INSTANCE = "A configuration set's or alert topic's name holds the instance's id."
_A_DOMAIN = "An identity is named for the tenant's domain; what is removed must carry the instance's tag."
_ENDPOINT = "EC2 gives an endpoint and its group their ids."


def _arn(service: str, resource: str) -> str:
    return f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{resource}"


_USERS = [
    f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:user{aws_names.IAM_PATH}{prefix}*"
    for prefix in (aws_names.PREFIX, aws_names.MAPPED_USER_PREFIX)
]
_ALERTS = _arn("sns", aws_names.ALERT_TOPICS)  # never the stack's own topics, whose generated names end differently
_NOTIFICATIONS = _arn("sns", aws_names.NOTIFICATION_TOPICS)


def allow_api_tables(function: Function, storage: Storage) -> None:
    """All records, including domain claims; webhooks that bindings create and remove."""
    function.use_table(storage.broker, "GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem")
    function.use_table(storage.webhooks, "GetItem", "PutItem", "UpdateItem", "DeleteItem")


def allow_worker_tables(function: Function, storage: Storage) -> None:
    """Records of instances with an operation; webhooks that change or are removed with their instance."""
    function.use_table(storage.broker, "GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem")
    function.use_table(storage.webhooks, "GetItem", "Query", "UpdateItem", "DeleteItem")


def allow_sweep_tables(function: Function, storage: Storage) -> None:
    """The lists of unfinished work; records and webhooks of bindings that are removed."""
    function.use_table(storage.broker, "GetItem", "Query", "PutItem", "DeleteItem")
    function.use_table(storage.webhooks, "GetItem", "UpdateItem", "DeleteItem")


def allow_binding(function: Function, shared: SharedResources, boundary: iam.IManagedPolicy) -> None:
    """Create sending users, only under IAM_PATH and only with the boundary; encrypt their secrets."""
    function.allow(
        "iam:CreateUser",
        "iam:PutUserPolicy",
        on=_USERS,
        when={"StringEquals": {"iam:PermissionsBoundary": boundary.managed_policy_arn}},
        wide=_OF_A_BINDING,
    )
    function.allow("iam:TagUser", "iam:CreateAccessKey", on=_USERS, wide=_OF_A_BINDING)
    function.allow("iam:GetAccountSummary", on=["*"], wide="IAM knows no resource for it.")
    _allow_secrets(function, shared, _CREDENTIALS)
    _allow_secrets(function, shared, _SECRET)
    _allow_topics(function, [_NOTIFICATIONS])
    function.allow("sns:ListSubscriptionsByTopic", on=[_ALERTS], wide=_OF_AN_INSTANCE)  # is admin_email confirmed?


def allow_webhook_changes(function: Function, shared: SharedResources) -> None:
    """Change the userinfo of a webhook's URL, which is encrypted together with its secret."""
    _allow_secrets(function, shared, _SECRET)


def _allow_secrets(function: Function, shared: SharedResources, purpose: str) -> None:
    context = {"StringEquals": {"kms:EncryptionContext:purpose": purpose}}
    function.allow("kms:Encrypt", "kms:Decrypt", on=[shared.key.key_arn], when=context)


def allow_unbinding(function: Function) -> None:
    """Delete a binding's resources: its user with keys and policy, and its notification topic."""
    function.allow(
        *("iam:GetUser", "iam:ListAccessKeys", "iam:DeleteAccessKey", "iam:DeleteUserPolicy", "iam:DeleteUser"),
        on=_USERS,
        wide=_OF_A_BINDING,
    )
    function.allow("sns:ListTagsForResource", "sns:DeleteTopic", on=[_NOTIFICATIONS], wide=_OF_A_BINDING)


def _allow_alerts(function: Function) -> None:
    """Create and delete an instance's alert topic, and exchange its subscriber."""
    _allow_topics(function, [_ALERTS])
    function.allow("sns:DeleteTopic", on=[_ALERTS], wide=_OF_AN_INSTANCE)
    function.allow("sns:Unsubscribe", on=["*"], wide="SNS knows no resource type for it; a subscription has no tags.")


def _allow_topics(function: Function, topics: Sequence[str]) -> None:
    function.allow(
        *("sns:CreateTopic", "sns:TagResource", "sns:ListTagsForResource"),
        *("sns:Subscribe", "sns:ListSubscriptionsByTopic"),
        on=topics,
        wide="A topic's name is our prefix, the instance's or binding's id, and what it is for.",
    )
    function.use_key_through("sns")


def allow_asking(function: Function, storage: Storage) -> None:
    """Read identities, rate-limited: whose a domain is, and whether it is verified."""
    function.use_table(storage.rate_limiter, "GetItem", "UpdateItem")
    function.allow("ses:GetEmailIdentity", on=[_arn("ses", "identity/*")], wide=_A_DOMAIN)


def allow_provisioning(function: Function, context: Context, storage: Storage) -> None:
    """Create and remove configuration sets and identities, rate-limited, and a generated domain's records.

    In the reputation table: find the mark of an earlier pause, start an instance paused, renew a mark at its deletion.
    """
    function.use_table(storage.reputation, "GetItem", "Query", "PutItem", "UpdateItem")
    function.use_table(storage.rate_limiter, "GetItem", "UpdateItem")
    function.allow(
        *("ses:CreateConfigurationSet", "ses:GetConfigurationSet", "ses:DeleteConfigurationSet"),
        *("ses:CreateConfigurationSetEventDestination", "ses:UpdateConfigurationSetEventDestination"),
        on=[_arn("ses", f"configuration-set/{aws_names.PREFIX}*")],
        wide=_OF_AN_INSTANCE,
    )
    function.allow(
        *("ses:CreateEmailIdentity", "ses:GetEmailIdentity", "ses:DeleteEmailIdentity"),
        "ses:PutEmailIdentityMailFromAttributes",
        on=[_arn("ses", "identity/*")],
        wide=_A_DOMAIN,
    )
    function.allow(
        *("ses:TagResource", "ses:PutEmailIdentityConfigurationSetAttributes"),
        on=[_arn("ses", "identity/*"), _arn("ses", f"configuration-set/{aws_names.PREFIX}*")],
        wide=_A_DOMAIN,
    )
    _allow_alerts(function)
    _allow_release(function)
    _allow_zone(function, context)
    _allow_endpoints(function, context)


def _allow_release(function: Function) -> None:
    """When a domain is released: remove the right of the instance's users to send from it, and notify its admin."""
    function.allow("iam:DeleteUserPolicy", on=_USERS, wide=_OF_A_BINDING)
    function.allow("sns:Publish", on=[_ALERTS], wide=_OF_AN_INSTANCE)


def _allow_zone(function: Function, context: Context) -> None:
    """Records in the operator's zone; for a zone in another account, only the secret with its credentials."""
    if context.zone_credentials_secret_arn:
        function.allow("secretsmanager:GetSecretValue", on=[context.zone_credentials_secret_arn])
    elif context.zone_id:
        function.allow(
            "route53:ChangeResourceRecordSets",
            "route53:ListResourceRecordSets",
            on=[f"arn:{Aws.PARTITION}:route53:::hostedzone/{context.zone_id}"],
        )


def _allow_endpoints(function: Function, context: Context) -> None:
    """Interface endpoints for the privatelink service, if it is offered; only resources with our tag."""
    if not context.privatelink_vpc_id:
        return
    function.allow(
        *("ec2:DescribeVpcEndpoints", "ec2:DescribeVpcEndpointServices", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
        "ec2:DescribeSecurityGroups",
        on=["*"],
        wide="EC2's Describe calls know no resources.",
    )
    vpc = _arn("ec2", f"vpc/{context.privatelink_vpc_id}")
    endpoints, groups, subnets = (_arn("ec2", f"{kind}/*") for kind in ("vpc-endpoint", "security-group", "subnet"))
    function.allow("ec2:CreateVpcEndpoint", on=[vpc, endpoints, groups, subnets], wide=_ENDPOINT)
    function.allow("ec2:CreateSecurityGroup", on=[vpc, groups], wide=_ENDPOINT)
    for made, action in ((endpoints, "CreateVpcEndpoint"), (groups, "CreateSecurityGroup")):
        created = {"StringEquals": {"ec2:CreateAction": action}}
        function.allow("ec2:CreateTags", on=[made], when=created, wide=_ENDPOINT)
    ours = {"Null": {f"aws:ResourceTag/{INSTANCE_TAG}": "false"}}
    function.allow("ec2:DeleteVpcEndpoints", on=[endpoints], when=ours, wide=_ENDPOINT)
    function.allow(
        "ec2:DeleteSecurityGroup", "ec2:AuthorizeSecurityGroupIngress", on=[groups], when=ours, wide=_ENDPOINT
    )
