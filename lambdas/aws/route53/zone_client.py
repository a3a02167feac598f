"""A Route 53 client for the operator's zone, which may be in another account or partition (in GovCloud always)."""

from typing import TYPE_CHECKING

import msgspec

from lambdas.aws.clients import client, session

if TYPE_CHECKING:
    from types_boto3_route53 import Route53Client
    from types_boto3_secretsmanager import SecretsManagerClient


class ZoneCredentials(msgspec.Struct, frozen=True):
    """The secret's content. `region` selects the partition: `us-east-1` for zones of the commercial one."""

    aws_access_key_id: str
    aws_secret_access_key: str
    aws_session_token: str | None = None
    region: str = "us-east-1"


_decoder = msgspec.json.Decoder(ZoneCredentials)


def zone_client(secrets: "SecretsManagerClient", secret_id: str) -> "Route53Client":
    """The client, with the function's own credentials unless *secret_id* names others."""
    if not secret_id:
        return client("route53")
    found = _decoder.decode(secrets.get_secret_value(SecretId=secret_id)["SecretString"])
    made: Route53Client = session().create_client(  # type: ignore[assignment]
        "route53",
        aws_access_key_id=found.aws_access_key_id,
        aws_secret_access_key=found.aws_secret_access_key,
        aws_session_token=found.aws_session_token,
        region_name=found.region,
    )
    return made
