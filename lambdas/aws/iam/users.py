"""IAM users that applications send with: one per binding, under `/cf/` and under the permissions boundary."""

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from lambdas.aws.errors import code, ignoring
from lambdas.aws.tags import owner_in, owner_of
from lambdas.domain.errors import AccountFull, NotOurs
from lambdas.domain.tenants.aws_names import IAM_PATH
from lambdas.domain.tenants.iam_user import AccessKey, Quota

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

POLICY = "send"
FOREIGN_USER = (
    "an IAM user named {name} exists in this account and does not belong to this service instance; bind with another "
    "id, or ask the operator to delete it"
)
_GONE = "NoSuchEntity"
# IAM is eventually consistent: a replica that does not know a new user yet answers the first, or the second where the
# permission requires the user's boundary
_UNSETTLED = (_GONE, "AccessDenied", "AccessDeniedException")
_TRIES, _SETTLING = 4, 0.5  # s between: IAM is eventually consistent, mostly within a second; a bind has five
T = TypeVar("T")


class IamUsers:
    """Creates and removes sending users."""

    def __init__(self, client: "IAMClient", *, boundary_arn: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._boundary_arn = boundary_arn
        self._sleep = sleep

    def quota(self) -> Quota:
        """How much of the account's quota of users is left."""
        summary = self._client.get_account_summary()["SummaryMap"]
        return Quota(users=summary["Users"], limit=summary["UsersQuota"])

    def ensure_user(self, name: str, policy: Mapping[str, object], tags: Mapping[str, str]) -> None:
        """Create the user, or reuse one that an interrupted bind left, and give it *policy*.

        Raises AccountFull, and NotOurs. IAM itself refuses access to a user outside IAM_PATH.
        """
        self._create(name, tags)
        document = json.dumps(policy)
        self._settled(lambda: self._client.put_user_policy(UserName=name, PolicyName=POLICY, PolicyDocument=document))

    def _create(self, name: str, tags: Mapping[str, str]) -> None:
        try:
            self._client.create_user(
                UserName=name,
                Path=IAM_PATH,
                PermissionsBoundary=self._boundary_arn,
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            )
        except ClientError as error:
            if code(error) == "LimitExceeded":
                raise AccountFull from error
            if code(error) != "EntityAlreadyExists":
                raise
            if self._settled(lambda: self._owner(name)) != owner_of(tags):
                raise NotOurs(FOREIGN_USER.format(name=name)) from None

    def replace_key(self, name: str) -> AccessKey:
        """Replace the user's key. Keys of an interrupted bind are deleted first: their secret was never returned."""
        with ignoring(_GONE):
            self._remove_keys(name)
        key = self._settled(lambda: self._client.create_access_key(UserName=name))["AccessKey"]
        return AccessKey(id=key["AccessKeyId"], secret=key["SecretAccessKey"])

    def revoke_sending(self, name: str) -> None:
        """Take away the user's policy; its keys stay and may do nothing. What is gone is fine."""
        with ignoring(_GONE):
            self._client.delete_user_policy(UserName=name, PolicyName=POLICY)

    def remove_user(self, name: str, owner: str) -> None:
        """Delete the user, if it is instance *owner*'s, and everything attached to it. Idempotent."""
        with ignoring(_GONE):
            if self._owner(name) != owner:
                return
        with ignoring(_GONE):
            self._remove_keys(name)
        with ignoring(_GONE):
            self._client.delete_user_policy(UserName=name, PolicyName=POLICY)
        with ignoring(_GONE):
            self._client.delete_user(UserName=name)

    def _settled(self, call: Callable[[], T]) -> T:
        """Retry *call* for a new user that IAM may not know everywhere yet."""
        for _ in range(_TRIES):
            try:
                return call()
            except ClientError as error:
                if code(error) not in _UNSETTLED:
                    raise
            self._sleep(_SETTLING)
        return call()

    def _owner(self, name: str) -> str | None:
        return owner_in(self._client.get_user(UserName=name)["User"].get("Tags", []))

    def _remove_keys(self, name: str) -> None:
        for key in self._client.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            with ignoring(_GONE):
                self._client.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
