"""SES's SMTP interface: its hosts and the passwords derived from a secret access key.

https://docs.aws.amazon.com/ses/latest/dg/smtp-credentials.html
"""

import base64
import hashlib
import hmac

SMTP_PORT = 587  # STARTTLS; 25 is throttled on most networks
FIPS_REGIONS = frozenset({"us-east-1", "us-east-2", "us-west-1", "us-west-2", "us-gov-west-1"})
_VERSION = b"\x04"


def smtp_password(secret_access_key: str, region: str) -> str:
    """The SMTP password of an IAM user's key in *region*. It is valid in that region only."""
    key = ("AWS4" + secret_access_key).encode()
    for part in ("11111111", region, "ses", "aws4_request", "SendRawEmail"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return base64.b64encode(_VERSION + key).decode()


def smtp_host(region: str, *, fips: bool) -> str:
    """SES's SMTP host in *region*: the FIPS host if it is requested and exists."""
    return f"email-smtp{'-fips' if fips and region in FIPS_REGIONS else ''}.{region}.amazonaws.com"
