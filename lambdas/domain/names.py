"""Names in AWS. An instance's name holds its id, so nobody needs a look-up to know whose event it is."""

PREFIX = "ses-feedback-"
EVENT_DESTINATION = "ses-feedback"
IAM_PATH = "/cf/"


def configuration_set(instance_id: str) -> str:
    """The SES configuration set of an instance; at most 63 of SES's 64 characters."""
    return PREFIX + instance_id


def instance_of(configuration_set_name: str) -> str | None:
    """The instance a configuration set belongs to; None when the set is not one of ours."""
    return _id_in(configuration_set_name)


def iam_user(binding_id: str) -> str:
    """The IAM user that a binding sends with (under IAM_PATH); at most 63 of IAM's 64 characters."""
    return PREFIX + binding_id


def binding_of(iam_user_name: str) -> str | None:
    """The binding an IAM user sends for; None when the user is not one of ours."""
    return _id_in(iam_user_name)


def alert_topic(instance_id: str) -> str:
    """The SNS topic that tells an instance's admin_email."""
    return f"{PREFIX}{instance_id}-alerts"


def notification_topic(binding_id: str) -> str:
    """The SNS topic that sends a binding's digests to its notification_email."""
    return f"{PREFIX}{binding_id}-notifications"


def _id_in(name: str) -> str | None:
    return name.removeprefix(PREFIX) or None if name.startswith(PREFIX) else None
