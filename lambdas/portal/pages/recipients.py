"""The operators' page that finds a recipient in all instances. Posted: no address in a URL, a log or a referrer."""

from dataclasses import dataclass
from datetime import timedelta

from lambdas.portal.errors import Refusal
from lambdas.portal.http import Response
from lambdas.portal.overview import Overviews
from lambdas.portal.pages.mail import needle_of
from lambdas.portal.pages.operators import is_about
from lambdas.portal.recipients import RecipientFinder, RecipientPlace
from lambdas.portal.rendering import Renderer
from lambdas.portal.routing import Call

_SALT = "recipients"
_OPEN_FOR = timedelta(hours=1)  # how long a page with a search may be open before it is continued
_LONGEST = 320  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientPages:
    """Asks for a recipient, and shows the bounces and complaints of all instances."""

    renderer: Renderer
    finder: RecipientFinder
    overviews: Overviews

    def ask(self, call: Call) -> Response:
        """The empty form."""
        return self.renderer.page(call, "recipients.html", needle="", within="", search=None)

    def search(self, call: Call) -> Response:
        """What the next instances know of the form's recipient; `within` restricts it to some instances."""
        needle, within = needle_of(call), call.form.get("within", "").strip()[:_LONGEST]
        place = self._place(call)
        chosen = {one.id: one.domain for one in self.overviews.recent(call.now).instances if is_about(one, within)}
        search = self.finder.search(tuple(chosen), needle, place=place)
        sessions = self.renderer.sessions
        return self.renderer.page(
            call,
            "recipients.html",
            needle=needle,
            within=within,
            search=search,
            domains=chosen,
            place=sessions.sign([search.place.after, dict(search.place.unfinished)], salt=_SALT, now=call.now),
        )

    def _place(self, call: Call) -> RecipientPlace:
        """Where the last request ended. Raises Refusal."""
        text = call.form.get("place", "")
        if not text:
            return RecipientPlace()
        place = self.renderer.sessions.verified(text, salt=_SALT, age=_OPEN_FOR, now=call.now)
        if place is None:
            raise Refusal("The search was left open for too long. Begin it again.")
        after, unfinished = place
        return RecipientPlace(after=after, unfinished=unfinished)
