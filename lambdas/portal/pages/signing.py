"""Signing in by a one-time link, and signing out."""

from dataclasses import dataclass

from lambdas.domain.portal import Session
from lambdas.portal.errors import Refusal
from lambdas.portal.http import Response, see_other
from lambdas.portal.ports import SessionStore
from lambdas.portal.rendering import Renderer
from lambdas.portal.routing import Call
from lambdas.portal.sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningPages:
    """A link's page has one button, because mail scanners follow links: opening it uses nothing up."""

    renderer: Renderer
    sessions: Sessions
    links: SessionStore

    def show_link(self, call: Call) -> Response:
        """The page behind a link."""
        usable = self.links.has_link(call.id, now=call.now)
        return self.renderer.page(call, "link.html", status=200 if usable else 410, usable=usable, token=call.id)

    def use_link(self, call: Call) -> Response:
        """Exchange the link for a session."""
        session = self.sessions.redeem(call.form.get("token", ""), now=call.now)
        if session is None:
            raise Refusal("This link was used, or has expired. Ask for a new one.")
        home = home_of(session)
        return see_other(call.request.root + home, cookies=(self.sessions.cookie(session, now=call.now),))

    def sign_out(self, call: Call) -> Response:
        """End the session."""
        return see_other(call.request.root + "signed-out", cookies=(self.sessions.end(call.signed_in),))

    def signed_out(self, call: Call) -> Response:
        """What is shown afterwards."""
        return self.renderer.page(call, "signed_out.html")


def home_of(session: Session) -> str:
    """The page that a session begins at, from the root: its only instance, or the list."""
    return f"instances/{session.instances[0]}" if len(session.instances) == 1 and not session.is_operator else "."
