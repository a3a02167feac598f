"""Every route of the portal, with what it asks of the caller."""

from dataclasses import dataclass

from lambdas.domain.portal import SIGN_IN_CALLBACK, Needs
from lambdas.portal.app import STATIC
from lambdas.portal.http import Response
from lambdas.portal.pages.mail import MailPages
from lambdas.portal.pages.openid import OpenIdPages
from lambdas.portal.pages.operators import OperatorPages
from lambdas.portal.pages.recipients import RecipientPages
from lambdas.portal.pages.replays import ReplayPages
from lambdas.portal.pages.sending import SendingPages
from lambdas.portal.pages.setup import SetupPages
from lambdas.portal.pages.signing import SigningPages
from lambdas.portal.pages.status import StatusPages
from lambdas.portal.pages.webhooks import WebhookPages
from lambdas.portal.rendering import Assets
from lambdas.portal.routing import Call, Route

_INSTANCE = "/instances/{instance}"
_WEBHOOK = _INSTANCE + "/webhooks/{webhook}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """All pages."""

    signing: SigningPages
    openid: OpenIdPages | None
    status: StatusPages
    mail: MailPages
    webhooks: WebhookPages
    replays: ReplayPages
    sending: SendingPages
    setup: SetupPages
    operators: OperatorPages
    recipients: RecipientPages
    assets: Assets


def routes(pages: Pages) -> tuple[Route, ...]:
    """The routes. A route with `{instance}` is answered only to callers with a right to that instance."""

    def static(call: Call) -> Response:
        return pages.assets.get(call.name, compressed="gzip" in call.request.headers.get("accept-encoding", ""))

    openid = pages.openid
    sign_in = (
        ()
        if openid is None
        else (
            Route("sign in", "GET", "/sign-in", Needs.NOTHING, openid.begin),
            Route("sign-in callback", "GET", SIGN_IN_CALLBACK, Needs.NOTHING, openid.finish),
        )
    )
    return (
        *sign_in,
        Route(STATIC, "GET", "/static/{name}", Needs.NOTHING, static),
        Route("link", "GET", "/link/{id}", Needs.NOTHING, pages.signing.show_link),
        Route("use link", "POST", "/link", Needs.NOTHING, pages.signing.use_link),
        Route("signed out", "GET", "/signed-out", Needs.NOTHING, pages.signing.signed_out),
        Route("sign out", "POST", "/sign-out", Needs.SIGN_IN, pages.signing.sign_out),
        Route("home", "GET", "/", Needs.SIGN_IN, pages.operators.home),
        Route("search", "POST", "/search", Needs.OPERATOR, pages.operators.search),
        Route("recipients", "GET", "/recipients", Needs.OPERATOR, pages.recipients.ask),
        Route("find recipient", "POST", "/recipients", Needs.OPERATOR, pages.recipients.search),
        Route("status", "GET", _INSTANCE, Needs.READ, pages.status.show),
        Route("evidence", "GET", _INSTANCE + "/evidence.csv", Needs.READ, pages.status.download),
        Route("mail", "GET", _INSTANCE + "/mail", Needs.READ, pages.mail.ask),
        Route("find mail", "POST", _INSTANCE + "/mail", Needs.READ, pages.mail.search),
        Route("webhooks", "GET", _INSTANCE + "/webhooks", Needs.READ, pages.webhooks.list),
        Route("webhook", "GET", _WEBHOOK, Needs.READ, pages.webhooks.show),
        Route("test webhook", "POST", _WEBHOOK + "/test", Needs.MANAGE, pages.webhooks.test),
        Route("enable webhook", "POST", _WEBHOOK + "/enable", Needs.MANAGE, pages.webhooks.enable),
        Route("rotate secret", "POST", _WEBHOOK + "/secret", Needs.MANAGE, pages.webhooks.rotate),
        Route("replay", "POST", _WEBHOOK + "/replay", Needs.MANAGE, pages.replays.begin),
        Route("replay progress", "GET", _WEBHOOK + "/replay", Needs.READ, pages.replays.show),
        Route("disable webhook", "POST", _WEBHOOK + "/disable", Needs.OPERATE, pages.webhooks.disable),
        Route("sending", "GET", _INSTANCE + "/sending", Needs.READ, pages.sending.show),
        Route("resume by the tenant", "POST", _INSTANCE + "/sending", Needs.MANAGE, pages.sending.resume_self),
        Route("pause", "POST", _INSTANCE + "/operator/pause", Needs.OPERATE, pages.sending.pause),
        Route("resume", "POST", _INSTANCE + "/operator/resume", Needs.OPERATE, pages.sending.resume),
        Route("setup", "GET", _INSTANCE + "/setup", Needs.READ, pages.setup.show),
        Route("resend confirmation", "POST", _INSTANCE + "/setup/confirmation", Needs.MANAGE, pages.setup.resend),
    )
