"""The portal: from a request to a response. Here, and nowhere else, callers are identified, limited and refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Protocol

from lambdas.domain.portal import Needs, Session
from lambdas.portal.errors import MethodNotAllowed, NotAllowed, NotFound, NotSignedIn, Refusal, TooManyRequests
from lambdas.portal.http import BadForm, Request, Response
from lambdas.portal.ports import CallCounter
from lambdas.portal.routing import Call, Route, Router
from lambdas.portal.sessions import Sessions

FORM_TOKEN = "form_token"  # noqa: S105  a field's name
WINDOW = timedelta(minutes=1)
CALLS_PER_SESSION = 240  # a minute: a person who clicks fast, with a page that follows a replay open
CALLS_WITHOUT_SESSION = 60  # a minute and address
STATIC = "static"
FAULT = 500


class Log(Protocol):
    """Records how each request was answered."""

    def __call__(self, route: str, instance: str, response: Response, fault: Exception | None) -> None: ...


RenderRefusal = Callable[[Request, Session | None, Refusal, datetime], Response]
Refresh = Callable[[Session, str, datetime], Session]


@dataclass(frozen=True, slots=True, kw_only=True)
class Portal:
    """Answers requests. *refresh* asks the platform again whether a session may still see an instance."""

    router: Router
    sessions: Sessions
    counter: CallCounter
    refresh: Refresh
    refused: RenderRefusal
    log: Log

    def answer(self, request: Request, *, now: datetime) -> Response:
        """The response, whatever happens: a fault of our own is a page that tells nothing of it."""
        route, parts, session, fault = None, dict[str, str](), None, None
        try:
            route, parts = self._route(request)
            if route is None or route.name != STATIC:
                session = self._session(request, now)
            response = self._answer(request, route, parts, session, now)
        except Refusal as refusal:
            response = self.refused(request, session, refusal, now)
        except Exception as error:  # noqa: BLE001  logged in full by `log`
            fault = error
            response = self.refused(
                request,
                session,
                _Fault("The page could not be made. Try again. If it fails again, contact the operator."),
                now,
            )
        self.log(route.name if route else "unknown", parts.get("instance", ""), response, fault)
        return replace(response, body="") if request.method == "HEAD" else response

    def _route(self, request: Request) -> tuple[Route | None, dict[str, str]]:
        try:
            return self.router.find(request.method, request.path)
        except (NotFound, MethodNotAllowed):
            return None, {}

    def _session(self, request: Request, now: datetime) -> Session | None:
        session = self.sessions.of(request, now=now)
        who, limit = (
            (session.id, CALLS_PER_SESSION) if session else (_network(request.source_ip), CALLS_WITHOUT_SESSION)
        )
        if self.counter.count_call(who, window=WINDOW, now=now) > limit:
            raise TooManyRequests("Wait a minute, then try again.")
        return session

    def _answer(
        self, request: Request, route: Route | None, parts: dict[str, str], session: Session | None, now: datetime
    ) -> Response:
        needs = route.needs if route else Needs.SIGN_IN
        if needs is not Needs.NOTHING and session is None:
            raise NotSignedIn("You are not signed in, or your session has ended.")
        if route is None:
            self.router.find(request.method, request.path)
            raise AssertionError("a route was found the second time")
        if session is not None and "instance" in parts:
            session = self.refresh(session, parts["instance"], now)
        if session is not None and not session.meets(needs, parts.get("instance", "")):
            raise NotFound("There is no page at this address, or you do not have access to it.")
        form = self._form(request, session, needs, now) if route.method == "POST" else {}
        return route.handle(Call(request=request, session=session, now=now, form=form, **parts))

    def _form(self, request: Request, session: Session | None, needs: Needs, now: datetime) -> Mapping[str, str]:
        """The posted fields. Raises NotAllowed for a form that another site, or another session, made."""
        if not _is_from_here(request):
            raise NotAllowed("The request came from another site.")
        try:
            form = request.form()
        except BadForm as bad:
            raise Refusal(str(bad)) from bad
        if needs is Needs.NOTHING or session is None:
            return form
        if not self.sessions.is_form_token(form.get(FORM_TOKEN, ""), session, now=now):
            raise NotAllowed("The form has expired. Go back, reload the page and try again.")
        return form


class _Fault(Refusal):
    """A fault of our own."""

    status = FAULT
    title = "Something went wrong"


def _is_from_here(request: Request) -> bool:
    """Whether a browser says that the request came from a page of ours; a caller without a browser says nothing."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    return request.headers.get("origin", request.origin) == request.origin


def _network(address: str) -> str:
    """Whose limit a caller without a session uses: its address, or its /64 where IPv6 gives it billions."""
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    return str(ip_network((found, 64), strict=False)) if isinstance(found, IPv6Address) else address
