"""Sends mail with a binding's credentials, as an application does."""

import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import boto3
from botocore.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """Where SMTP goes instead of the binding's `smtp_server`: an embedded AWS's listener. `authority` is a PEM file."""

    host: str
    port: int
    authority: str


def by_smtp(
    credentials: Mapping[str, Any], recipient: str, *, server: SmtpServer | None, sender: str = "", envelope: str = ""
) -> None:
    """Send over STARTTLS. Raises smtplib.SMTPException. *sender* is the From header, *envelope* the envelope's."""
    address = sender or f"accept@{credentials['domain']}"
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = address, recipient, "ses-feedback acceptance test"
    mail.set_content("Sent by SMTP.")
    host, port = (server.host, server.port) if server else (credentials["smtp_server"], int(credentials["smtp_port"]))
    context = ssl.create_default_context(cafile=server.authority if server else None)
    with smtplib.SMTP(host, port, timeout=30) as connection:
        connection.starttls(context=context)
        connection.login(credentials["smtp_user"], credentials["smtp_password"])
        connection.send_message(mail, from_addr=envelope or address)


def by_api(credentials: Mapping[str, Any], recipient: str, *, sender: str = "") -> str:
    """Send by SES's API; SES's message id. Raises ClientError."""
    session: Any = boto3.session.Session()
    client = session.client(
        "sesv2",
        region_name=credentials["region"],
        aws_access_key_id=credentials["aws_access_key_id"],
        aws_secret_access_key=credentials["aws_secret_access_key"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    answer = client.send_email(
        FromEmailAddress=sender or f"accept@{credentials['domain']}",
        Destination={"ToAddresses": [recipient]},
        Content={
            "Simple": {
                "Subject": {"Data": "ses-feedback acceptance test"},
                "Body": {"Text": {"Data": "Sent by the API."}},
            }
        },
        ConfigurationSetName=credentials["configuration_set"],
    )
    return str(answer["MessageId"])
