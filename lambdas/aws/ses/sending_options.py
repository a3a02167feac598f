"""Whether an instance may send: the sending option of its configuration set in SES."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.aws.errors import code
from lambdas.domain.tenants.aws_names import configuration_set

if TYPE_CHECKING:
    from types_boto3_sesv2 import SESV2Client

_GONE = frozenset({"NotFoundException", "ConfigurationSetDoesNotExistException"})


class SendingOptions:
    """Calls SES's control plane. Callers acquire the rate limiter first."""

    def __init__(self, client: "SESV2Client") -> None:
        self._client = client

    def set(self, instance_id: str, *, enabled: bool) -> bool:
        """Allow or stop the instance's sending; False if its configuration set does not exist."""
        try:
            self._client.put_configuration_set_sending_options(
                ConfigurationSetName=configuration_set(instance_id), SendingEnabled=enabled
            )
        except ClientError as error:
            if code(error) not in _GONE:
                raise
            return False
        return True

    def enabled(self, instance_id: str) -> bool | None:
        """Whether SES lets the instance send; None if its configuration set does not exist."""
        try:
            answer = self._client.get_configuration_set(ConfigurationSetName=configuration_set(instance_id))
        except ClientError as error:
            if code(error) not in _GONE:
                raise
            return None
        return answer.get("SendingOptions", {}).get("SendingEnabled", True)
