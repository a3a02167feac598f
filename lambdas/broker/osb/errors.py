"""Everything the broker refuses: one root that carries its meaning on the wire. `api` alone renders it."""


class BrokerError(Exception):
    """A refusal. `status` and `code` go on the wire, the message is OSB's `description`: for people, naming the remedy.

    `headers` go along.
    """

    status = 500
    code = "InternalError"
    headers: dict[str, str] = {}  # noqa: RUF012  # of the class, never changed


class Unauthorized(BrokerError):
    """No credentials, or wrong ones."""

    status = 401
    code = "Unauthorized"
    headers = {"WWW-Authenticate": 'Basic realm="service broker", charset="UTF-8"'}  # noqa: RUF012


class VersionUnsupported(BrokerError):
    """X-Broker-API-Version is missing or names a version we do not speak."""

    status = 412
    code = "UnsupportedApiVersion"


class NoSuchRoute(BrokerError):
    """Nothing is there."""

    status = 404
    code = "NotFound"


class MethodNotAllowed(BrokerError):
    """The path is there, the method is not."""

    status = 405
    code = "MethodNotAllowed"

    def __init__(self, allowed: str) -> None:
        super().__init__(f"this path takes {allowed}")
        self.headers = {"Allow": allowed}


class TooLarge(BrokerError):
    """The request's body is over what any sensible request needs."""

    status = 413
    code = "RequestTooLarge"


class BadRequest(BrokerError):
    """Malformed, or missing something."""

    status = 400
    code = "BadRequest"


class BadParameter(BadRequest):
    """A parameter that will not do; `field` is its name."""

    code = "InvalidParameter"

    def __init__(self, field: str, remedy: str) -> None:
        super().__init__(f"{field}: {remedy}")
        self.field = field


class NotFound(BrokerError):
    """What was asked for does not exist."""

    status = 404
    code = "NotFound"


class Gone(BrokerError):
    """What was to be deleted does not exist, or no more."""

    status = 410
    code = "Gone"


class Conflict(BrokerError):
    """The id exists with other attributes."""

    status = 409
    code = "Conflict"


class DomainConflict(Conflict):
    """The domain cannot be this instance's."""

    code = "DomainConflict"


class Unprocessable(BrokerError):
    """Understood, but not possible."""

    status = 422
    code = "UnprocessableEntity"


class ChangeUnsupported(Unprocessable):
    """An update of what cannot be changed."""

    code = "ChangeUnsupported"


class InUse(Unprocessable):
    """Something still needs what was to be deleted."""

    code = "InstanceInUse"


class QuotaExceeded(Unprocessable):
    """The account has no room for another."""

    code = "QuotaExceeded"


class AsyncRequired(Unprocessable):
    """OSB's own: the platform must say accepts_incomplete=true."""

    code = "AsyncRequired"


class ConcurrencyError(Unprocessable):
    """OSB's own: another operation is under way."""

    code = "ConcurrencyError"


class MaintenanceInfoConflict(Unprocessable):
    """OSB's own: the catalog names no such maintenance_info."""

    code = "MaintenanceInfoConflict"


class Busy(BrokerError):
    """AWS takes no more calls now; nothing was done, trying again helps."""

    status = 503
    code = "Busy"
    headers = {"Retry-After": "10"}  # noqa: RUF012
