"""Names of AWS resources. A resource's name contains the instance's id, so attributing an event needs no look-up.

OSB ids are 1 to 50 of `A-Za-z0-9-._~`. If AWS allows every character of an id, the name contains the id unchanged.
Any other id is written as a number in the digits that AWS allows, at a fixed width that no unchanged id has. So it
can be decoded, and no two ids share a name. IAM does not distinguish upper from lower case, so its encoded names use
lower case only and a shorter prefix.
"""

import re

PREFIX = "ses-feedback-"
MAPPED_USER_PREFIX = "sesfb-"  # of IAM users: 58 digits have to fit into IAM's 64 characters
ALERT_TOPICS = PREFIX + "*-alerts"  # patterns of all tenants' topics, for policies
NOTIFICATION_TOPICS = PREFIX + "*-notifications"
EVENT_DESTINATION = "ses-feedback"
INSTANCE_TAG = "ses-feedback:instance-id"  # on every resource that is made for an instance
IAM_PATH = "/cf/"
_ID_DIGITS = "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~"  # OSB's unreserved characters
_ID = re.compile(rf"[{re.escape(_ID_DIGITS)}]{{1,50}}")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_-]{1,50}")  # what SES and SNS take
_PLAIN_USER = re.compile(r"[a-z0-9._-]{1,50}")
_NAME_DIGITS = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_NAME_WIDTH = 51  # 64^51 > 67^50: every id fits; an unchanged id has at most 50 characters
_USER_DIGITS = "-0123456789_abcdefghijklmnopqrstuvwxyz"
_USER_WIDTH = 58  # 38^58 > 67^50


def is_id(value: str) -> bool:
    """Whether *value* is an id that a platform may give an instance or a binding."""
    return _ID.fullmatch(value) is not None


def configuration_set(instance_id: str) -> str:
    """The SES configuration set of an instance; at most SES's 64 characters."""
    return PREFIX + _name_part(instance_id)


def instance_of(configuration_set_name: str) -> str | None:
    """The instance that a configuration set belongs to; None if the set was not made by ses-feedback."""
    return _id_in(configuration_set_name, PREFIX, _NAME_DIGITS, _NAME_WIDTH, _PLAIN_NAME)


def iam_user(binding_id: str) -> str:
    """The IAM user that a binding sends with (under IAM_PATH); at most IAM's 64 characters."""
    if _PLAIN_USER.fullmatch(binding_id):
        return PREFIX + binding_id
    return MAPPED_USER_PREFIX + _encoded(binding_id, _USER_DIGITS, _USER_WIDTH)


def binding_of(iam_user_name: str) -> str | None:
    """The binding that an IAM user sends for; None if the user was not made by ses-feedback."""
    if iam_user_name.startswith(PREFIX):
        binding_id = iam_user_name.removeprefix(PREFIX)
        return binding_id if _PLAIN_USER.fullmatch(binding_id) else None
    return _id_in(iam_user_name, MAPPED_USER_PREFIX, _USER_DIGITS, _USER_WIDTH, None)


def alert_topic(instance_id: str) -> str:
    """The SNS topic for notifications to an instance's admin_email."""
    return ALERT_TOPICS.replace("*", _name_part(instance_id))


def notification_topic(binding_id: str) -> str:
    """The SNS topic that sends a binding's digests to its notification_email."""
    return NOTIFICATION_TOPICS.replace("*", _name_part(binding_id))


def tag_value(id_: str) -> str:
    """An id as the value of a tag. Tags allow no tilde, and no id contains an at sign, so `@` replaces it."""
    return id_.replace("~", "@")


def id_in_tag(value: str) -> str:
    """The id that was given to `tag_value`."""
    return value.replace("@", "~")


def _name_part(id_: str) -> str:
    return id_ if _PLAIN_NAME.fullmatch(id_) else _encoded(id_, _NAME_DIGITS, _NAME_WIDTH)


def _id_in(name: str, prefix: str, digits: str, width: int, plain: re.Pattern[str] | None) -> str | None:
    part = name.removeprefix(prefix)
    if part == name:
        return None
    if len(part) != width:
        return part if plain and plain.fullmatch(part) else None
    id_ = _decoded(part, digits)
    return id_ if id_ is not None and _encoded(id_, digits, width) == part else None


def _encoded(id_: str, digits: str, width: int) -> str:
    """*id_* as a number with *width* digits: read in base 67, where 0 is no character, so that lengths differ."""
    number = 0
    for character in id_:
        number = number * (len(_ID_DIGITS) + 1) + _ID_DIGITS.index(character) + 1
    written = []
    for _ in range(width):
        number, digit = divmod(number, len(digits))
        written.append(digits[digit])
    return "".join(reversed(written))


def _decoded(code: str, digits: str) -> str | None:
    if not set(code) <= set(digits):
        return None
    number = 0
    for character in code:
        number = number * len(digits) + digits.index(character)
    characters = []
    while number:
        number, digit = divmod(number, len(_ID_DIGITS) + 1)
        if not digit:
            return None
        characters.append(_ID_DIGITS[digit - 1])
    id_ = "".join(reversed(characters))
    return id_ if is_id(id_) else None
