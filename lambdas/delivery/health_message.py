"""The notification to admin_email when a webhook's health changes: what happened, how much waits, what to do."""

from datetime import datetime

from lambdas.domain.webhooks.health import Health, HealthState
from lambdas.domain.webhooks.target import Target


def message(target: Target, health: Health, *, waiting: int, page: str = "") -> tuple[str, str]:
    """Subject and text. The URL is shown without its query, which may hold a token; it has no userinfo.

    *page* is the address of the webhook's page in the portal; empty if there is none.
    """
    where = f"Webhook {target.url.partition('?')[0]}\nof service instance {target.instance_id}"
    facts = [f"Last result: {health.last_reason or 'none'}", f"Events waiting: about {waiting}"]
    if health.first_failure:
        facts.insert(1, f"First failure: {_when(health.first_failure)}")
    match health.state:
        case HealthState.FAILING:
            subject = "Webhook is failing; its events are kept"
            advice = (
                "Events are kept for 14 days and sent, oldest first, as soon as the webhook answers with a 2xx status\n"
                "within 15 seconds. It is tried at least every 15 minutes. Check that the application runs and that\n"
                "the URL is right. After five days without success the webhook is disabled."
            )
        case HealthState.DISABLED:
            subject = "Webhook is disabled; its events are kept"
            advice = (
                "Nothing is sent to it any more; its events are kept for 14 days. To enable it once it answers again,\n"
                + ("use the button on the page below, or " if page else "")
                + "give the binding its URL again (cf update-service with\nbindings), or ask the platform's operator."
            )
        case HealthState.HEALTHY:
            subject = "Webhook is healthy again"
            advice = "What waited is being sent now, oldest first. There is nothing to do."
    link = [f"The webhook in the portal: {page}"] if page else []
    return subject, "\n\n".join([f"{subject}.", where, "\n".join(facts), advice, *link])


def _when(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
