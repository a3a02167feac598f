"""Send a mail by SES's API with the binding's credentials: python api.py TO."""

import sys
from typing import Any

import boto3
from binding import credential


def client() -> Any:
    """SES as the binding's user."""
    return boto3.client(
        "sesv2",
        region_name=credential("region"),
        aws_access_key_id=credential("aws_access_key_id"),
        aws_secret_access_key=credential("aws_secret_access_key"),
    )


if __name__ == "__main__":
    answer = client().send_email(
        FromEmailAddress=f"My application <no-reply@{credential('domain')}>",
        Destination={"ToAddresses": [sys.argv[1]]},
        Content={"Simple": {"Subject": {"Data": "It works"}, "Body": {"Text": {"Data": "Sent by the API."}}}},
        EmailTags=[{"Name": "campaign", "Value": "welcome"}],  # comes back in each event, in data.mail.tags
    )
    print("sent", answer["MessageId"])  # the `message_id` of the mail's events
