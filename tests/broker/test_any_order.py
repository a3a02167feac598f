"""Any order of calls, deaths included: no wrong code, no orphan. Hypothesis plays the platform.

The model is small: what the platform was told exists. Whatever happens, a clean-up leaves AWS as empty as it was.
"""

from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lambdas.broker.osb.catalog import PRIVATELINK_PLAN, PRIVATELINK_SERVICE
from lambdas.broker.osb.requests import Response
from lambdas.domain.tenants.instance import BindingState, InstanceState
from tests.broker.world import LINK, World
from tests.broker.world import settings as world_settings

INSTANCES = st.sampled_from(["i1", "i2", "i3"])
BINDINGS = st.sampled_from(["b1", "b2", "b3"])
DOMAINS = st.sampled_from(["", "agency.gov", "mail.agency.gov", "other.gov"])
ORGANIZATIONS = st.sampled_from(["org-1", "org-2"])
BIND_PARAMETERS = st.sampled_from(
    [
        {},
        {"notification_webhook": "https://app.example.gov/hook"},
        {"notification_webhook": "https://u:p@app.example.gov/hook", "notification_email": "digests@agency.gov"},
        {"notification_email": "digests@agency.gov", "source_ips": ["198.51.100.7"]},
        {"notification_webhook": "http://plain.example.gov/"},
        {"privatelink_instance_id": "p1"},
    ]
)
UPDATES = st.sampled_from(
    [
        {},
        {"admin_email": "second@agency.gov"},
        {"mail_from_subdomain": "bounce", "enable_feedback_notifications": True},
        {"bindings": {"b1": {"notification_events": ["bounce"]}}},
        {"domain": "elsewhere.gov"},
    ]
)
PROVISION_CODES = {200, 202, 409, 422}
UPDATE_CODES = {200, 202, 400, 422}
DEPROVISION_CODES = {202, 410, 422}
BIND_CODES = {200, 201, 400, 409, 422, 500}
UNBIND_CODES = {200, 410, 422, 500}


class Platform(RuleBasedStateMachine):
    """Calls the broker as a platform would, or should not."""

    @initialize()
    def begin(self) -> None:
        """A fresh broker."""
        self.world = World(settings=world_settings(privatelink_vpc_id="vpc-1"))
        self.died = False

    def call(self, action: Any, codes: set[int]) -> Response | None:
        """One call; None when the broker died in it, which a platform sees as a time-out."""
        answers: list[Response] = []
        alive = self.world.surviving(lambda: answers.append(action()))
        self.died |= not alive
        self.world.gate.die_at = None
        if not alive:
            return None
        assert answers[0].status in codes, answers[0].body
        if answers[0].status >= 400:
            assert set(answers[0].body) == {"error", "description"}
        if not self.world.gate.failing:
            assert answers[0].status != 500, self.world.told[-1]
        return answers[0]

    @rule(steps=st.integers(0, 25), after=st.booleans())
    def doom(self, steps: int, after: bool) -> None:
        """Let the next call, or turn of the worker, die somewhere."""
        self.world.gate.die_at = self.world.gate.calls + steps
        self.world.gate.after = after

    @rule(name=st.sampled_from(["FakeSes.ensure_identity", "FakeUsers.ensure_user", "FakeTopics.ensure", "none"]))
    def break_something(self, name: str) -> None:
        """Have one of AWS's calls fail from now on, or none."""
        self.world.gate.failing.clear()
        if name != "none":
            self.world.gate.failing[name] = RuntimeError("AWS has a bad day")

    @rule(instance=INSTANCES, domain=DOMAINS, organization=ORGANIZATIONS)
    def provision(self, instance: str, domain: str, organization: str) -> None:
        """Maybe again, maybe with another's domain."""
        parameters = {"admin_email": "admin@agency.gov", "domain": domain}
        self.call(
            lambda: self.world.provision(instance, parameters=parameters, organization_guid=organization),
            PROVISION_CODES,
        )

    @rule(links=st.sampled_from(["provision", "deprovision", "bind", "unbind"]))
    def link(self, links: str) -> None:
        """A privatelink instance comes and goes, with a binding of its own, and those of others that go through it."""
        names = {"service_id": PRIVATELINK_SERVICE, "plan_id": PRIVATELINK_PLAN}
        match links:
            case "provision":
                self.call(lambda: self.world.provision("p1", **LINK), PROVISION_CODES)
            case "deprovision":
                self.call(
                    lambda: self.world.deprovision("p1", service=PRIVATELINK_SERVICE, plan=PRIVATELINK_PLAN),
                    DEPROVISION_CODES,
                )
            case "bind":
                self.call(lambda: self.world.bind("b4", "p1", **names), BIND_CODES)
            case _:
                self.call(lambda: self.world.unbind("b4", "p1", **names), UNBIND_CODES)

    @rule(instance=INSTANCES, parameters=UPDATES)
    def update(self, instance: str, parameters: dict[str, Any]) -> None:
        """Maybe of what is not there."""
        self.call(lambda: self.world.update(instance, parameters=parameters), UPDATE_CODES)

    @rule(instance=INSTANCES)
    def deprovision(self, instance: str) -> None:
        """Maybe too early, maybe twice."""
        answer = self.call(lambda: self.world.deprovision(instance), DEPROVISION_CODES)
        if answer and answer.status == 410:
            known = self.world.table.instance(instance)
            assert known is None or known.state is InstanceState.GONE

    @rule(instance=INSTANCES, binding=BINDINGS, parameters=BIND_PARAMETERS, predecessor=st.none() | BINDINGS)
    def bind(self, instance: str, binding: str, parameters: dict[str, Any], predecessor: str | None) -> None:
        """Maybe with a predecessor that is none."""
        changes = {"predecessor_binding_id": predecessor} if predecessor else {}
        answer = self.call(lambda: self.world.bind(binding, instance, parameters=parameters, **changes), BIND_CODES)
        if answer and answer.status in (200, 201):
            user = self.world.users.users[f"ses-feedback-{binding}"]
            credentials = answer.body["credentials"]
            assert user["keys"] == {credentials["aws_access_key_id"]: credentials["aws_secret_access_key"]}

    @rule(instance=INSTANCES, binding=BINDINGS)
    def unbind(self, instance: str, binding: str) -> None:
        """Maybe under the wrong instance."""
        answer = self.call(lambda: self.world.unbind(binding, instance), UNBIND_CODES)
        if answer and answer.status == 200:
            assert f"ses-feedback-{binding}" not in self.world.users.users

    @rule(instance=INSTANCES)
    def poll(self, instance: str) -> None:
        """Whatever there is to know."""
        answer = self.call(lambda: self.world.poll(instance), {200, 404, 410})
        if answer and answer.status == 200:
            assert answer.body["state"] in ("in progress", "succeeded", "failed")
            assert answer.body["description"]

    @rule(instance=INSTANCES, binding=BINDINGS)
    def fetch(self, instance: str, binding: str) -> None:
        """An instance and a binding."""
        self.call(lambda: self.world.fetch(instance), {200, 404, 422})
        self.call(lambda: self.world.fetch(f"{instance}/service_bindings/{binding}"), {200, 404})

    @rule(minutes=st.integers(1, 15))
    def wait(self, minutes: int) -> None:
        """Leases and intents run out."""
        self.world.later(minutes=minutes)

    @rule()
    def work(self) -> None:
        """The worker gets its turns; one that dies is redelivered."""
        self.died |= not self.world.surviving(self.world.work)
        self.world.gate.die_at = None

    @rule()
    def sweep(self) -> None:
        """The schedule strikes."""
        self.died |= not self.world.surviving(lambda: self.world.sweep.run(now=self.world.now))
        self.world.gate.die_at = None

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def every_user_is_somebodys(self) -> None:
        """An IAM user is always remembered by a binding that is not gone: it can be found and removed."""
        for name in self.world.users.users:
            owners = [
                binding
                for binding in self.world.table.bindings.values()
                if name == f"ses-feedback-{binding.id}" and binding.state is not BindingState.GONE
            ]
            assert len(owners) == 1, name

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def no_domain_is_two_organizations(self) -> None:
        """Nor has a name below or above another organization's."""
        ready = [i for i in self.world.table.instances.values() if i.state is InstanceState.READY]
        for one in ready:
            for other in ready:
                if one.organization_guid != other.organization_guid:
                    assert not f".{one.domain}".endswith(f".{other.domain}")

    def teardown(self) -> None:
        """The platform removes all it knows of, and nothing is left."""
        if not hasattr(self, "world"):
            return
        self.world.gate.die_at = None
        self.world.gate.failing.clear()
        for _ in range(2):
            self.world.later(minutes=20)
            self.world.sweep.run(now=self.world.now)
            self.world.work(tasks=300)
        for instance in ("i1", "i2", "i3"):
            for binding in ("b1", "b2", "b3"):
                assert self.world.unbind(binding, instance).status in (200, 410)
            assert self.world.deprovision(instance).status in (202, 410)
        names = {"service_id": PRIVATELINK_SERVICE, "plan_id": PRIVATELINK_PLAN}
        assert self.world.unbind("b4", "p1", **names).status in (200, 410)
        link = self.world.deprovision("p1", service=PRIVATELINK_SERVICE, plan=PRIVATELINK_PLAN)
        assert link.status in (202, 410)
        self.world.work(tasks=300)
        assert self.world.left() == {}


TestAnyOrder = Platform.TestCase
TestAnyOrder.settings = settings(
    max_examples=150,
    stateful_step_count=30,
    suppress_health_check=list(HealthCheck),
)
