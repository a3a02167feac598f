"""The services that carry mail, keep secrets and hold networks: SES, SNS, SQS, KMS, IAM, Route 53, EC2 and others."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

from lambdas.aws.ec2.vpc_endpoints import Endpoints
from lambdas.aws.iam.users import IamUsers
from lambdas.aws.kms.binding_secrets import BindingSecretEncryption
from lambdas.aws.kms.webhook_secrets import SecretDecrypter, decrypt, encrypt
from lambdas.aws.route53 import zone_client as zone_client_module
from lambdas.aws.route53.hosted_zone import HostedZone
from lambdas.aws.secrets_manager.broker_credentials import Credentials
from lambdas.aws.secrets_manager.oauth_client import OAuthClientSecret
from lambdas.aws.secrets_manager.signing_key import SigningKeys
from lambdas.aws.ses import reputation_metrics as metrics_module
from lambdas.aws.ses.control_plane import Ses
from lambdas.aws.ses.identity_status import IdentityStatuses
from lambdas.aws.ses.rate_limit import RateLimit
from lambdas.aws.ses.reputation_metrics import SesRateMetrics
from lambdas.aws.ses.sending_options import SendingOptions
from lambdas.aws.sns.notifier import Notifier
from lambdas.aws.sns.topics import Topics
from lambdas.aws.sqs.operations_queue import OperationsQueue
from lambdas.aws.sqs.replay_queue import ReplayQueue
from lambdas.domain.errors import Throttled
from lambdas.domain.tenants.aws_names import INSTANCE_TAG
from lambdas.domain.tenants.dns_records import DnsRecord, RecordType
from lambdas.domain.tenants.instance import BindingSecret
from lambdas.domain.tenants.operation_task import OperationTask
from lambdas.domain.webhooks.signature import WebhookSecret
from lambdas.domain.webhooks.webhook import WebhookId
from tests.aws.transcript import Refused, Transcript

NOW = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
TAGS = {INSTANCE_TAG: "i1", "organization": "o1"}
OURS, ANOTHERS = [{"Key": INSTANCE_TAG, "Value": "i1"}], [{"Key": INSTANCE_TAG, "Value": "i2"}]
ARN = "arn:aws:sns:us-east-1:1:t"
EXISTS, MISSING = Refused("AlreadyExistsException"), Refused("NotFoundException")
THROTTLED = Refused("TooManyRequestsException")


def ses(transcript: Transcript) -> None:
    """Configuration sets, event destinations, identities."""

    def calls(**how: Any) -> Ses:
        return Ses(transcript.sesv2, lambda: transcript.note("the rate limiter"), **how)

    def ensure(**how: Any) -> None:
        calls().ensure_configuration_set("set", TAGS, **how)

    transcript.call("creates a configuration set", ensure)
    transcript.call("creates a paused one", lambda: ensure(sending=False))
    transcript.call(
        "creates one without the suppression list", lambda: calls(suppress=False).ensure_configuration_set("set", TAGS)
    )
    transcript.call("finds its own set", ensure, CreateConfigurationSet=EXISTS, GetConfigurationSet={"Tags": OURS})
    transcript.call(
        "finds another's set", ensure, CreateConfigurationSet=EXISTS, GetConfigurationSet={"Tags": ANOTHERS}
    )
    transcript.call("finds a set without tags", ensure, CreateConfigurationSet=EXISTS, GetConfigurationSet={})
    transcript.call("is throttled", ensure, CreateConfigurationSet=THROTTLED)

    def destination() -> None:
        calls().ensure_event_destination("set", ARN)

    transcript.call("publishes a set's events", destination)
    transcript.call(
        "puts right what publishes a set's events", destination, CreateConfigurationSetEventDestination=EXISTS
    )
    transcript.call(
        "is throttled when it does",
        destination,
        CreateConfigurationSetEventDestination=EXISTS,
        UpdateConfigurationSetEventDestination=THROTTLED,
    )

    def remove_set() -> None:
        calls().remove_configuration_set("set", "i1")

    transcript.call("removes its own set", remove_set, GetConfigurationSet={"Tags": OURS})
    transcript.call("leaves another's set", remove_set, GetConfigurationSet={"Tags": ANOTHERS})
    transcript.call("removes no set that is gone", remove_set, GetConfigurationSet=MISSING)
    transcript.call(
        "removes no set twice", remove_set, GetConfigurationSet={"Tags": OURS}, DeleteConfigurationSet=MISSING
    )

    def identity() -> object:
        return calls().ensure_identity("mail.agency.gov", "set", TAGS)

    dkim = {"Tokens": ["a", "b"], "SigningHostedZone": "dkim.example", "Status": "SUCCESS"}
    found = {"Tags": OURS, "DkimAttributes": dkim, "ConfigurationSetName": "set"}
    transcript.call("creates an identity", identity, CreateEmailIdentity={"DkimAttributes": dkim})
    transcript.call("creates one whose zone goes unnamed", identity, CreateEmailIdentity={"DkimAttributes": {}})
    for sentence, answer in (
        ("finds its own identity", found),
        ("gives its own identity its set", {**found, "ConfigurationSetName": "other"}),
        ("finds another's identity", {**found, "Tags": ANOTHERS}),
        ("finds an identity that is gone", MISSING),
    ):
        transcript.call(sentence, identity, CreateEmailIdentity=EXISTS, GetEmailIdentity=answer)

    def look() -> object:
        return calls().identity("mail.agency.gov")

    mail_from = {"MailFromAttributes": {"MailFromDomain": "b.mail.agency.gov"}}
    transcript.call("reads a verified identity", look, GetEmailIdentity={**found, **mail_from})
    for status in ("FAILED", "PENDING"):
        pending = {"DkimAttributes": {**dkim, "Status": status}}
        transcript.call(f"reads a {status.lower()} identity", look, GetEmailIdentity=pending)
    transcript.call("reads an identity of which SES says nothing", look, GetEmailIdentity={})
    transcript.call("reads no identity", look, GetEmailIdentity=MISSING)
    transcript.call("sets MAIL FROM", lambda: calls().set_mail_from("mail.agency.gov", "b.mail.agency.gov"))
    transcript.call("takes MAIL FROM away", lambda: calls().set_mail_from("mail.agency.gov", ""))

    def remove() -> None:
        calls().remove_identity("mail.agency.gov", "i1")

    transcript.call("removes its own identity", remove, GetEmailIdentity=found)
    transcript.call("removes no identity twice", remove, GetEmailIdentity=found, DeleteEmailIdentity=MISSING)
    transcript.call("leaves another's identity", remove, GetEmailIdentity={**found, "Tags": ANOTHERS})
    transcript.call("removes no identity that is gone", remove, GetEmailIdentity=MISSING)


def ses_states(transcript: Transcript) -> None:
    """What SES says of domains, sending and rates; and the wait for the rate limiter."""

    def status(pace: Callable[[], None] = lambda: None) -> object:
        return IdentityStatuses(transcript.sesv2, pace).of("mail.agency.gov")

    def no_call_now() -> None:
        raise Throttled(1.0, "not now")

    mail_from = {"MailFromDomain": "b.mail.agency.gov", "MailFromDomainStatus": "PENDING"}
    answer = {
        "VerifiedForSendingStatus": True,
        "DkimAttributes": {"Status": "SUCCESS"},
        "MailFromAttributes": mail_from,
    }
    transcript.call("reads a domain's status", status, GetEmailIdentity=answer)
    without = {**answer, "MailFromAttributes": {"MailFromDomainStatus": "PENDING"}}
    transcript.call("reads one without MAIL FROM", status, GetEmailIdentity=without)
    transcript.call(
        "reads one without a MAIL FROM status", status, GetEmailIdentity={"MailFromAttributes": {"MailFromDomain": "b"}}
    )
    transcript.call("reads one of which SES says nothing", status, GetEmailIdentity={})
    transcript.call("knows no such domain", status, GetEmailIdentity=MISSING)
    transcript.call("knows nothing while it is throttled", status, GetEmailIdentity=THROTTLED)
    transcript.call("knows nothing while the rate limiter allows no call", lambda: status(no_call_now))

    options = SendingOptions(transcript.sesv2)
    gone = Refused("ConfigurationSetDoesNotExistException")
    transcript.call("stops sending", lambda: options.set("i1", enabled=False))
    transcript.call("allows sending", lambda: options.set("i1", enabled=True))
    for refused in (MISSING, gone):
        name = refused.code
        transcript.call(
            f"stops nothing: {name}",
            lambda: options.set("i1", enabled=False),
            PutConfigurationSetSendingOptions=refused,
        )
        transcript.call(f"knows no set: {name}", lambda: options.enabled("i1"), GetConfigurationSet=refused)
    for enabled in (True, False):
        answer = {"SendingOptions": {"SendingEnabled": enabled}}
        transcript.call(f"knows that sending is {enabled}", lambda: options.enabled("i1"), GetConfigurationSet=answer)
    transcript.call("takes sending for allowed", lambda: options.enabled("i1"), GetConfigurationSet={})

    def latest(*names: str) -> object:
        return SesRateMetrics(transcript.cloudwatch).latest(names, now=NOW)

    page = {
        "MetricDataResults": [{"Id": "m0_0", "Values": [0.2, 0.1]}, {"Id": "m1_1", "Values": [0.3]}],
        "NextToken": "n",
    }
    again = {"MetricDataResults": [{"Id": "m0_0", "Values": [0.5]}, {"Id": "m0_1", "Values": []}]}
    transcript.call("reads SES's rates", lambda: latest("i1", "i2"), GetMetricData=[page, again])
    with patch.object(metrics_module, "_INSTANCES", 1):
        transcript.call("reads as many as a call takes", lambda: latest("i1", "i2"), GetMetricData=again)

    def wait(*waits: float, most: float = 5.0) -> None:
        left = list(waits)
        limiter = type("Limiter", (), {"acquire": lambda _self, *, now: left.pop(0)})()
        RateLimit(limiter, max_wait=most, clock=lambda: NOW, sleep=transcript.sleep)()

    transcript.call("waits for the rate limiter", lambda: wait(2.0, 3.0, 0.0))
    transcript.call("waits no longer than it may", lambda: wait(2.0, 3.1))


def sns(transcript: Transcript) -> None:
    """Topics and notifications."""

    def topics(*, may_mail: bool = True) -> Topics:
        def asked(email: str, organization: str) -> bool:
            transcript.note(f"may {email} be mailed for {organization!r}?")
            return may_mail

        return Topics(transcript.sns, key_arn="arn:key", arn_prefix="arn:aws:sns:us-east-1:1:", may_mail=asked)

    def ensure() -> str:
        return topics().ensure("t", TAGS)

    transcript.call("creates a topic", ensure, ListTagsForResource=Refused("NotFound"), CreateTopic={"TopicArn": ARN})
    transcript.call("finds its own topic", ensure, ListTagsForResource={"Tags": OURS})
    transcript.call("finds another's topic", ensure, ListTagsForResource={"Tags": ANOTHERS})
    transcript.call("finds a topic without tags", ensure, ListTagsForResource={"Tags": []})

    def subscriptions(*pairs: tuple[str, str]) -> Any:
        return {"Subscriptions": [{"Endpoint": email, "SubscriptionArn": arn} for email, arn in pairs]}

    def subscribe(*, may_mail: bool = True) -> bool:
        return topics(may_mail=may_mail).subscribe(ARN, "joe@x.net", organization="o1")

    transcript.call("subscribes", subscribe, ListSubscriptionsByTopic=subscriptions())
    transcript.call(
        "subscribes nobody too often",
        lambda: subscribe(may_mail=False),
        ListSubscriptionsByTopic=subscriptions(("a@x.net", "arn:1")),
    )
    pages = [
        {**subscriptions(("a@x.net", "arn:1")), "NextToken": "n"},
        subscriptions(("b@x.net", "PendingConfirmation")),
    ]
    transcript.call("subscribes in place of others", subscribe, ListSubscriptionsByTopic=pages)
    ours = subscriptions(("joe@x.net", "arn:2"), ("a@x.net", "arn:1"))
    transcript.call("is subscribed", lambda: subscribe(may_mail=False), ListSubscriptionsByTopic=ours)
    transcript.call("removes what is gone", subscribe, ListSubscriptionsByTopic=ours, Unsubscribe=Refused("NotFound"))
    pending = subscriptions(("joe@x.net", "PendingConfirmation"))
    transcript.call("waits for a confirmation", subscribe, ListSubscriptionsByTopic=pending)
    transcript.call(
        "subscribes again who was removed", subscribe, ListSubscriptionsByTopic=subscriptions(("joe@x.net", "Deleted"))
    )
    transcript.call("asks again", lambda: topics().ask_again(ARN, "joe@x.net"))
    transcript.call("asks nobody too often", lambda: topics(may_mail=False).ask_again(ARN, "joe@x.net"))

    def confirmed() -> bool:
        return topics().confirmed(ARN, "joe@x.net")

    transcript.call("is confirmed", confirmed, ListSubscriptionsByTopic=ours)
    transcript.call("is not confirmed", confirmed, ListSubscriptionsByTopic=pending)
    transcript.call(
        "is confirmed by another only", confirmed, ListSubscriptionsByTopic=subscriptions(("a@x.net", "arn:1"))
    )

    def remove() -> None:
        topics().remove(ARN, "i1")

    transcript.call("removes its own topic", remove, ListTagsForResource={"Tags": OURS})
    for code in ("NotFound", "NotFoundException", "ResourceNotFound", "ResourceNotFoundException"):
        transcript.call(
            f"removes no topic twice: {code}", remove, ListTagsForResource={"Tags": OURS}, DeleteTopic=Refused(code)
        )
        transcript.call(f"removes no topic that is gone: {code}", remove, ListTagsForResource=Refused(code))
    transcript.call("leaves another's topic", remove, ListTagsForResource={"Tags": ANOTHERS})

    notifier = Notifier(transcript.sns, partition="aws", region="us-east-1", account="1")

    def notify(topic: str = "t", subject: str = "Paused") -> bool:
        return notifier.notify(topic, subject=subject, text="why")

    transcript.call("notifies a topic by its name", notify)
    transcript.call("notifies a topic by its ARN", lambda: notify("arn:aws-us-gov:sns:x:2:u"))
    transcript.call("notifies with a subject that SNS takes", lambda: notify(subject="a\n b \u00e9 ~\x7f" + "x" * 100))
    transcript.call("notifies with the longest subject", lambda: notify(subject="x" * 99))
    for code in ("NotFound", "NotFoundException"):
        transcript.call(f"notifies nobody: {code}", notify, Publish=Refused(code))

    def has() -> bool:
        return notifier.has_confirmed_subscription(ARN)

    for sentence, attributes in (
        ("one", {"SubscriptionsConfirmed": "1"}),
        ("none", {"SubscriptionsConfirmed": "0"}),
        ("nothing", {}),
    ):
        transcript.call(f"knows {sentence} confirmed", has, GetTopicAttributes={"Attributes": attributes})
    for code in ("NotFound", "NotFoundException"):
        transcript.call(f"knows no topic: {code}", has, GetTopicAttributes=Refused(code))


def queues(transcript: Transcript) -> None:
    """Tasks and steps; deliveries have tests of their own."""
    task = OperationTask(instance_id="i1", operation_id="provision-1")
    operations = OperationsQueue(transcript.sqs, "https://sqs/operations")
    for delay in (0, -1, 2.6, 900, 901):
        transcript.call(f"sends a task to be seen after {delay} s", partial(operations.send, task, delay=delay))
    transcript.call("sends a task at once", lambda: operations.send(task))
    transcript.call(
        "sends a replay's step", lambda: ReplayQueue(transcript.sqs, "https://sqs/replays").send("i1", "w1", "r1")
    )


def kms(transcript: Transcript) -> None:
    """Secrets, bound to their purpose and owner."""
    w1, secret = WebhookId("w1"), WebhookSecret(secret="whsec_1", userinfo="joe:pw")
    opened = {"Plaintext": b'{"secret": "whsec_1", "userinfo": null}'}
    transcript.call(
        "encrypts a webhook's secret",
        lambda: encrypt(transcript.kms, "key", w1, secret),
        Encrypt={"CiphertextBlob": b"c"},
    )

    def read() -> str:
        return decrypt(transcript.kms, w1, b"c").secret

    transcript.call("decrypts it", read, Decrypt=opened)
    transcript.call("finds something else in it", read, Decrypt={"Plaintext": b"[]"})
    for code in ("InvalidCiphertextException", "IncorrectKeyException"):
        transcript.call(f"cannot decrypt it: {code}", read, Decrypt=Refused(code))

    def in_turn(*names: str) -> list[str]:
        decrypter = SecretDecrypter(transcript.kms, size=2)
        return [decrypter(WebhookId(name), b"c").secret for name in names]

    transcript.call("decrypts once", lambda: in_turn("w1", "w2", "w1", "w2"), Decrypt=opened)
    transcript.call(
        "forgets what was used longest ago", lambda: in_turn("w1", "w2", "w1", "w3", "w1", "w2"), Decrypt=opened
    )
    bindings = BindingSecretEncryption(transcript.kms, "key")
    known = BindingSecret(access_key_id="AKIA", secret_access_key="s")
    transcript.call(
        "encrypts a binding's secrets", lambda: bindings.encrypt("b1", known), Encrypt={"CiphertextBlob": b"c"}
    )
    transcript.call(
        "decrypts them", lambda: bindings.decrypt("b1", b"c"), Decrypt={"Plaintext": b'{"access_key_id": "AKIA"}'}
    )


def iam(transcript: Transcript) -> None:
    """Sending users."""

    def users() -> IamUsers:
        return IamUsers(
            transcript.iam, boundary_arn="arn:aws:iam::111122223333:policy/boundary", sleep=transcript.sleep
        )

    def ensure() -> None:
        users().ensure_user("u1", {"Version": "2012-10-17"}, TAGS)

    gone, exists, denied = Refused("NoSuchEntity"), Refused("EntityAlreadyExists"), Refused("AccessDenied")
    transcript.call(
        "knows the quota", lambda: users().quota(), GetAccountSummary={"SummaryMap": {"Users": 7, "UsersQuota": 9}}
    )
    transcript.call("creates a user", ensure)
    transcript.call("creates none in a full account", ensure, CreateUser=Refused("LimitExceeded"))
    transcript.call("finds its own user", ensure, CreateUser=exists, GetUser={"User": {"Tags": OURS}})
    transcript.call("finds another's user", ensure, CreateUser=exists, GetUser={"User": {"Tags": ANOTHERS}})
    transcript.call("finds a user without tags", ensure, CreateUser=exists, GetUser={"User": {}})
    for code in ("NoSuchEntity", "AccessDenied", "AccessDeniedException"):
        transcript.call(f"waits until IAM knows it: {code}", ensure, PutUserPolicy=[Refused(code), Refused(code), {}])
    transcript.call("waits no longer than it may", ensure, PutUserPolicy=denied)
    transcript.call(
        "waits until IAM knows whose it is", ensure, CreateUser=exists, GetUser=[gone, {"User": {"Tags": OURS}}]
    )

    def replace_key() -> object:
        return users().replace_key("u1")

    made: Any = {"CreateAccessKey": {"AccessKey": {"AccessKeyId": "AKIA", "SecretAccessKey": "s"}}}
    keys: Any = {
        "ListAccessKeys": {
            "AccessKeyMetadata": [{"AccessKeyId": "AKIA1111111111111111"}, {"AccessKeyId": "AKIA2222222222222222"}]
        }
    }
    transcript.call("replaces keys", replace_key, **made, **keys)
    transcript.call("replaces a key that is gone", replace_key, **made, **keys, DeleteAccessKey=gone)
    transcript.call("makes a first key", replace_key, **made, ListAccessKeys=gone)
    transcript.call(
        "makes a key once IAM knows the user",
        replace_key,
        ListAccessKeys=gone,
        CreateAccessKey=[denied, made["CreateAccessKey"]],
    )
    transcript.call("revokes sending", lambda: users().revoke_sending("u1"))
    transcript.call("revokes nothing twice", lambda: users().revoke_sending("u1"), DeleteUserPolicy=gone)

    def remove() -> None:
        users().remove_user("u1", "i1")

    ours: Any = {"GetUser": {"User": {"Tags": OURS}}}
    transcript.call("removes a user with all it has", remove, **ours, **keys)
    transcript.call(
        "goes on removing what is left", remove, **ours, ListAccessKeys=gone, DeleteUserPolicy=gone, DeleteUser=gone
    )
    transcript.call("leaves another's user", remove, GetUser={"User": {"Tags": ANOTHERS}})
    transcript.call("removes what is left of a user that is gone", remove, GetUser=gone, ListAccessKeys=gone)


def route53(transcript: Transcript) -> None:
    """The operator's zone, and the client for it."""

    def zone() -> HostedZone:
        return HostedZone(lambda: transcript.route53, zone_id="Z1")

    def record(kind: RecordType, name: str, value: str) -> DnsRecord:
        return DnsRecord(type=kind, name=name, value=value, purpose="")

    records = [
        record(RecordType.TXT, "b.x.gov", "v" * 256),
        record(RecordType.MX, "a.x.gov", "10 mx"),
        record(RecordType.TXT, "a.x.gov", "one"),
        record(RecordType.TXT, "a.x.gov", "two"),
    ]
    transcript.call("creates records", lambda: zone().upsert(records))
    transcript.call(
        "is throttled", lambda: zone().upsert(records[:1]), ChangeResourceRecordSets=Refused("PriorRequestNotComplete")
    )

    def found(*names: str, more: str = "") -> Any:
        sets = [{"Name": name, "Type": "TXT", "TTL": 5, "ResourceRecords": [{"Value": '"v"'}]} for name in names]
        after = {"NextRecordName": more, "NextRecordType": "TXT"} if more else {}
        return {"ResourceRecordSets": sets, "IsTruncated": bool(more), **after}

    def remove(*keep: DnsRecord) -> None:
        zone().remove("a.x.gov", keep=keep)

    both = found("a.x.gov.", "\\052.A.x.gov.")
    transcript.call("removes a domain's records", remove, ListResourceRecordSets=both)
    transcript.call("removes all but some", lambda: remove(records[2]), ListResourceRecordSets=both)
    wildcard = record(RecordType.TXT, "*.a.x.gov", "v")
    transcript.call("removes all but a wildcard", lambda: remove(wildcard), ListResourceRecordSets=both)
    transcript.call("keeps none of another type", lambda: remove(records[1]), ListResourceRecordSets=both)
    transcript.call(
        "follows pages", remove, ListResourceRecordSets=[found("a.x.gov.", more="b.a.x.gov."), found("b.a.x.gov.")]
    )
    transcript.call(
        "ends where another domain begins",
        remove,
        ListResourceRecordSets=found("a.x.gov.", "b.x.gov.", more="c.x.gov."),
    )
    transcript.call("removes nothing", remove, ListResourceRecordSets=found("b.x.gov."))

    def client(secret_id: str) -> object:
        with (
            patch.object(zone_client_module, "client", lambda service: f"the function's own for {service}"),
            patch.object(zone_client_module, "session", _Session),
        ):
            return zone_client_module.zone_client(transcript.secretsmanager, secret_id)

    keys = '"aws_access_key_id": "A", "aws_secret_access_key": "s"'
    whole = f'{{{keys}, "aws_session_token": "t", "region": "us-gov-west-1"}}'
    transcript.call("uses the function's own credentials", lambda: client(""))
    transcript.call(
        "uses other credentials", lambda: client("arn:zone"), GetSecretValue={"SecretString": f"{{{keys}}}"}
    )
    transcript.call("uses them elsewhere", lambda: client("arn:zone"), GetSecretValue={"SecretString": whole})


class _Session:
    """A session that says what client it was asked for."""

    @staticmethod
    def create_client(service: str, **how: str | None) -> dict[str, object]:
        """The request."""
        return {"service": service, **how}


def secrets_manager(transcript: Transcript) -> None:
    """The broker's credentials, the portal's client and signing keys."""

    def accept(*tries: tuple[float, str, str]) -> list[bool]:
        credentials = Credentials(transcript.secretsmanager, "arn:broker")
        return [credentials.accept(user, word, now=NOW + timedelta(seconds=at)) for at, user, word in tries]

    def secret(text: str) -> Any:
        return {"SecretString": text}

    plain = secret('{"username": "u", "password": "p"}')
    rotating = secret('{"username": "u", "password": "p", "previous_password": "q"}')
    renamed = secret('{"username": "u", "password": "p", "previous_username": "v", "previous_password": "q"}')
    pairs = [(0.0, user, word) for user, word in (("u", "p"), ("u", "q"), ("v", "q"), ("v", "p"), ("u", "\udcff"))]
    for sentence, answer in (("one pair", plain), ("a pair and the password before", rotating), ("two pairs", renamed)):
        transcript.call(f"accepts {sentence}", lambda: accept(*pairs), GetSecretValue=answer)
    right, wrong = ("u", "p"), ("u", "x")
    transcript.call(
        "keeps them for 30 s", lambda: accept((0, *right), (29.9, *right), (30, *right)), GetSecretValue=plain
    )
    transcript.call(
        "reads again for a wrong one",
        lambda: accept((0, *right), (1, "u", "n")),
        GetSecretValue=[plain, secret('{"username": "u", "password": "n"}')],
    )
    many = [(0.0, *right), *[(1.0, *wrong)] * 22, (10.9, *wrong), (11.0, *wrong), (11.0, *wrong)]
    transcript.call(
        "reads again for so many wrong ones only", lambda: [accept(*many).count(True), len(many)], GetSecretValue=plain
    )
    later = [(0.0, *right), *[(1.0, *wrong)] * 21, (301.0, *right), *[(302.0, *wrong)] * 25]
    transcript.call("saves up no more reads than that", lambda: len(accept(*later)), GetSecretValue=plain)

    def client() -> object:
        found = OAuthClientSecret(transcript.secretsmanager, "arn:client").read()
        return found.id, found.secret

    transcript.call(
        "reads the portal's client", client, GetSecretValue=secret('{"client_id": "c", "client_secret": "s"}')
    )
    for bad in ('{"client_id": "c", "client_secret": " "}', '{"client_id": " ", "client_secret": "s"}', "nonsense"):
        transcript.call(f"refuses {bad}", client, GetSecretValue=secret(bad))
    transcript.call("refuses a secret without text", client, GetSecretValue={})

    def keys(*seconds: float) -> object:
        signing = SigningKeys(transcript.secretsmanager, "arn:signing")
        return [signing.current(now=NOW + timedelta(seconds=at)) for at in seconds]

    two = secret('{"key": "new", "previous_key": "old"}')
    transcript.call(
        "reads the signing keys, and keeps them",
        lambda: keys(0, 299.9, 300),
        GetSecretValue=[two, secret('{"key": "new"}')],
    )


def ec2(transcript: Transcript) -> None:
    """Endpoints and their groups."""

    def endpoints() -> Endpoints:
        return Endpoints(transcript.ec2, vpc_id="vpc-1")

    def subnet(id_: str, zone: str, zone_id: str = "") -> dict[str, str]:
        return {"SubnetId": id_, "AvailabilityZone": zone, **({"AvailabilityZoneId": zone_id} if zone_id else {})}

    services = {
        "ServiceDetails": [{"AvailabilityZones": ["1a"], "AvailabilityZoneIds": ["z2"]}, {"AvailabilityZones": ["1c"]}]
    }
    pages = [
        {"Subnets": [subnet("s4", "1b", "z2"), subnet("s3", "1a")], "NextToken": "n"},
        {"Subnets": [subnet("s2", "1a", "z9"), subnet("s5", "1d", "z4"), subnet("s6", "1c")]},
    ]
    asked: Any = {"DescribeVpcEndpointServices": services, "DescribeSubnets": pages}
    transcript.call("chooses a subnet in each zone", lambda: endpoints().subnets("svc", ()), **asked)
    transcript.call("chooses of those that are wanted", lambda: endpoints().subnets("svc", ["s3", "s5"]), **asked)
    transcript.call("has no subnet", lambda: endpoints().subnets("svc", ["s5"]), **asked)
    vpc = {
        "CidrBlock": "10.0.0.0/16",
        "CidrBlockAssociationSet": [{"CidrBlock": "10.0.0.0/16"}, {"CidrBlock": "10.1.0.0/16"}],
    }
    transcript.call("knows the VPC's networks", lambda: endpoints().cidrs(), DescribeVpcs={"Vpcs": [vpc]})
    transcript.call(
        "knows the VPC's one network",
        lambda: endpoints().cidrs(),
        DescribeVpcs={"Vpcs": [{"CidrBlock": "10.0.0.0/16"}]},
    )

    def group(*cidrs: str) -> str:
        return endpoints().ensure_group("g", cidrs, TAGS)

    none: Any = {"SecurityGroups": []}
    ours = {"SecurityGroups": [{"GroupId": "sg-2", "Tags": OURS}]}
    foreign = {"SecurityGroups": [{"GroupId": "sg-2", "Tags": ANOTHERS}]}
    made: Any = {"DescribeSecurityGroups": none, "CreateSecurityGroup": {"GroupId": "sg-1"}}
    duplicate = Refused("InvalidGroup.Duplicate")
    transcript.call("creates a group", lambda: group("10.0.0.0/8", "fd00::/8"), **made)
    transcript.call(
        "finds its group, which admits them",
        lambda: group("10.0.0.0/8"),
        DescribeSecurityGroups=ours,
        AuthorizeSecurityGroupIngress=Refused("InvalidPermission.Duplicate"),
    )
    transcript.call(
        "finds the group that it made a moment ago",
        lambda: group(),
        DescribeSecurityGroups=[none, ours],
        CreateSecurityGroup=duplicate,
    )
    transcript.call(
        "finds another's group", lambda: group(), DescribeSecurityGroups=[none, foreign], CreateSecurityGroup=duplicate
    )
    untagged = {"SecurityGroups": [{"GroupId": "sg-3"}]}
    transcript.call(
        "finds a group without tags",
        lambda: group(),
        DescribeSecurityGroups=[none, untagged],
        CreateSecurityGroup=duplicate,
    )
    for code in ("SecurityGroupLimitExceeded", "InvalidVpcId.NotFound", "RequestLimitExceeded"):
        transcript.call(
            f"creates no group: {code}", lambda: group(), DescribeSecurityGroups=none, CreateSecurityGroup=Refused(code)
        )

    def ensure() -> str:
        return endpoints().ensure_endpoint("svc", subnets=["s1"], group_id="sg-1", token="tok", tags=TAGS)

    def endpoint(state: str, id_: str = "vpce-1", **more: Any) -> dict[str, Any]:
        return {"VpcEndpointId": id_, "State": state, **more}

    def listed(*found: dict[str, Any]) -> Any:
        return {"VpcEndpoints": list(found)}

    transcript.call(
        "creates an endpoint",
        ensure,
        DescribeVpcEndpoints=listed(),
        CreateVpcEndpoint={"VpcEndpoint": {"VpcEndpointId": "vpce-2"}},
    )
    transcript.call("finds its endpoint", ensure, DescribeVpcEndpoints=listed(endpoint("pending")))
    for code in ("InvalidServiceName", "InvalidSubnetID.NotFound", "VpcEndpointLimitExceeded"):
        transcript.call(
            f"creates no endpoint: {code}", ensure, DescribeVpcEndpoints=listed(), CreateVpcEndpoint=Refused(code)
        )

    def look() -> object:
        return endpoints().endpoint("i1")

    names = [{"DnsName": name} for name in ("vpce-1-x-1a.svc", "vpce-1-x.svc", "email.svc")]
    whole = endpoint("Available", DnsEntries=[*names, {}])
    transcript.call(
        "reads an endpoint",
        look,
        DescribeVpcEndpoints=[{**listed(endpoint("Deleting", "vpce-0")), "NextToken": "n"}, listed(whole)],
    )
    transcript.call(
        "reads why one failed",
        look,
        DescribeVpcEndpoints=listed(endpoint("failed", LastError={"Message": "no"}, FailureReason="other")),
    )
    transcript.call(
        "reads the reason that it failed for",
        look,
        DescribeVpcEndpoints=listed(endpoint("failed", FailureReason="other")),
    )
    transcript.call("reads none", look, DescribeVpcEndpoints=listed(endpoint("deleted")))

    def remove() -> bool:
        return endpoints().remove_endpoint("i1")

    several = listed(endpoint("Available"), endpoint("Deleting", "vpce-2"), endpoint("deleted", "vpce-3"))
    transcript.call("removes endpoints", remove, DescribeVpcEndpoints=several)
    transcript.call("waits for their end", remove, DescribeVpcEndpoints=listed(endpoint("deleting")))
    transcript.call("has removed them", remove, DescribeVpcEndpoints=listed(endpoint("Deleted")))
    transcript.call(
        "removes none twice",
        remove,
        DescribeVpcEndpoints=several,
        DeleteVpcEndpoints=Refused("InvalidVpcEndpointId.NotFound"),
    )

    def remove_group() -> bool:
        return endpoints().remove_group("i1")

    two = [{**ours, "NextToken": "n"}, untagged]
    transcript.call("removes groups", remove_group, DescribeSecurityGroups=two)
    transcript.call(
        "waits for who uses the group",
        remove_group,
        DescribeSecurityGroups=ours,
        DeleteSecurityGroup=Refused("DependencyViolation"),
    )
    for code in ("InvalidGroup.NotFound", "InvalidGroupId.NotFound"):
        transcript.call(
            f"removes no group twice: {code}",
            remove_group,
            DescribeSecurityGroups=ours,
            DeleteSecurityGroup=Refused(code),
        )


WALKS = (ses, ses_states, sns, queues, kms, iam, route53, secrets_manager, ec2)
