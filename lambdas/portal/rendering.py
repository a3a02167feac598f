"""Pages from templates: every value is escaped, every link is relative, every form carries the session's token."""

import gzip
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from lambdas.domain.portal import Session
from lambdas.portal.errors import NotFound, Refusal
from lambdas.portal.http import Request, Response
from lambdas.portal.routing import Call
from lambdas.portal.sessions import Sessions

FOLDER = Path(__file__).parent
FOLDERS = (FOLDER / "static", FOLDER / "vendor")  # of assets; the bundle brings the second
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
ADDRESSES = 5  # of one mail that a table shows
LONGEST_ADDRESS = 320  # characters, by RFC 3696
_HASH = 12  # hexadecimal digits in an asset's name


@dataclass(frozen=True)
class Assets:
    """Style sheets, scripts and icons, served under names that hold their content's hash."""

    folders: tuple[Path, ...]

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Each file's name in URLs."""
        return {path.name: f"{path.stem}.{_digest(path)}{path.suffix}" for path in self._files}

    def get(self, name: str, *, compressed: bool) -> Response:
        """The asset of that name in URLs. Raises NotFound."""
        path = next((path for path in self._files if self.names[path.name] == name), None)
        if path is None:
            raise NotFound("There is no such file.")
        body = path.read_bytes()
        headers = {"vary": "accept-encoding"} | ({"content-encoding": "gzip"} if compressed else {})
        return Response(
            body=gzip.compress(body, mtime=0) if compressed else body,
            content_type=_TYPES[path.suffix],
            headers=headers,
            cacheable=True,
        )

    @cached_property
    def _files(self) -> tuple[Path, ...]:
        return tuple(path for folder in self.folders for path in sorted(folder.iterdir()) if path.suffix in _TYPES)


@dataclass(frozen=True, kw_only=True)
class Renderer:
    """Renders templates for a call. *operator_name* and *support_url* stand on the help page."""

    sessions: Sessions
    assets: Assets
    sign_in: str
    operator_name: str = ""
    support_url: str = ""

    def page(self, call: Call, template: str, *, status: int = 200, **values: Any) -> Response:
        """The page *template* with *values*."""
        return self._response(call.request, call.session, call.now, template, status, values | {"call": call})

    def refused(self, request: Request, session: Session | None, refusal: Refusal, now: datetime) -> Response:
        """Why a request was not answered as asked; without a session always the help page, for any address."""
        template = "help.html" if refusal.status == 401 else "refused.html"
        response = self._response(request, session, now, template, refusal.status, {"refusal": refusal})
        return Response(status=refusal.status, body=response.body, headers={**response.headers, **refusal.headers})

    def _response(
        self,
        request: Request,
        session: Session | None,
        now: datetime,
        template: str,
        status: int,
        values: Mapping[str, Any],
    ) -> Response:
        body = self._environment.get_template(template).render(
            root=request.root,
            assets=self.assets.names,
            session=session,
            form_token=self.sessions.form_token(session, now=now) if session else "",
            sign_in=self.sign_in,
            wanted=request.path.lstrip("/") if request.method == "GET" else "",
            operator_name=self.operator_name or "the operator of this service",
            support_url=self.support_url,
            now=now,
            **values,
        )
        # not compressed: a page holds a token beside what a caller typed (BREACH)
        return Response(status=status, body=body)

    @cached_property
    def _environment(self) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(FOLDER / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters |= {
            "moment": moment,
            "ago": ago,
            "short": short,
            "addresses": addresses,
            "field_time": lambda value: value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M"),
            "percent": percent,
            "number": lambda value: f"{value:,}",
            "words": lambda value: str(value).replace("_", " "),
        }
        return environment


def moment(value: datetime | None) -> str:
    """A moment for people, in UTC."""
    return value.astimezone(UTC).strftime("%d %b %Y %H:%M UTC") if value else ""


def ago(value: datetime | None, now: datetime) -> str:
    """How long ago *value* was, in words: "3 minutes ago"."""
    return f"{duration(now - value)} ago" if value else ""


def duration(span: timedelta) -> str:
    """A time span in its largest whole unit."""
    seconds = max(0, int(span.total_seconds()))
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "less than a minute"


def short(text: str, most: int) -> str:
    """*text*, cut to *most* characters: what others wrote must not make a page larger than Lambda may answer."""
    return text if len(text) <= most else text[: most - 1] + "…"


def addresses(values: Sequence[str]) -> str:
    """The first of *values*, of an address's length at most, and how many more there are."""
    first = ", ".join(short(value, LONGEST_ADDRESS) for value in values[:ADDRESSES])
    more = len(values) - ADDRESSES
    return f"{first} and {more} more" if more > 0 else first


def percent(share: float) -> str:
    """A share of one as a percentage to three digits: 2.99 %, 0.0412 %."""
    return f"{100 * share:.3g} %"


def assets_in(folders: Iterable[Path]) -> Assets:
    """The assets in those of *folders* that are there."""
    return Assets(tuple(folder for folder in folders if folder.is_dir()))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:_HASH]
