"""IAM users that applications send with: keys, quota and policy."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MAX_POLICY = 2_048  # characters of a user's inline policies, not counting white space: the IAM guide, "IAM quotas"


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
    """The policy document of a sender: through *resources*, as *domain*, and only from *source_ips* if any are given.

    SMTP needs SendRawEmail, the API calls need SendEmail; both on the identity and on the configuration set. The
    From and Return-Path addresses must be in *domain* (lower case) or a subdomain of it. IAM compares the condition
    keys case-sensitively, so senders must write the domain in lower case; the part before the `@` may be anything.
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
    """Whether *policy* fits IAM's size limit for a user's inline policies."""
    return len(json.dumps(policy, separators=(",", ":"))) <= MAX_POLICY
