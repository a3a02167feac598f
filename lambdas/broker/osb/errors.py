"""Every error that the broker answers. Only `api` renders them; docs/errors.md is generated from this module.

A class's docstring is the cause, and `remedy` what to do, in the words of docs/errors.md.
"""


class BrokerError(Exception):
    """The broker failed. The platform may repeat the request: every request can be repeated.

    `status`, `headers` and `code` (OSB's `error`) go on the wire, with the message as OSB's `description`.
    """

    status = 500
    code = "InternalError"
    remedy = "Repeat the request. If it fails again, the operator finds the fault with `python -m ops errors broker`."
    headers: dict[str, str] = {}  # noqa: RUF012  # of the class, never changed


class Unauthorized(BrokerError):
    """The credentials are missing or wrong."""

    remedy = "Register the broker with the user name and password that `python -m ops broker show --password` prints."
    status = 401
    code = "Unauthorized"
    headers = {"WWW-Authenticate": 'Basic realm="service broker", charset="UTF-8"'}  # noqa: RUF012


class VersionUnsupported(BrokerError):
    """The header X-Broker-API-Version is missing or names a version that the broker does not speak."""

    remedy = "Send `X-Broker-API-Version: 2.17`, or any other 2.x."
    status = 412
    code = "UnsupportedApiVersion"


class NoSuchRoute(BrokerError):
    """The path does not exist."""

    remedy = "Compare the URL with the Open Service Broker API; register the broker's URL without a path below it."
    status = 404
    code = "NotFound"


class MethodNotAllowed(BrokerError):
    """The path exists, the method does not."""

    remedy = "Use one of the methods that the `Allow` header names."
    status = 405
    code = "MethodNotAllowed"

    def __init__(self, allowed: str) -> None:
        super().__init__(f"this path takes {allowed}")
        self.headers = {"Allow": allowed}


class TooLarge(BrokerError):
    """The request's body is larger than any valid request."""

    remedy = "Send fewer or shorter parameters."
    status = 413
    code = "RequestTooLarge"


class BadRequest(BrokerError):
    """The request is malformed, or a required field is missing."""

    remedy = "Correct the field that the description names."
    status = 400
    code = "BadRequest"


class BadParameter(BadRequest):
    """A parameter is unknown, has the wrong type, or is not acceptable."""

    remedy = (
        "The description begins with the parameter's name and says what is right. [Send mail](tenants.md) lists all"
        " parameters."
    )
    code = "InvalidParameter"

    def __init__(self, field: str, remedy: str) -> None:
        super().__init__(f"{field}: {remedy}")
        self.field = field


class NotFound(BrokerError):
    """The instance or binding does not exist, or is not ready yet."""

    remedy = "Check the id; while it is being created, wait until `last_operation` says `succeeded`."
    status = 404
    code = "NotFound"


class Gone(BrokerError):
    """The instance or binding that should be deleted does not exist, or was deleted."""

    remedy = "Nothing: platforms treat this answer as success."
    status = 410
    code = "Gone"


class Conflict(BrokerError):
    """An instance or binding with this id exists with other attributes."""

    remedy = "Use a new id, or repeat the request with the attributes it was created with."
    status = 409
    code = "Conflict"


class DomainConflict(Conflict):
    """The domain is not available to this instance."""

    remedy = (
        "Choose another domain, or leave `domain` empty to get a generated one. If the domain is yours, ask the "
        "operator, who sees which instance holds it."
    )
    code = "DomainConflict"


class Unprocessable(BrokerError):
    """The request is understood, but cannot be carried out."""

    remedy = "See the description."
    status = 422
    code = "UnprocessableEntity"


class ChangeUnsupported(Unprocessable):
    """The update would change something that is fixed."""

    remedy = "Create a new instance, or a new binding for parameters of the credentials."
    code = "ChangeUnsupported"


class InUse(Unprocessable):
    """Bindings still use the instance that should be deleted."""

    remedy = "Unbind the applications and delete the service keys first."
    code = "InstanceInUse"


class QuotaExceeded(Unprocessable):
    """A limit of the instance, the organization or the AWS account is reached."""

    remedy = (
        "Delete what is no longer used, or ask the operator, who can raise the limit ([context "
        "keys](operators.md#every-context-key), AWS quotas)."
    )
    code = "QuotaExceeded"


class AsyncRequired(Unprocessable):
    """The platform did not say `accepts_incomplete=true`, and this operation is asynchronous."""

    remedy = "Use a platform or client that supports asynchronous operations; `cf` does."
    code = "AsyncRequired"


class ConcurrencyError(Unprocessable):
    """Another operation on the instance or binding is in progress."""

    remedy = "Wait until it has ended (`cf service my-mail`), then repeat the request."
    code = "ConcurrencyError"


class MaintenanceInfoConflict(Unprocessable):
    """The request names a `maintenance_info.version` that the catalog does not have."""

    remedy = "Have the platform fetch the catalog again: `cf update-service-broker`."
    code = "MaintenanceInfoConflict"


class Busy(BrokerError):
    """AWS accepts no more calls at the moment."""

    remedy = "Repeat the request after the seconds in the `Retry-After` header."
    status = 503
    code = "Busy"
    headers = {"Retry-After": "10"}  # noqa: RUF012
