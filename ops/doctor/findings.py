"""What a check of the doctor finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError

from ops.doctor.account import Account


class Level(StrEnum):
    """How a finding is to be taken. A problem makes the command end with status 1."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor's answer. `remedy` says what to do; it is empty when all is well."""

    check: str
    level: Level
    text: str
    remedy: str = ""


Check = Callable[[Account], Iterable[Finding]]


def ok(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check=check, level=Level.OK, text=text)


def warning(check: str, text: str, remedy: str) -> Finding:
    """Will be a problem, or may be one."""
    return Finding(check=check, level=Level.WARNING, text=text, remedy=remedy)


def problem(check: str, text: str, remedy: str) -> Finding:
    """Something does not work."""
    return Finding(check=check, level=Level.PROBLEM, text=text, remedy=remedy)


def run(check: Check, account: Account) -> list[Finding]:
    """What *check* finds. What AWS refuses becomes a warning that names the call."""
    name = check.__name__.replace("_", " ")
    try:
        return list(check(account))
    except ClientError as error:
        code, text = error.response["Error"]["Code"], error.response["Error"]["Message"]
        return [warning(name, f"{error.operation_name} answered {code}: {text}", "allow this call, then run it again")]
    except BotoCoreError as error:
        return [warning(name, str(error), "check the network and the credentials, then run it again")]
