"""IAM users that applications send with: keys, quota and policy."""

from collections.abc import Sequence
from dataclasses import dataclass, field


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


def sending_policy(resources: Sequence[str], source_ips: Sequence[str]) -> dict[str, object]:
    """The policy document of a sender: allows *resources* only, and only from *source_ips* if any are given.

    SMTP needs SendRawEmail, the API SendEmail; each on the identity and on the configuration set.
    """
    statement: dict[str, object] = {
        "Effect": "Allow",
        "Action": ["ses:SendEmail", "ses:SendRawEmail"],
        "Resource": list(resources),
    }
    if source_ips:
        statement["Condition"] = {"IpAddress": {"aws:SourceIp": list(source_ips)}}
    return {"Version": "2012-10-17", "Statement": [statement]}
