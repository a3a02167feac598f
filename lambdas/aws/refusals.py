"""Which action on which resource AWS refused: read from its error, for log lines and for operators.

IAM's answer is a sentence (docs.aws.amazon.com, "Access denied error messages"): "User: ARN is not authorized to
perform: ACTION on resource: ARN because no identity-based policy allows the ACTION action". EC2 answers without it.
"""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass

from botocore.exceptions import ClientError

CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",  # SNS
        "AuthorizationErrorException",
        "Client.UnauthorizedOperation",
        "KMSAccessDeniedException",  # DynamoDB, SQS: the key that they use for us
        "KMS.AccessDeniedException",
        "NotAuthorized",
        "UnauthorizedOperation",  # EC2
    }
)
_SENTENCE = re.compile(r"not authorized to perform:? (?P<action>[\w-]+:\w+)(?: on resource: (?P<resource>\S+))?")
_CODE = re.compile(r"An error occurred \((?P<code>[\w.]+)\) when calling the (?P<operation>\w+) operation")
_LOCAL_PART = re.compile(r"[^/:,\s\"']+@")  # of an address, as in the ARN of an identity
_MAX_LENGTH = 300  # characters: an ARN has at most 2,048, and a log line has better to do


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What AWS refused. `action` is the operation's name where the answer does not say; `resource` may be empty."""

    code: str
    action: str
    resource: str


def refusal_of(error: BaseException | None) -> Refusal | None:
    """The refusal that *error* is or came from; None if AWS did not deny a right."""
    for one in _chain(error):
        if isinstance(one, ClientError) and one.response["Error"]["Code"] in CODES:
            details = one.response["Error"]
            return _read(details["Code"], str(details.get("Message", "")), one.operation_name)
    return None


def refusal_in(text: str) -> Refusal | None:
    """The refusal in a line of text, such as the traceback that Lambda logs of an error that nobody caught."""
    found = _CODE.search(text)
    if found is None or found["code"] not in CODES:
        return None
    return _read(found["code"], text, found["operation"])


def _read(code: str, text: str, operation: str) -> Refusal:
    sentence = _SENTENCE.search(text)
    action = sentence["action"] if sentence else operation
    resource = (sentence["resource"] or "") if sentence else ""
    return Refusal(code=code, action=action, resource=_LOCAL_PART.sub("***@", resource)[:_MAX_LENGTH])


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it was raised from or while handling."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


class RefusalFields(logging.Filter):
    """Adds `action`, `resource` and `error_code` to a line that is logged with an error by which AWS denied a right.

    `ops errors` and `ops accept` show them. Passes every line.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields, where there are any."""
        refusal = refusal_of(record.exc_info[1]) if record.exc_info else None
        if refusal is not None:
            record.action = refusal.action
            record.resource = refusal.resource
            record.error_code = refusal.code
        return True
