"""A paragraph of a digest."""

from typing import Any

import pytest

from lambdas.domain.webhooks.plain_text import paragraph

AT = "2026-11-21T04:00:00.123Z"


@pytest.mark.parametrize(
    ("type_", "data", "first"),
    [
        (
            "email.bounced",
            {"bounce": {"class": "permanent", "subtype": None, "counts": False}},
            "Bounced (permanent, does not count)",
        ),
        ("email.complained", {"complaint": {"feedback_type": "abuse", "counts": True}}, "Complaint (abuse, counts)"),
        ("email.delivered", {"delivery": {"smtp_response": "250\r\n OK", "processing_ms": 546}}, "Delivered (250 OK)"),
        ("email.rejected", {"reject": {"reason": "Bad content"}}, "Rejected by SES (Bad content)"),
        ("email.delayed", {"delay": {"type": "MailboxFull"}}, "Delayed (MailboxFull)"),
        ("email.rendering_failed", {"rendering_failure": {"error": "no name"}}, "Template not rendered (no name)"),
        ("webhook.test", {}, "Test"),
        ("reputation.paused", {}, "Sending is paused"),
        ("email.novel", {}, "email.novel"),
    ],
)
def test_the_first_line_says_what_happened_why_and_when(type_: str, data: dict[str, Any], first: str) -> None:
    """What a later version adds is named as it is."""
    assert paragraph(type_, AT, data) == f"{first} at {AT}"


def test_the_lines_below_name_recipients_and_the_mail() -> None:
    """On one line each, whatever a server or a sender wrote; what is missing is unknown."""
    recipients = [
        {"email": "a\n@x.example", "status": "5.1.1", "diagnostic": "no\r\n\r\nuser"},
        {"email": "b@x.example", "status": None, "diagnostic": "full"},
        {"email": "c@x.example", "status": None, "diagnostic": None},
    ]
    mail = {"from": "shop@tenant.example", "subject": "Your\n\norder"}
    data = {"recipients": recipients, "mail": mail, "message_id": "m-1", "truncated": True}
    assert paragraph("email.bounced", AT, data).splitlines() == [
        f"Bounced at {AT}",
        "  a @x.example: 5.1.1 no user",
        "  b@x.example: full",
        "  c@x.example",
        "  mail m-1 from shop@tenant.example, subject: Your order",
        "  (shortened)",
    ]
    nothing = {"mail": {"from": None, "subject": ""}, "message": "Hello,\nyou."}
    assert paragraph("webhook.test", AT, nothing).splitlines() == [
        f"Test at {AT}",
        "  mail unknown from unknown, subject: unknown",
        "  Hello, you.",
    ]
