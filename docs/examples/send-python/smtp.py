"""Send a mail by SMTP with the binding's credentials: python smtp.py TO."""

import smtplib
import ssl
import sys
from email.message import EmailMessage

from binding import credential


def send(message: EmailMessage) -> None:
    """Send *message* over STARTTLS. Raises smtplib.SMTPException, for example while sending is paused."""
    with smtplib.SMTP(credential("smtp_server"), int(credential("smtp_port")), timeout=30) as connection:
        connection.starttls(context=ssl.create_default_context())
        connection.login(credential("smtp_user"), credential("smtp_password"))
        connection.send_message(message)


if __name__ == "__main__":
    mail = EmailMessage()
    mail["From"] = f"My application <no-reply@{credential('domain')}>"
    mail["To"] = sys.argv[1]
    mail["Subject"] = "It works"
    mail["X-SES-MESSAGE-TAGS"] = "campaign=welcome"  # comes back in each event, in data.mail.tags
    mail.set_content("Sent by SMTP.")
    send(mail)
    print("sent")
