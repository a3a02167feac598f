"""Low-level AWS clients, one per service and process; safe to share between threads.

botocore makes them. boto3 would add resources and S3 transfers, which ses-feedback does not use; importing it costs
a cold start 60 to 80 ms of CPU (docs/decisions/0801-cold-start.md).
"""

import os
from collections.abc import Callable
from functools import cache, partial
from threading import Lock
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
    max_pool_connections=32,  # the instances and webhooks of a batch run concurrently
    user_agent="ses-feedback",  # botocore builds its own for every call, at a sixth of the call's CPU
)
_INTERACTIVE = _CONFIG.merge(  # an HTTP API waits for 30 s: one call that hangs takes at most 10 of them
    Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=1, read_timeout=4)
)
_IMPATIENT = _CONFIG.merge(
    Config(retries={"mode": "standard", "total_max_attempts": 1}, connect_timeout=1, read_timeout=2)
)


class Clients:
    """The clients of one process, created at first use.

    Tests pass stand-ins by service name: `Clients(sesv2=fake)`.
    """

    def __init__(self, **made: Any) -> None:
        self._made: dict[str, Any] = made
        self._making = Lock()  # botocore's sessions make one client at a time

    @overload
    def client(self, service: Literal["dynamodb"]) -> "DynamoDBClient": ...
    @overload
    def client(self, service: Literal["sqs"]) -> "SQSClient": ...
    @overload
    def client(self, service: Literal["sns"]) -> "SNSClient": ...
    @overload
    def client(self, service: Literal["sesv2"]) -> "SESV2Client": ...
    @overload
    def client(self, service: Literal["cloudwatch"]) -> "CloudWatchClient": ...
    @overload
    def client(self, service: Literal["kms"]) -> "KMSClient": ...
    @overload
    def client(self, service: Literal["lambda"]) -> "LambdaClient": ...
    @overload
    def client(self, service: Literal["iam"]) -> "IAMClient": ...
    @overload
    def client(self, service: Literal["route53"]) -> "Route53Client": ...
    @overload
    def client(self, service: Literal["ec2"]) -> "EC2Client": ...
    @overload
    def client(self, service: Literal["secretsmanager"]) -> "SecretsManagerClient": ...
    @overload
    def client(self, service: Literal["sts"]) -> "STSClient": ...
    @overload
    def client(self, service: Literal["logs"]) -> "CloudWatchLogsClient": ...
    def client(self, service: str) -> "BaseClient":
        """The client of *service*. Region, keys and endpoint come from the environment."""
        made: BaseClient = self._kept(service, service, _CONFIG)
        return made

    def impatient_dynamodb(self) -> "DynamoDBClient":
        """A DynamoDB client for writes that fail rather than delay others: one attempt, with short timeouts."""
        made: DynamoDBClient = self._kept("impatient dynamodb", "dynamodb", _IMPATIENT)
        return made

    def forget(self) -> None:
        """Drop every client, so that the next use creates one from the current environment."""
        self._made.clear()

    def _kept(self, name: str, service: str, config: Config) -> Any:
        with self._making:
            if name not in self._made:
                self._made[name] = session().create_client(service, config=config)
            return self._made[name]


class LazyClients(Clients):
    """Clients that are created when their first attribute is read.

    For a function that knows many services and calls few of them per request: creating a client costs a cold start
    15 to 20 ms of CPU.
    """

    def __init__(self, clients: Clients) -> None:
        super().__init__()
        self._clients = clients

    def _kept(self, name: str, service: str, config: Config) -> Any:
        return _LazyClient(partial(self._clients._kept, name, service, config))


class InteractiveClients(Clients):
    """Clients for requests that a person waits for: two attempts with short timeouts, in place of four long ones."""

    def __init__(self, clients: Clients) -> None:
        super().__init__()
        self._clients = clients

    def _kept(self, name: str, service: str, _config: Config) -> Any:
        return self._clients._kept(f"interactive {name}", service, _INTERACTIVE)


class _LazyClient:
    """Stands for a client and creates it when it is first used."""

    def __init__(self, create: Callable[[], Any]) -> None:
        self._create = create

    def __getattr__(self, name: str) -> Any:
        return getattr(self._create(), name)


@cache
def session() -> Session:
    """The process's session: configuration that is read once for all clients.

    `AWS_REGION` takes precedence over what botocore reads itself (`AWS_DEFAULT_REGION`, a profile), as in the other
    AWS tools.

    FIPS endpoints are chosen here, by the region the process runs in. `FIPS` is set in the environment of every
    function; without it botocore's own `AWS_USE_FIPS_ENDPOINT` applies.

    The trace header that botocore propagates is removed. Lambda uses it to count how often a function causes its own
    invocation, and stops the chain at about 16. Retries of a delivery and steps of an operation are such chains;
    they end by their own limits (docs/decisions/0104-what-aws-refuses.md).
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


CLIENTS = Clients()  # this process's
client = CLIENTS.client
