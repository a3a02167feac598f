"""IAM users that applications send with: keys, quota and policy."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MAX_POLICY = 2_048  # characters of a user's inline policies, white space apart: the IAM guide, "IAM quotas"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """An access key. IAM returns the secret only once, when the key is created."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """The number of IAM users in the account, and the account's limit."""

    users: int
    limit: int

    @property
    def exhausted(self) -> bool:
        """Whether the limit is reached."""
        return self.users >= self.limit


def sending_policy(resources: Sequence[str], source_ips: Sequence[str], *, domain: str) -> dict[str, object]:
    """The policy document of a sender: through *resources*, as *domain*, from *source_ips* alone if any are given.

    SendRawEmail is what SMTP needs, SendEmail what the API calls; both on the identity and on the configuration set.
    The From and Return-Path addresses are of *domain* (in lower case) and its subdomains. IAM compares the condition
    keys with case, so the domain must be written in lower case; the part before the `@` may be anything.
    """
    addresses = [f"*@{domain}", f"*@*.{domain}"]
    condition: dict[str, object] = {
        "StringLike": {"ses:FromAddress": addresses},
        "StringLikeIfExists": {"ses:FeedbackAddress": addresses},
    }
    if source_ips:
        condition["IpAddress"] = {"aws:SourceIp": list(source_ips)}
    statement: dict[str, object] = {
        "Effect": "Allow",
        "Action": ["ses:SendEmail", "ses:SendRawEmail"],
        "Resource": list(resources),
        "Condition": condition,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def fits_iam(policy: Mapping[str, object]) -> bool:
    """Whether IAM takes *policy* as a user's inline policy."""
    return len(json.dumps(policy, separators=(",", ":"))) <= MAX_POLICY
