"""Which action and resource an error of AWS names, and how a log line carries them."""

import importlib
import io
import json
import logging
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from lambdas.aws.refusals import Refusal, RefusalFields, refusal_in, refusal_of

ROLE = "arn:aws-us-gov:sts::111122223333:assumed-role/ses-feedback-Worker/worker"
SET = "arn:aws-us-gov:ses:us-gov-west-1:111122223333:configuration-set/ses-feedback-i1"


def denied(code: str, message: str, operation: str = "CreateConfigurationSet") -> ClientError:
    """An error answer."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (
            "AccessDeniedException",
            f"User: {ROLE} is not authorized to perform: ses:CreateConfigurationSet on resource: {SET} because no "
            "identity-based policy allows the ses:CreateConfigurationSet action",
            ("ses:CreateConfigurationSet", SET),
        ),
        (
            "AuthorizationError",
            f"User: {ROLE} is not authorized to perform: SNS:Publish on resource: arn:aws:sns:x:1:t with an explicit "
            "deny in a resource-based policy",
            ("SNS:Publish", "arn:aws:sns:x:1:t"),
        ),
        (
            "AccessDenied",
            f"User: {ROLE} is not authorized to perform: iam:CreateUser because no permissions boundary allows it",
            ("iam:CreateUser", ""),
        ),
        (
            "UnauthorizedOperation",
            "You are not authorized to perform this operation. Encoded authorization failure message: Zm9v",
            ("CreateConfigurationSet", ""),
        ),
    ],
)
def test_a_refusal_names_the_action_and_the_resource(code: str, message: str, expected: tuple[str, str]) -> None:
    """As far as AWS's answer does; else the operation."""
    refusal = refusal_of(denied(code, message))
    assert refusal == Refusal(code=code, action=expected[0], resource=expected[1])


def test_other_errors_are_no_refusal() -> None:
    """Throttling, a missing resource, an error of our own."""
    assert refusal_of(denied("ThrottlingException", "Rate exceeded")) is None
    assert refusal_of(ValueError("not authorized to perform: a:b on resource: c")) is None
    assert refusal_in("An error occurred (NotFound) when calling the Get operation: none") is None


def test_a_refusal_behind_an_error_of_our_own_is_found() -> None:
    """Adapters turn AWS's errors into the domain's."""
    try:
        try:
            raise denied("AccessDenied", f"User: {ROLE} is not authorized to perform: iam:GetUser on resource: r")
        except ClientError as error:
            raise RuntimeError("user not read") from error
    except RuntimeError as error:
        found = refusal_of(error)
    assert found == Refusal(code="AccessDenied", action="iam:GetUser", resource="r")


def test_an_error_that_nobody_caught_is_read_from_lambdas_own_line() -> None:
    """`[ERROR] ClientError: An error occurred ...`"""
    line = (
        "[ERROR] ClientError: An error occurred (AccessDeniedException) when calling the Query operation: "
        f"User: {ROLE} is not authorized to perform: dynamodb:Query on resource: arn:aws:dynamodb:x:1:table/t because"
    )
    assert refusal_in(line) == Refusal(
        code="AccessDeniedException", action="dynamodb:Query", resource="arn:aws:dynamodb:x:1:table/t"
    )


def test_no_address_and_no_caller_gets_into_the_fields() -> None:
    """An identity may be an address; the caller's ARN is left out."""
    where = "arn:aws:ses:x:1:identity/a.b@c.gov"
    message = f"User: {ROLE} is not authorized to perform: ses:SendEmail on resource: {where}"
    refusal = refusal_of(denied("AccessDenied", message))
    assert refusal is not None
    assert refusal.resource == "arn:aws:ses:x:1:identity/***@c.gov"
    assert "assumed-role" not in repr(refusal)


@pytest.mark.parametrize("function", ["broker", "delivery", "feedback", "portal", "reputation"])
def test_every_functions_log_lines_carry_the_fields_of_a_refusal(function: str) -> None:
    """Through its own logger, whatever the line's level."""
    logger: Any = importlib.import_module(f"lambdas.{function}.handler").logger
    assert [one for one in logger._logger.filters if isinstance(one, RefusalFields)]


def test_a_line_with_a_refusal_has_three_fields_more_and_any_other_none() -> None:
    """JSON as the functions write it."""
    stream = io.StringIO()
    logger = Logger(service="refusals", stream=stream, level=logging.INFO)
    logger.addFilter(RefusalFields())
    for error in (denied("AccessDenied", f"not authorized to perform: ses:X on resource: {SET}"), ValueError("x")):
        logger.warning("step failed", exc_info=error)
    logger.info("done")
    first, second, third = map(json.loads, stream.getvalue().splitlines())
    assert (first["action"], first["resource"], first["error_code"]) == ("ses:X", SET, "AccessDenied")
    assert not {"action", "resource", "error_code"} & (second.keys() | third.keys())
