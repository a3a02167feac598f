"""Errors that adapters raise and rules handle."""


class Throttled(Exception):
    """AWS throttled the call. Retry after `wait` seconds."""

    def __init__(self, wait: float, message: str = "throttled") -> None:
        super().__init__(message)
        self.wait = wait


class Declined(Exception):
    """AWS refused the request for good: a retry cannot succeed. The message tells the tenant why."""


class NotOurs(Declined):
    """A resource of that name exists without this instance's tag. The message names it."""


class VersionConflict(Exception):
    """Another writer changed the record since it was read. Read it again and decide again."""


class DomainTaken(Exception):
    """Another instance holds a claim on the domain or on a parent of it."""


class AccountFull(Exception):
    """The AWS account's quota of IAM users is used up."""


class OrganizationFull(Exception):
    """The organization has as many instances as it may have."""
