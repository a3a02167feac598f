"""Why a request is refused. One root; `lambdas.portal.app` renders each as a page with its status."""

from collections.abc import Mapping


class Refusal(Exception):
    """A request that is not answered as asked. The message is shown to the caller."""

    status = 400
    title = "That did not work"
    headers: Mapping[str, str] = {}


class NotSignedIn(Refusal):
    """Nobody is signed in. The page is the same for every address, so that it tells nothing of what exists."""

    status = 401
    title = "Sign in"
    headers = {"www-authenticate": 'Cookie realm="portal"'}  # noqa: RUF012  RFC 9110 asks for it with a 401


class NotFound(Refusal):
    """There is no such page, or none that the caller may see."""

    status = 404
    title = "Not found"


class NotAllowed(Refusal):
    """The request did not come from a page of ours, or its form has expired."""

    status = 403
    title = "Not allowed"


class MethodNotAllowed(Refusal):
    """The page exists, for another method."""

    status = 405
    title = "Not allowed"


class Conflict(Refusal):
    """It cannot be done as things stand now."""

    status = 409
    title = "Not possible now"


class TooManyRequests(Refusal):
    """A limit is used up; it is possible again in *seconds*."""

    status = 429
    title = "Too many requests"

    def __init__(self, message: str, *, seconds: int = 60) -> None:
        super().__init__(message)
        self.headers = {"retry-after": str(seconds)}


class Unavailable(Refusal):
    """Something that the page needs does not answer."""

    status = 503
    title = "Not available now"
