"""Texts of the notifications about a transition: what happened, the evidence, and what to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from lambdas.domain.portal import page_of
from lambdas.domain.reputation.evaluation import Reason, Reputation, ReputationRules, SendingState
from lambdas.domain.reputation.ledger import LedgerEntry
from lambdas.domain.reputation.sending_status import Cause, Transition

EVIDENCE = 20  # of the latest ledger entries: enough to see a pattern
_RECIPIENTS = 5  # of an entry
_NAMES = {Reason.BOUNCES: "bounce rate", Reason.COMPLAINTS: "complaint rate"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """An e-mail of plain text."""

    subject: str
    text: str


def to_admin(
    transition: Transition, evidence: Sequence[LedgerEntry], rules: ReputationRules, *, portal_url: str = ""
) -> Message:
    """For the instance's admin_email. *portal_url* is where the portal is; empty if there is none."""
    return _message(transition, evidence, rules, _what_a_tenant_does(transition) + _page(transition, portal_url))


def to_operator(
    transition: Transition, evidence: Sequence[LedgerEntry], rules: ReputationRules, *, portal_url: str = ""
) -> Message:
    """For the operator: the same evidence, and the commands."""
    return _message(transition, evidence, rules, _what_an_operator_does(transition) + _page(transition, portal_url))


def _page(transition: Transition, portal_url: str) -> str:
    page = page_of(portal_url, transition.instance_id)
    return f"\n\nAll of this in the portal: {page}" if page else ""


def _message(transition: Transition, evidence: Sequence[LedgerEntry], rules: ReputationRules, advice: str) -> Message:
    headline = _headline(transition)
    parts = [headline, _cause(transition, rules), _figures(transition.reputation, rules)]
    if evidence and transition.after is not SendingState.HEALTHY:
        parts.append("\n".join(["The latest that counted:", *map(_line, evidence)]))
    return Message(subject=headline, text="\n\n".join([*parts, advice]) + "\n")


def _headline(transition: Transition) -> str:
    instance = transition.instance_id
    match transition.before, transition.after:
        case _, SendingState.PAUSED:
            return f"Sending is paused: {instance}"
        case _, SendingState.WARNED:
            return f"Sending reputation warning: {instance}"
        case SendingState.PAUSED, _:
            return f"Sending is allowed again: {instance}"
    return f"Sending reputation recovered: {instance}"


def _cause(transition: Transition, rules: ReputationRules) -> str:
    match transition.cause:
        case Cause.DAILY_CAP | Cause.EARLIER_PAUSE if transition.after is not SendingState.PAUSED:
            return f"The pause ended by itself at {_utc(transition)}, as announced."
        case Cause.DAILY_CAP:
            return f"The operator's cap on a day's mail is reached. {transition.why}"
        case Cause.EARLIER_PAUSE:
            return "An earlier service instance of this domain was paused, on the evidence below, and not resumed."
        case Cause.ORGANIZATION:
            return (
                f"The {_named(transition)} of the whole organization is over the limit, and this instance's own rates "
                f"are above the warning level. {transition.why}"
            )
        case Cause.TENANT:
            return f"The tenant resumed it: {transition.by}. What was changed: {transition.why}"
        case Cause.OPERATOR:
            return f"An operator did this. Reason given: {transition.why}"
        case Cause.OUTSIDE:
            return "Sending was found disabled in Amazon SES, by Amazon or by someone with access to the account."
        case Cause.SES_RATES:
            return f"Amazon SES itself reports a {_named(transition)} above the limit. {transition.why}"
        case Cause.RATES if transition.reasons:
            verb = "limit" if transition.after is SendingState.PAUSED else "warning level"
            return f"The {_named(transition)} crossed the {verb} at {_utc(transition)}."
    return f"The rates fell below the warning level ({_thresholds(rules, SendingState.WARNED)}) at {_utc(transition)}."


def _named(transition: Transition) -> str:
    return " and the ".join(_NAMES[reason] for reason in transition.reasons)


def _figures(reputation: Reputation, rules: ReputationRules) -> str:
    since = reputation.since or "the beginning"
    warning, pause = _thresholds(rules, SendingState.WARNED), _thresholds(rules, SendingState.PAUSED)
    return "\n".join(
        [
            f"Over the most recent {reputation.outcomes:,} outcomes, since {since} (UTC):",
            f"  bounces     {reputation.bounces:>8,}   bounce rate     {reputation.bounce_rate:.2%}",
            f"  complaints  {reputation.complaints:>8,}   complaint rate  {reputation.complaint_rate:.3%}",
            f"  deliveries  {reputation.deliveries:>8,}",
            f"Warning at {warning}; paused at {pause}.",
        ]
    )


def _thresholds(rules: ReputationRules, state: SendingState) -> str:
    bounces, complaints = (
        (rules.bounce_pause, rules.complaint_pause)
        if state is SendingState.PAUSED
        else (rules.bounce_warning, rules.complaint_warning)
    )
    return f"{100 * bounces:g} % bounces or {100 * complaints:g} % complaints"


def _line(entry: LedgerEntry) -> str:
    recipients = ", ".join(entry.recipients[:_RECIPIENTS]) or "recipient unknown"
    more = f" and {len(entry.recipients) - _RECIPIENTS} more" if len(entry.recipients) > _RECIPIENTS else ""
    when = entry.timestamp.isoformat(timespec="seconds")
    return (
        f"  {when} {entry.kind.value} ({entry.reason or 'no reason given'}) {recipients}{more}, mail {entry.message_id}"
    )


def _what_a_tenant_does(transition: Transition) -> str:
    return "\n".join(_tenant_advice(transition))


def _tenant_advice(transition: Transition) -> Iterator[str]:
    if transition.after is SendingState.HEALTHY:
        yield _probation(transition) or "Nothing is to be done."
        return
    if transition.cause is Cause.DAILY_CAP:
        yield "What to do:"
        yield "  - Mail sent now is refused by SES with an error; it is not queued. Keep it to send it later."
        yield f"  - Sending is allowed again at {_moment(transition.until or transition.at)}."
        yield "  - Ask the operator of this service if you need to send more in a day."
        return
    yield "What to do:"
    yield "  - Stop sending to addresses that bounced, and to people who complained: the webhooks name each."
    yield "  - Bounces come from lists that are old, bought or unconfirmed; complaints from mail that nobody asked for."
    if transition.after is SendingState.PAUSED:
        yield "  - Mail sent now is refused by SES with an error; it is not queued. Keep it to send it later."
        if transition.until:
            yield f"  - Sending is allowed again at {_moment(transition.until)}, or when the operator resumes it."
            return
        yield "  - When the cause is gone, ask the operator of this service to resume, and say what you changed."
        yield "    Nothing resumes by itself. Feedback on mail sent before the resume will not count again."
    else:
        yield "  - If the rates go on rising, sending is paused. If they fall, you are told once."


def _probation(transition: Transition) -> str:
    if transition.probation_until is None:
        return ""
    return (
        f"Until {_moment(transition.probation_until)} the rates are looked at from 100 outcomes on, and another pause "
        "can be lifted by an operator alone."
    )


def _what_an_operator_does(transition: Transition) -> str:
    instance = transition.instance_id
    look = f"  python -m ops reputation {instance}"
    if transition.by:
        return f"Done by {transition.by}. Recorded in the instance's history:\n{look}"
    if transition.after is SendingState.PAUSED:
        return f"Look into it, and resume when the tenant has mended the cause:\n{look}\n" + (
            f"  python -m ops resume {instance} --reason '...'"
        )
    return f"Look into it:\n{look}"


def _utc(transition: Transition) -> str:
    return _moment(transition.at)


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
