"""What the broker's functions may do, a capability a function, so that each stands in one place and is read by one."""

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

from infra.context import Context
from infra.function import Function, SharedResources
from infra.storage import Storage
from lambdas.domain.tenants import aws_names
from lambdas.domain.tenants.aws_names import INSTANCE_TAG

_TABLE = ("GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", "ConditionCheckItem")
# encryption contexts of lambdas/aws/kms/webhook_secrets.py and binding_seal.py
_PURPOSES = ("webhook-secret", "binding-credentials")


# why an ARN ends in an asterisk
_OF_A_BINDING = "A user's name is our prefix and the binding's id."
_OF_AN_INSTANCE = "A configuration set's name is our prefix and the instance's id."
_A_DOMAIN = "An identity is named for the tenant's domain; what is removed must carry the instance's tag."
_ENDPOINT = "EC2 gives an endpoint and its group their ids."


def _arn(service: str, resource: str) -> str:
    return f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{resource}"


def allow_tables(function: Function, storage: Storage) -> None:
    """The broker's own items, and instances and webhooks as the pipeline reads them."""
    function.use_table(storage.broker, *_TABLE)
    function.use_table(storage.webhooks, *_TABLE)


def allow_binding(function: Function, shared: SharedResources, boundary: iam.IManagedPolicy) -> None:
    """Make and remove sending users, only under IAM_PATH and only under the boundary; seal what they must keep."""
    path = f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:user{aws_names.IAM_PATH}"
    users = [f"{path}{prefix}*" for prefix in (aws_names.PREFIX, aws_names.MAPPED_USER_PREFIX)]
    function.allow(
        "iam:CreateUser",
        "iam:PutUserPolicy",
        on=users,
        when={"StringEquals": {"iam:PermissionsBoundary": boundary.managed_policy_arn}},
        wide=_OF_A_BINDING,
    )
    function.allow(
        *("iam:TagUser", "iam:DeleteUser", "iam:DeleteUserPolicy"),
        *("iam:CreateAccessKey", "iam:ListAccessKeys", "iam:DeleteAccessKey"),
        on=users,
        wide=_OF_A_BINDING,
    )
    function.allow("iam:GetAccountSummary", on=["*"], wide="IAM knows no resource for it.")
    function.allow(
        "kms:Encrypt",
        "kms:Decrypt",
        on=[shared.key.key_arn],
        when={"StringEquals": {"kms:EncryptionContext:purpose": list(_PURPOSES)}},
    )


def allow_notifying(function: Function) -> None:
    """Make and remove the topics that tell people: an instance's alerts, a binding's digests."""
    function.allow(
        *("sns:CreateTopic", "sns:GetTopicAttributes", "sns:DeleteTopic", "sns:TagResource"),
        *("sns:Subscribe", "sns:Unsubscribe", "sns:ListSubscriptionsByTopic"),
        on=[_arn("sns", f"{aws_names.PREFIX}*")],
        wide="A topic's name is our prefix and the instance's or binding's id.",
    )
    function.use_key_through("sns")


def allow_asking(function: Function, storage: Storage) -> None:
    """Look at identities, at SES's pace: whose a domain is, and whether it is verified."""
    function.use_table(storage.rate_limiter, "GetItem", "UpdateItem")
    function.allow("ses:GetEmailIdentity", on=[_arn("ses", "identity/*")], wide=_A_DOMAIN)


def allow_provisioning(function: Function, context: Context, storage: Storage) -> None:
    """Make and remove configuration sets and identities, paced; and a generated domain's records.

    In the reputation table: find the mark of an earlier pause, start an instance paused, make a mark outlive it.
    """
    function.use_table(storage.rate_limiter, "GetItem", "UpdateItem")
    function.use_table(storage.reputation, "GetItem", "Query", "PutItem", "UpdateItem")
    function.allow(
        *("ses:CreateConfigurationSet", "ses:DeleteConfigurationSet", "ses:CreateConfigurationSetEventDestination"),
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
    allow_notifying(function)
    _allow_zone(function, context)
    _allow_endpoints(function, context)


def _allow_zone(function: Function, context: Context) -> None:
    """Records in the operator's zone; where it lives elsewhere, only the secret that opens it."""
    if context.zone_credentials_secret_arn:
        function.allow("secretsmanager:GetSecretValue", on=[context.zone_credentials_secret_arn])
    elif context.zone_id:
        function.allow(
            "route53:ChangeResourceRecordSets",
            "route53:ListResourceRecordSets",
            on=[f"arn:{Aws.PARTITION}:route53:::hostedzone/{context.zone_id}"],
        )


def _allow_endpoints(function: Function, context: Context) -> None:
    """Interface endpoints for the privatelink service, where it is offered: only what carries our tag is touched."""
    if not context.privatelink_vpc_id:
        return
    function.allow(
        *("ec2:DescribeVpcEndpoints", "ec2:DescribeVpcEndpointServices", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
        "ec2:DescribeSecurityGroups",
        on=["*"],
        wide="EC2's Describe calls know no resources.",
    )
    function.allow(
        "ec2:CreateVpcEndpoint",
        "ec2:CreateSecurityGroup",
        on=[
            _arn("ec2", f"vpc/{context.privatelink_vpc_id}"),
            *(_arn("ec2", f"{kind}/*") for kind in ("vpc-endpoint", "subnet", "security-group")),
        ],
        wide=_ENDPOINT,
    )
    made = [_arn("ec2", "vpc-endpoint/*"), _arn("ec2", "security-group/*")]
    function.allow(
        "ec2:CreateTags",
        on=made,
        when={"StringEquals": {"ec2:CreateAction": ["CreateVpcEndpoint", "CreateSecurityGroup"]}},
        wide=_ENDPOINT,
    )
    function.allow(
        *("ec2:DeleteVpcEndpoints", "ec2:DeleteSecurityGroup", "ec2:AuthorizeSecurityGroupIngress"),
        on=made,
        when={"Null": {f"aws:ResourceTag/{INSTANCE_TAG}": "false"}},
        wide=_ENDPOINT,
    )
