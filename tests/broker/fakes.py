"""AWS as the broker sees it, in memory: the same promises as the adapters', and nothing forgotten.

Every call passes a `Gate`, which can end the process there: before the call has had its effect, or just after.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lambdas.domain.errors import DomainTaken, NotOurs, OrganizationFull, Throttled, VersionConflict
from lambdas.domain.reputation.sending_status import Mark, Pending, SendingStatus, Transition, mark_of
from lambdas.domain.tenants.aws_names import INSTANCE_TAG, id_in_tag
from lambdas.domain.tenants.dns_records import Dkim, DnsRecord
from lambdas.domain.tenants.domain_claim import REMEMBERED_FOR, RESERVED_FOR, Claim
from lambdas.domain.tenants.domain_names import is_under, parents
from lambdas.domain.tenants.iam_user import AccessKey, Quota
from lambdas.domain.tenants.identity import Identity
from lambdas.domain.tenants.instance import (
    Binding,
    BindingSecret,
    BindingState,
    Instance,
    Unfinished,
    WebhookSettings,
)
from lambdas.domain.tenants.operation_task import OperationTask
from lambdas.domain.tenants.vpc_endpoint import Endpoint
from lambdas.domain.webhooks.delivery import DeliveryBatch
from lambdas.domain.webhooks.signature import WebhookSecret
from lambdas.domain.webhooks.stored_webhook import StoredWebhook


class Died(BaseException):
    """The process was killed: no handler of ours may catch it."""


@dataclass
class Gate:
    """Counts the calls that leave the process; ends it at the one that is asked for."""

    calls: int = 0
    die_at: int | None = None
    after: bool = False
    failing: dict[str, Exception] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    asked: list[tuple[Any, ...]] = field(default_factory=list)  # name, arguments, and keywords if there are any

    @contextmanager
    def crossing(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Iterator[None]:
        """One call."""
        at, self.calls = self.calls, self.calls + 1
        self.names.append(name)
        self.asked.append((name.removeprefix("Fake"), *args, *([dict(kwargs)] if kwargs else [])))
        if self.die_at == at and not self.after:
            raise Died(name)
        if name in self.failing:
            raise self.failing[name]
        yield
        if self.die_at == at and self.after:
            raise Died(name)


class Gated:
    """Passes every call of *target* through *gate*."""

    def __init__(self, target: Any, gate: Gate) -> None:
        self._target = target
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            with self._gate.crossing(f"{type(self._target).__name__}.{name}", args, kwargs):
                return found(*args, **kwargs)

        return call

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        with self._gate.crossing(type(self._target).__name__, args, kwargs):
            return self._target(*args, **kwargs)


def _check_key(*ids: str) -> None:
    """DynamoDB refuses an empty key, and a sort key of more than 1,024 bytes."""
    assert all(0 < len(id_.encode()) < 1000 for id_ in ids), "ValidationException"


@dataclass
class FakeTable:
    """lambdas.aws.dynamodb.broker.broker_table."""

    instances: dict[str, Instance] = field(default_factory=dict)
    bindings: dict[tuple[str, str], Binding] = field(default_factory=dict)
    binding_claims: dict[str, str] = field(default_factory=dict)
    domains: dict[str, Claim] = field(default_factory=dict)
    former: dict[tuple[str, str], tuple[datetime, datetime]] = field(default_factory=dict)  # claimed at, kept until
    organizations: dict[str, set[str]] = field(default_factory=dict)

    def instance(self, instance_id: str) -> Instance | None:
        _check_key(instance_id)
        return self.instances.get(instance_id)

    def save_instance(
        self,
        instance: Instance,
        *,
        claim: str = "",
        release: str = "",
        room: int = 0,
        leave: bool = False,
        reserve: str = "",
    ) -> Instance:
        self._check(self.instances.get(instance.id), instance.version)
        for domain, now in ((claim, instance.operation.started_at), (release, None)):
            held = self.domains.get(domain)
            if held is None or held.instance_id == instance.id:
                continue
            if now is None or held.is_held_against(
                instance_id=instance.id, organization_guid=instance.organization_guid, now=now
            ):
                raise DomainTaken
        if claim:
            for parent in parents(claim):
                held = self.domains.get(parent)
                if held is not None and held.verified and held.organization_guid != instance.organization_guid:
                    raise DomainTaken
            now = instance.operation.started_at
            former, until = self.former.get((claim, instance.organization_guid), (now, now))
            self.domains[claim] = Claim(
                domain=claim,
                instance_id=instance.id,
                organization_guid=instance.organization_guid,
                claimed_at=former if now < until else now,
            )
        members = self.organizations.get(instance.organization_guid, set())
        if room and instance.id not in members and len(members) >= room:
            self.domains.pop(claim, None)
            raise OrganizationFull
        if room:
            self.organizations[instance.organization_guid] = members | {instance.id}
        if leave:
            self.organizations[instance.organization_guid] = members - {instance.id}
        if release:
            given_back = self.domains.pop(release, None)
            if given_back is not None and not given_back.verified and given_back.claimed_at is not None:
                until = instance.operation.touched_at + REMEMBERED_FOR
                self.former[release, instance.organization_guid] = (given_back.claimed_at, until)
        if release and reserve:
            until = instance.operation.touched_at + RESERVED_FOR
            self.domains[release] = Claim(
                domain=release, instance_id="", organization_guid=reserve, reserved_until=until
            )
        self.instances[instance.id] = saved = replace(instance, version=instance.version + 1)
        return saved

    def claims_related(self, domain: str) -> tuple[Claim, ...]:
        related = [claim for claim in self.domains.values() if is_under(claim.domain, domain)]
        return (*related, *(self.domains[parent] for parent in parents(domain) if parent in self.domains))

    def note_claim(self, claim: Claim, *, verified: bool, at: datetime) -> None:
        held = self.domains.get(claim.domain)
        if held is not None and held.instance_id == claim.instance_id:
            self.domains[claim.domain] = replace(held, verified=held.verified or verified, checked_at=at)

    def unfinished(self) -> tuple[Unfinished, ...]:
        return tuple(
            Unfinished(
                instance_id=instance.id,
                started_at=instance.operation.started_at,
                touched_at=instance.operation.touched_at,
            )
            for instance in self.instances.values()
            if instance.busy
        )

    def binding(self, instance_id: str, binding_id: str) -> Binding | None:
        _check_key(instance_id, binding_id)
        return self.bindings.get((instance_id, binding_id))

    def instance_of_binding(self, binding_id: str) -> str | None:
        return self.binding_claims.get(binding_id)

    def save_binding(self, binding: Binding, *, instances: Sequence[Instance] = ()) -> Binding:
        self._check(self.bindings.get((binding.instance_id, binding.id)), binding.version)
        for instance in instances:
            self._check(self.instances.get(instance.id), instance.version)
        if self.binding_claims.get(binding.id, binding.instance_id) != binding.instance_id:
            raise VersionConflict
        for instance in instances:
            self.instances[instance.id] = replace(instance, version=instance.version + 1)
        saved = replace(binding, version=binding.version + 1)
        self.bindings[binding.instance_id, binding.id] = saved
        if saved.state is BindingState.GONE:
            self.binding_claims.pop(binding.id, None)
        else:
            self.binding_claims[binding.id] = binding.instance_id
        return saved

    def stale_intents(self, *, before: datetime) -> tuple[tuple[str, str], ...]:
        return tuple(
            key
            for key, binding in self.bindings.items()
            if binding.state in (BindingState.INTENT, BindingState.LEAVING)
            and (binding.busy_until or binding.created_at) < before
        )

    @staticmethod
    def _check(known: Instance | Binding | None, version: int) -> None:
        if (known.version if known else 0) != version:
            raise VersionConflict


@dataclass
class FakeSes:
    """lambdas.aws.ses.control_plane. `foreign` are identities that somebody else made; `verifies` says whether DKIM is
    found."""

    sets: dict[str, dict[str, str]] = field(default_factory=dict)
    sends: dict[str, bool] = field(default_factory=dict)
    destinations: dict[str, str] = field(default_factory=dict)
    identities: dict[str, Identity] = field(default_factory=dict)
    verifies: bool = True
    throttled: int = 0
    down: bool = False  # the whole service, as in an outage of the region

    def _rate_limit(self) -> None:
        if self.down:
            raise ConnectionError("SES does not answer")
        if self.throttled:
            self.throttled -= 1
            raise Throttled(3.0)

    def ensure_configuration_set(self, name: str, tags: Mapping[str, str], *, sending: bool = True) -> None:
        self._rate_limit()
        if _owner(self.sets.setdefault(name, dict(tags))) != _owner(tags):
            raise NotOurs(f"a configuration set named {name} exists")
        self.sends.setdefault(name, sending)

    def ensure_event_destination(self, name: str, topic_arn: str) -> None:
        self._rate_limit()
        assert name in self.sets
        self.destinations[name] = topic_arn

    def remove_configuration_set(self, name: str, owner: str) -> None:
        self._rate_limit()
        if _owner(self.sets.get(name, {})) != owner:
            return
        del self.sets[name]
        self.sends.pop(name, None)
        self.destinations.pop(name, None)

    def ensure_identity(self, domain: str, configuration_set: str, tags: Mapping[str, str]) -> Dkim:
        self._rate_limit()
        assert configuration_set in self.sets
        found = self.identities.get(domain)
        if found is not None and found.owner != id_in_tag(tags[INSTANCE_TAG]):
            raise NotOurs(f"{domain} is already set up in this account's SES")
        dkim = Dkim(tokens=("t1", "t2", "t3"), zone="dkim.amazonses.com")
        self.identities[domain] = Identity(
            owner=id_in_tag(tags[INSTANCE_TAG]),
            dkim=dkim,
            verified=False,
            failed=False,
            mail_from="",
            configuration_set=configuration_set,
        )
        return dkim

    def identity(self, domain: str) -> Identity | None:
        self._rate_limit()
        found = self.identities.get(domain)
        return replace(found, verified=True) if found and self.verifies else found

    def set_mail_from(self, domain: str, mail_from: str) -> None:
        self._rate_limit()
        self.identities[domain] = replace(self.identities[domain], mail_from=mail_from)

    def remove_identity(self, domain: str, owner: str) -> None:
        self._rate_limit()
        if domain in self.identities and self.identities[domain].owner == owner:
            del self.identities[domain]


def _owner(tags: Mapping[str, str]) -> str | None:
    return id_in_tag(tags[INSTANCE_TAG]) if INSTANCE_TAG in tags else None


@dataclass
class FakeUsers:
    """lambdas.aws.iam.users."""

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    limit: int = 5000
    made: int = 0

    def quota(self) -> Quota:
        return Quota(users=len(self.users), limit=self.limit)

    def ensure_user(self, name: str, policy: Mapping[str, object], tags: Mapping[str, str]) -> None:
        user = self.users.setdefault(name, {"keys": {}, "tags": dict(tags)})
        if _owner(user["tags"]) != _owner(tags):
            raise NotOurs(f"an IAM user named {name} exists")
        user["policy"] = policy

    def replace_key(self, name: str) -> AccessKey:
        self.made += 1
        key = AccessKey(id=f"AKIA{self.made:016}", secret=f"secret{self.made}")
        self.users[name]["keys"] = {key.id: key.secret}
        return key

    def revoke_sending(self, name: str) -> None:
        if name in self.users:
            self.users[name].pop("policy", None)

    def remove_user(self, name: str, owner: str) -> None:
        if name in self.users and _owner(self.users[name]["tags"]) == owner:
            del self.users[name]


@dataclass
class FakeTopics:
    """lambdas.aws.sns.topics."""

    topics: dict[str, set[str]] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)  # addresses, with the organization that named them
    owners: dict[str, str | None] = field(default_factory=dict)
    may_mail: bool = True

    def ensure(self, name: str, tags: Mapping[str, str]) -> str:
        arn = f"arn:aws:sns:us-east-1:123456789012:{name}"
        if self.owners.setdefault(arn, _owner(tags)) != _owner(tags):
            raise NotOurs(f"an SNS topic named {name} exists")
        self.topics.setdefault(arn, set())
        return arn

    def subscribe(self, topic_arn: str, email: str, *, organization: str) -> bool:
        self.asked.append((email, organization))
        self.topics[topic_arn] = {email} if self.may_mail else set()
        return self.may_mail

    def confirmed(self, topic_arn: str, email: str) -> bool:
        return False

    def remove(self, topic_arn: str, owner: str) -> None:
        if self.owners.get(topic_arn) == owner:
            del self.topics[topic_arn], self.owners[topic_arn]


@dataclass
class FakeNotifier:
    """lambdas.aws.sns.notifier."""

    sent: list[tuple[str, str, str]] = field(default_factory=list)

    def notify(self, topic: str, *, subject: str, text: str) -> bool:
        self.sent.append((topic, subject, text))
        return True


@dataclass
class FakeDns:
    """TXT records that the world sees."""

    txt: dict[str, frozenset[str]] = field(default_factory=dict)

    def __call__(self, name: str) -> frozenset[str]:
        return self.txt.get(name, frozenset())


@dataclass
class FakeZone:
    """lambdas.aws.route53.hosted_zone."""

    records: dict[tuple[str, str], str] = field(default_factory=dict)

    def upsert(self, records: Sequence[DnsRecord]) -> None:
        self.records |= {(record.name, record.type.value): record.value for record in records}

    def remove(self, domain: str, *, keep: Sequence[DnsRecord] = ()) -> None:
        kept = {(record.name, record.type.value) for record in keep}
        self.records = {
            key: value for key, value in self.records.items() if key in kept or not is_under(key[0], domain)
        }


@dataclass
class FakeWebhooks:
    """lambdas.aws.dynamodb.webhooks.webhook_items."""

    instances: dict[str, bool] = field(default_factory=dict)
    facts: dict[str, tuple[str, str]] = field(default_factory=dict)  # domain and organization, of deleted ones too
    webhooks: dict[tuple[str, str], StoredWebhook] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    overlaps: dict[str, datetime] = field(default_factory=dict)

    def replace_secret(
        self, instance_id: str, webhook_id: str, *, before: bytes, after: bytes, until: datetime, now: datetime
    ) -> bool:
        kept = self.webhooks.get((instance_id, webhook_id))
        if kept is None or kept.settings.ciphertext != before or self.overlaps.get(webhook_id, now) > now:
            return False
        self.webhooks[instance_id, webhook_id] = replace(kept, settings=replace(kept.settings, ciphertext=after))
        self.overlaps[webhook_id] = until
        return True

    def set_notifications(
        self, instance_id: str, *, enabled: bool, domain: str, organization: str, created_at: datetime | None = None
    ) -> None:
        self.instances[instance_id] = enabled
        self.facts[instance_id] = (domain, organization)

    def retire_instance(self, instance_id: str, *, domain: str, organization: str, now: datetime) -> None:
        self.instances.pop(instance_id, None)
        self.facts[instance_id] = (domain, organization)
        self.webhooks = {key: kept for key, kept in self.webhooks.items() if key[0] != instance_id}

    def get(self, instance_id: str, webhook_id: str) -> StoredWebhook | None:
        return self.webhooks.get((instance_id, webhook_id))

    def put(self, instance_id: str, webhook_id: str, settings: WebhookSettings, *, binding_id: str) -> None:
        self.webhooks[instance_id, webhook_id] = StoredWebhook(
            settings=settings, bindings=(binding_id,), test_status=None, test_at=None
        )

    def join(self, instance_id: str, webhook_id: str, binding_id: str) -> bool:
        kept = self.get(instance_id, webhook_id)
        if kept is None:
            return False
        bindings = tuple(dict.fromkeys((*kept.bindings, binding_id)))
        self.webhooks[instance_id, webhook_id] = replace(kept, bindings=bindings)
        return True

    def leave(self, instance_id: str, webhook_id: str, binding_id: str) -> bool:
        kept = self.get(instance_id, webhook_id)
        if kept is None:
            return True
        left = tuple(other for other in kept.bindings if other != binding_id)
        if left:
            self.webhooks[instance_id, webhook_id] = replace(kept, bindings=left)
        else:
            del self.webhooks[instance_id, webhook_id]
        return not left

    def change(self, instance_id: str, webhook_id: str, settings: WebhookSettings, *, before: bytes) -> None:
        kept = self.webhooks.get((instance_id, webhook_id))
        if kept is not None:
            if kept.settings.ciphertext != before:
                raise VersionConflict
            self.webhooks[instance_id, webhook_id] = replace(kept, settings=settings, test_status=None, test_at=None)
            self.versions[webhook_id] = self.versions.get(webhook_id, 1) + 1


@dataclass
class FakePauses:
    """lambdas.aws.dynamodb.reputation.pause_marks and lambdas.aws.dynamodb.reputation.sending_status_table, with what
    they share: a pause writes its mark."""

    marks: dict[str, Mark] = field(default_factory=dict)
    sending_statuses: dict[str, SendingStatus] = field(default_factory=dict)
    moves: list[Transition] = field(default_factory=list)
    rivals: int = 0  # claims that another is quicker at

    def on(self, domain: str, *, now: datetime) -> Mark | None:
        mark = self.marks.get(domain)
        return mark if mark and now < mark.until else None

    def over(self, domain: str, *, now: datetime) -> Mark | None:
        return next(filter(None, (self.on(name, now=now) for name in (domain, *parents(domain)))), None)

    def keep(self, mark: Mark) -> None:
        self.marks[mark.domain] = mark

    def load(self, instance_id: str) -> SendingStatus:
        return self.sending_statuses.get(instance_id, SendingStatus(instance_id=instance_id))

    def history(self, instance_id: str) -> Sequence[Transition]:
        return [move for move in reversed(self.moves) if move.instance_id == instance_id]

    def claim(
        self,
        identity_status: SendingStatus,
        transition: Transition,
        *,
        claimer: str,
        baseline: datetime | None,
        now: datetime,
    ) -> bool:
        if self.rivals:
            self.rivals -= 1
            return False
        assert self.load(identity_status.instance_id).version == identity_status.version
        self.sending_statuses[identity_status.instance_id] = replace(
            identity_status,
            state=transition.after,
            version=identity_status.version + 1,
            cause=transition.cause,
            until=transition.until,
            pending=Pending(transition=transition, done=frozenset(), claimed_by=claimer, claimed_until=now),
        )
        self.moves.append(transition)
        if transition.marks:
            self.keep(mark_of(transition, since=now))
        return True


@dataclass
class FakeEndpoints:
    """lambdas.aws.ec2.vpc_endpoints. An endpoint is available, and gone, after it was looked at `takes` times."""

    groups: dict[str, tuple[str, ...]] = field(default_factory=dict)
    endpoints: dict[str, list[Any]] = field(default_factory=dict)  # state and looks, by instance
    takes: int = 2
    ends_as: str = "available"
    hostname: str = "vpce-{}-abcd.email-smtp.us-east-1.vpce.amazonaws.com"
    error: str = "no quota"

    def subnets(self, service_name: str, wanted: Sequence[str]) -> tuple[str, ...]:
        return tuple(wanted) or ("subnet-1",)

    def cidrs(self) -> tuple[str, ...]:
        return ("10.0.0.0/16",)

    def ensure_group(self, name: str, cidrs: Sequence[str], tags: Mapping[str, str]) -> str:
        self.groups[id_in_tag(tags[INSTANCE_TAG])] = tuple(cidrs)
        return f"sg-{id_in_tag(tags[INSTANCE_TAG])}"

    def ensure_endpoint(
        self, service_name: str, *, subnets: Sequence[str], group_id: str, token: str, tags: Mapping[str, str]
    ) -> str:
        instance = id_in_tag(tags[INSTANCE_TAG])
        assert group_id == f"sg-{instance}"
        self.endpoints.setdefault(instance, ["pending", 0])
        return f"vpce-{instance}"

    def endpoint(self, instance_id: str) -> Endpoint | None:
        if instance_id not in self.endpoints or self.endpoints[instance_id][0] == "deleting":
            return None
        known = self.endpoints[instance_id]
        known[1] += 1
        if known[1] > self.takes:
            known[0] = self.ends_as
        hostname = self.hostname.format(instance_id)
        return Endpoint(id=f"vpce-{instance_id}", state=known[0], hostname=hostname, error=self.error)

    def remove_endpoint(self, instance_id: str) -> bool:
        known = self.endpoints.get(instance_id)
        if known is None:
            return True
        if known[0] != "deleting":
            known[:] = ["deleting", 0]
        known[1] += 1
        if known[1] > self.takes:
            del self.endpoints[instance_id]
        return False

    def remove_group(self, instance_id: str) -> bool:
        if instance_id in self.endpoints:
            return False
        self.groups.pop(instance_id, None)
        return True


@dataclass
class FakeSecretEncryption:
    """lambdas.aws.kms.binding_secrets: the ciphertext is an index that only this fake reads."""

    ciphertext: list[tuple[str, BindingSecret]] = field(default_factory=list)

    def encrypt(self, binding_id: str, secret: BindingSecret) -> bytes:
        self.ciphertext.append((binding_id, secret))
        return f"ciphertext-{len(self.ciphertext) - 1}".encode()

    def decrypt(self, binding_id: str, ciphertext: bytes) -> BindingSecret:
        owner, secret = self.ciphertext[int(ciphertext.removeprefix(b"ciphertext-"))]
        assert owner == binding_id
        return secret


@dataclass
class FakeWebhookSecretEncryption:
    """lambdas.aws.kms.webhook_secrets, as wired."""

    ciphertext: list[tuple[str, str, str | None]] = field(default_factory=list)

    def __call__(self, webhook_id: str, secret: str, userinfo: str | None) -> bytes:
        self.ciphertext.append((webhook_id, secret, userinfo))
        return f"webhook-{len(self.ciphertext) - 1}".encode()

    def decrypt(self, webhook_id: str, ciphertext: bytes) -> WebhookSecret:
        of, secret, userinfo = self.ciphertext[int(ciphertext.removeprefix(b"webhook-"))]
        assert of == webhook_id
        return WebhookSecret(secret=secret, userinfo=userinfo)


@dataclass
class FakeTaskQueue:
    """lambdas.aws.sqs.operations_queue."""

    messages: list[tuple[OperationTask, float]] = field(default_factory=list)

    def send(self, message: OperationTask, *, delay: float = 0) -> None:
        self.messages.append((message, delay))


@dataclass
class FakeDeliveries:
    """lambdas.aws.sqs.delivery_queue."""

    batches: list[DeliveryBatch] = field(default_factory=list)
    delays: list[int] = field(default_factory=list)

    def send(self, batches: Sequence[DeliveryBatch], *, delay: int = 0) -> None:
        self.batches += batches
        self.delays.append(delay)


class AnyCredentials:
    """lambdas.aws.secrets_manager.broker_credentials: one pair."""

    def accept(self, username: str, password: str, *, now: datetime) -> bool:
        return (username, password) == ("broker", "secret")
