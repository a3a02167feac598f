"""Low-level AWS clients, one of each a process; safe to share between threads.

Made by botocore, which makes boto3's too: boto3 adds resources and S3 transfers that nothing here needs, and their
import costs a cold start 60 to 80 ms of CPU (docs/decisions/0801-cold-start.md).
"""

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, overload

from botocore.config import Config
from botocore.handlers import add_recursion_detection_header
from botocore.session import Session

from lambdas.domain import fips

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_ec2 import EC2Client
    from types_boto3_iam import IAMClient
    from types_boto3_kms import KMSClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_route53 import Route53Client
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_sesv2 import SESV2Client
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient
    from types_boto3_sts import STSClient

_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 4},
    connect_timeout=3,  # s: all of these are regional endpoints, a few ms away
    read_timeout=10,  # s: below every function's timeout
    max_pool_connections=32,  # instances and webhooks of a batch are worked on side by side
    user_agent="ses-feedback",  # botocore's own is put together anew for every call, at a sixth of the call's CPU
)


@overload
def client(service: Literal["dynamodb"]) -> "DynamoDBClient": ...
@overload
def client(service: Literal["sqs"]) -> "SQSClient": ...
@overload
def client(service: Literal["sns"]) -> "SNSClient": ...
@overload
def client(service: Literal["sesv2"]) -> "SESV2Client": ...
@overload
def client(service: Literal["cloudwatch"]) -> "CloudWatchClient": ...
@overload
def client(service: Literal["kms"]) -> "KMSClient": ...
@overload
def client(service: Literal["lambda"]) -> "LambdaClient": ...
@overload
def client(service: Literal["iam"]) -> "IAMClient": ...
@overload
def client(service: Literal["route53"]) -> "Route53Client": ...
@overload
def client(service: Literal["ec2"]) -> "EC2Client": ...
@overload
def client(service: Literal["secretsmanager"]) -> "SecretsManagerClient": ...
@overload
def client(service: Literal["sts"]) -> "STSClient": ...
@overload
def client(service: Literal["logs"]) -> "CloudWatchLogsClient": ...
@cache
def client(service: str) -> "BaseClient":
    """The process's client of *service*; region, keys and endpoint come from the environment."""
    made: BaseClient = session().create_client(service, config=_CONFIG)
    return made


@cache
def impatient_dynamodb() -> "DynamoDBClient":
    """A DynamoDB for what may fail rather than hold others up: it tries once, and not for long."""
    config = Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=1, read_timeout=2)
    made: Any = session().create_client("dynamodb", config=config)
    return made  # type: ignore[no-any-return]


@cache
def session() -> Session:
    """The process's session: what is read and looked up once for all clients.

    `AWS_REGION` goes before what botocore reads itself (`AWS_DEFAULT_REGION`, a profile), as in the other AWS tools.

    FIPS endpoints are decided here, by the region the process runs in. `FIPS` is set in the environment of every
    function; without it botocore's own `AWS_USE_FIPS_ENDPOINT` holds.

    The trace header that botocore passes on is left out: by it Lambda counts how often a function has caused its own
    invocation and stops the chain at about 16, and retries of a delivery and steps of an operation are such chains.
    They end by their own rules (docs/decisions/0104-what-aws-refuses.md).
    """
    made = Session()
    header: Any = add_recursion_detection_header
    made.unregister("before-call", header)
    region = os.environ.get("AWS_REGION", "")
    if region:
        made.set_config_variable("region", region)
    if fips.for_aws_calls(os.environ.get("FIPS", "off"), region):
        made.set_config_variable("use_fips_endpoint", True)
    return made
