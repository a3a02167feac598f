"""Replaces a webhook's signing secret. The old secret signs too until it expires."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from lambdas.aws.dynamodb.attribute_values import to_item
from lambdas.aws.dynamodb.webhooks.webhook_table import webhook_key
from lambdas.aws.kms.webhook_secrets import decrypt, encrypt
from lambdas.domain.errors import VersionConflict
from lambdas.domain.webhooks.signature import WebhookSecret, new_secret
from lambdas.domain.webhooks.target import Target

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kms import KMSClient

_PARTED = "SET ciphertext = :new, previous_ciphertext = :old, previous_expires_at = :until"
_AT_ONCE = "SET ciphertext = :new REMOVE previous_ciphertext, previous_expires_at"


class WebhookRotation:
    """Replaces webhooks' secrets. The old secret is never returned."""

    def __init__(self, dynamodb: "DynamoDBClient", kms: "KMSClient", *, table: str, key_arn: str) -> None:
        self._client = dynamodb
        self._kms = kms
        self._table = table
        self._key_arn = key_arn

    def current(self, target: Target) -> WebhookSecret:
        """The secret that signs now."""
        return decrypt(self._kms, target.webhook_id, target.ciphertext)

    def replace(self, target: Target, *, until: datetime | None) -> WebhookSecret:
        """Sign with a new secret, and with the old one too *until* then (None: not at all). Raises VersionConflict."""
        fresh = replace(self.current(target), secret=new_secret())
        values: dict[str, object] = {
            ":new": encrypt(self._kms, self._key_arn, target.webhook_id, fresh),
            ":old": target.ciphertext,
            **({":until": until.isoformat()} if until else {}),
        }
        try:
            self._client.update_item(
                TableName=self._table,
                Key=to_item(webhook_key(target.instance_id, target.webhook_id)),
                UpdateExpression=_PARTED if until else _AT_ONCE,
                ConditionExpression="ciphertext = :old",
                ExpressionAttributeValues=to_item(values),
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            raise VersionConflict(target.webhook_id) from None
        return fresh
