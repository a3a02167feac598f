"""The resources of an `aws-ses` binding: an IAM user with one key, a webhook, a topic for digests."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from lambdas.broker.bindings.secret_rotation import SecretRotation
from lambdas.broker.bindings.webhook_test import Bound, SendTest
from lambdas.broker.instances.ses_steps import tags
from lambdas.broker.osb.errors import BadParameter, QuotaExceeded
from lambdas.broker.osb.rendering import UNKNOWN, Connected, IdentityStatus, Renderer, binding_parameters
from lambdas.broker.ports import (
    BindingWebhooks,
    DecryptWebhookSecret,
    EncryptWebhookSecret,
    Identities,
    SecretEncryption,
    Topics,
    Users,
)
from lambdas.domain.errors import AccountFull, Throttled
from lambdas.domain.tenants import aws_names
from lambdas.domain.tenants.confirmation_mail import again
from lambdas.domain.tenants.iam_user import fits_iam, sending_policy
from lambdas.domain.tenants.instance import (
    Binding,
    BindingSecret,
    Instance,
    WebhookSettings,
)
from lambdas.domain.webhooks.stored_webhook import StoredWebhook
from lambdas.domain.webhooks.webhook import DEFAULT_EVENTS, EventKind, NotificationFormat, Scope

EMAIL_EVENTS = (EventKind.BOUNCE, EventKind.COMPLAINT)  # no deliveries: SNS sends ten mails a second
BINDING_TAG = "ses-feedback:binding-id"


@dataclass(frozen=True, slots=True, kw_only=True)
class SesBindings:
    """Creates, shows and removes the resources of `aws-ses` bindings."""

    users: Users
    webhooks: BindingWebhooks
    topics: Topics
    secret_encryption: SecretEncryption
    encrypt_webhook_secret: EncryptWebhookSecret
    decrypt_webhook_secret: DecryptWebhookSecret
    rotation: SecretRotation
    test: SendTest
    identities: Identities
    renderer: Renderer
    topic_arn_prefix: str

    def check_room(self) -> None:
        """Raise QuotaExceeded if the account's IAM users are used up."""
        quota = self.users.quota()
        if quota.exhausted:
            raise QuotaExceeded(
                f"the AWS account has {quota.users} of {quota.limit} IAM users, and a binding needs one; "
                "delete bindings that are no longer used, or ask the operator"
            )

    def make(self, binding: Binding, instance: Instance, *, now: datetime) -> Binding:
        """Create all resources. A key whose secret was lost in an earlier attempt is replaced."""
        user = aws_names.iam_user(binding.id)
        resources = (self.renderer.identity_arn(instance), self.renderer.configuration_set_arn(instance))
        policy = sending_policy(resources, binding.effective.source_ips, domain=instance.domain)
        if not fits_iam(policy):
            raise BadParameter("source_ips", "names more networks than an IAM policy holds; give fewer and larger ones")
        try:
            self.users.ensure_user(user, policy, {**tags(instance), BINDING_TAG: aws_names.tag_value(binding.id)})
        except AccountFull:  # another bind took the last one since the check
            raise QuotaExceeded(
                "the AWS account has no IAM user left, and a binding needs one; delete bindings that are no longer "
                "used, or ask the operator"
            ) from None
        key = self.users.replace_key(user)
        secret = self.secret_encryption.decrypt(binding.id, binding.ciphertext)
        self._make_webhook(binding, secret, now=now)
        self._make_email(binding, instance, now=now)
        made = BindingSecret(
            access_key_id=key.id, secret_access_key=key.secret, asked_userinfo=secret.asked_userinfo
        )  # the webhook's secret is in the webhook from here on, and nowhere else
        return replace(binding, ciphertext=self.secret_encryption.encrypt(binding.id, made))

    def _make_webhook(self, binding: Binding, secret: BindingSecret, *, now: datetime) -> None:
        if not binding.webhook_id:
            return
        if binding.shares_webhook:
            if not self.webhooks.join(binding.instance_id, binding.webhook_id, binding.id):
                raise BadParameter("predecessor_binding_id", "was unbound meanwhile; bind without it")
            if binding.request.rotate_secret:
                self.rotation.run(binding, secret.webhook_secret, now=now)
            return
        settings = self._settings(binding, secret)
        self.webhooks.put(binding.instance_id, binding.webhook_id, settings, binding_id=binding.id)
        of = Bound(binding.instance_id, binding.id)
        self.test(binding.webhook_id, settings, of=of, test_id=binding.webhook_id, now=now)

    def _settings(self, binding: Binding, secret: BindingSecret) -> WebhookSettings:
        request = binding.effective
        return WebhookSettings(
            url=request.notification_webhook,
            events=request.notification_events or DEFAULT_EVENTS,
            format=request.notification_format,
            scope=request.notification_scope,
            batch=request.notification_batch,
            batch_seconds=request.notification_batch_seconds,
            ciphertext=self.encrypt_webhook_secret(binding.webhook_id, secret.webhook_secret, secret.webhook_userinfo),
        )

    def _make_email(self, binding: Binding, instance: Instance, *, now: datetime) -> None:
        """Digests go through a topic of the binding's own, kept as a webhook of format EMAIL."""
        if not binding.email_webhook_id:
            return
        if binding.shares_email:
            if not self.webhooks.join(binding.instance_id, binding.email_webhook_id, binding.id):
                raise BadParameter("predecessor_binding_id", "was unbound meanwhile; bind without it")
            return
        arn = self.topics.ensure(
            aws_names.notification_topic(binding.id), {**tags(instance), BINDING_TAG: aws_names.tag_value(binding.id)}
        )
        email, organization = binding.effective.notification_email, instance.organization_guid
        if not self.topics.subscribe(arn, email, organization=organization):
            possible = again(now)
            raise QuotaExceeded(
                "notification_email: no more confirmation mails can be sent to this address, or for your organization, "
                f"today; bind again from {possible} on, or ask the operator"
            )
        settings = WebhookSettings(
            url=arn,
            events=binding.effective.notification_events or EMAIL_EVENTS,
            format=NotificationFormat.EMAIL,
            scope=Scope.INSTANCE,
            ciphertext=b"",
        )
        self.webhooks.put(binding.instance_id, binding.email_webhook_id, settings, binding_id=binding.id)

    def remove(self, binding: Binding, *, now: datetime) -> None:  # noqa: ARG002  # the port's
        """Remove all resources; missing ones are ignored. A shared webhook is removed with its last binding."""
        self.users.remove_user(aws_names.iam_user(binding.id), binding.instance_id)
        if binding.webhook_id:
            self.webhooks.leave(binding.instance_id, binding.webhook_id, binding.id)
        email = binding.email_webhook_id
        if email and self.webhooks.leave(binding.instance_id, email, binding.id):
            topic = aws_names.notification_topic(email.removeprefix("email-"))
            self.topics.remove(self.topic_arn_prefix + topic, binding.instance_id)

    def show(self, binding: Binding, instance: Instance, link: Instance | None, *, current: bool) -> dict[str, Any]:
        """The binding's credentials and parameters. With *current*, the instructions show the present state."""
        webhook = self.webhooks.get(instance.id, binding.webhook_id) if binding.webhook_id else None
        if webhook and not current:
            webhook = replace(webhook, test_status=None, test_at=None)
        connected = Connected(
            instance=instance,
            request=binding.effective,
            user=aws_names.iam_user(binding.id),
            secret=self.secret_encryption.decrypt(binding.id, binding.ciphertext),
            webhook=webhook,
            webhook_secret=self._signs_now(binding.webhook_id, webhook),
            hostname=link.made.hostname if link else "",
        )
        return {
            "credentials": self.renderer.credentials(
                connected, self._identity_status(instance) if current else UNKNOWN
            ),
            "parameters": binding_parameters(binding.effective, webhook),
        }

    def _signs_now(self, webhook_id: str, webhook: StoredWebhook | None) -> str:
        """The secret that signs the webhook's requests now, however often it was rotated since the bind."""
        return self.decrypt_webhook_secret(webhook_id, webhook.settings.ciphertext).secret if webhook else ""

    def _identity_status(self, instance: Instance) -> IdentityStatus:
        try:
            identity = self.identities.identity(instance.domain)
            verified = identity is not None and identity.owner == instance.id and identity.verified
        except Throttled:
            verified = None
        made = instance.made
        return IdentityStatus(
            verified=verified, alerts_confirmed=self.topics.confirmed(made.alert_topic_arn, made.alert_email)
        )
