"""Routes: which page or action a request is for, and what it asks of the caller."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from lambdas.domain.portal import Needs, Session
from lambdas.portal.errors import MethodNotAllowed, NotFound
from lambdas.portal.http import Request, Response

_SEGMENT = r"[A-Za-z0-9\-._~]"  # OSB's unreserved characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request on its route. `form` is empty for a GET; `session` is None on routes that need none."""

    request: Request
    session: Session | None
    now: datetime
    form: Mapping[str, str] = field(default_factory=dict, repr=False)
    instance: str = ""
    webhook: str = ""
    id: str = ""
    name: str = ""

    @property
    def signed_in(self) -> Session:
        """The session, on routes that need one."""
        assert self.session is not None  # noqa: S101  the app checked it
        return self.session


@dataclass(frozen=True)
class Route:
    """*path* may name parts in braces: {instance}, {webhook}, {id}, {name}."""

    name: str
    method: str
    path: str
    needs: Needs
    handle: Callable[[Call], Response]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What its paths look like."""
        return re.compile(re.sub(r"\\{(\w+)\\}", rf"(?P<\1>{_SEGMENT}{{1,128}})", re.escape(self.path)))


@dataclass(frozen=True)
class Router:
    """Finds the route of a request."""

    routes: Sequence[Route]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """The route and the parts of its path. Raises NotFound, MethodNotAllowed."""
        method = "GET" if method == "HEAD" else method
        matches = [(route, match) for route in self.routes if (match := route.pattern.fullmatch(path))]
        for route, match in matches:
            if route.method == method:
                return route, match.groupdict()
        if matches:
            raise MethodNotAllowed("This page does not take that kind of request.")
        raise NotFound("There is no page at this address.")
