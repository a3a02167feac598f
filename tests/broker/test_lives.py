"""Whole lives of instances and bindings: each answer, each call of AWS and each write, held against a transcript.

The other tests say what matters and why. These hold all of it, so that no answer or request changes unseen.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambdas.broker.osb.catalog import PRIVATELINK_PLAN, PRIVATELINK_SERVICE, SES_PLAN, SES_SERVICE
from lambdas.domain.tenants.domain_claim import proof_record
from tests.broker.transcript import Transcript, plain
from tests.broker.world import LINK, WEBHOOK, World, settings
from tests.snapshots import hold

EXPECTED = Path(__file__).parent / "lives"
ASKED: dict[str, Any] = {
    "admin_email": "admin@agency.gov",
    "mail_from_subdomain": "bounce",
    "dmarc_report_aggregate_recipients": "a@agency.gov, mailto:b@agency.gov",
    "dmarc_report_failure_recipients": ["f@agency.gov"],
}
BOUND: dict[str, Any] = {
    "notification_webhook": "https://user:pw@app.example.gov/hook",
    "notification_email": "digests@agency.gov",
    "notification_events": ["delivery", "bounce"],
    "notification_scope": "binding",
    "notification_batch": 5,
    "notification_batch_seconds": 7,
    "source_ips": ["2001:db8::/32", "198.51.100.7"],
}
CONTEXT = {
    "platform": "kubernetes",
    "namespace": "apps",
    "clusterid": "c-1",
    "instance_name": "my mail; <1>",
    "organization_guid": "of the context",
    "organization_name": " Org ",
    "space_name": 5,
}
LINKED: dict[str, Any] = {"service_id": PRIVATELINK_SERVICE, "plan_id": PRIVATELINK_PLAN}
QUERY = {"service_id": SES_SERVICE, "plan_id": SES_PLAN}
PORTAL = "https://portal.agency.gov"


def own_domain() -> Transcript:
    """From provision to the last poll, with all parameters, an update, a rotation and repetitions."""
    life = Transcript(World(settings=settings(portal_url=PORTAL)))
    life.call("provision", parameters={**ASKED, "domain": "Agency.GOV."}, context=CONTEXT)
    life.call("provision: a repetition", parameters={**ASKED, "domain": "agency.gov"})
    life.call("poll")
    life.call("work")
    life.call("poll")
    life.call("fetch")
    life.call("bind", parameters=BOUND, app_guid="app-1")
    life.call("bind: a repetition", parameters=BOUND, app_guid="app-1")
    life.call("fetch: the binding", "i1/service_bindings/b1")
    life.call("fetch: its last operation", "i1/service_bindings/b1/last_operation")
    changes = {"notification_webhook": "https://u2:p2@other.example.gov/", "notification_format": "cloudevents"}
    asked = {"admin_email": "other@agency.gov", "mail_from_subdomain": "", "enable_feedback_notifications": "true"}
    life.call("update", parameters={**asked, "bindings": {"b1": changes}})
    life.call("poll")
    life.call("work")
    life.call("poll")
    life.call("fetch")
    rotated = {"notification_rotate_secret": True, "predecessor_binding_id": "b1"}
    life.call("bind: its successor", "b2", parameters=rotated)
    life.call("fetch: the predecessor", "i1/service_bindings/b1")
    life.call("unbind")
    life.call("unbind: its successor", "b2")
    life.call("fetch: its last operation", "i1/service_bindings/b2/last_operation")
    life.call("deprovision")
    life.call("deprovision: a repetition")
    life.call("work")
    life.call("poll")
    return life


def generated_domain() -> Transcript:
    """Made in the operator's zone, verified after a while, without notifications."""
    life = Transcript(World(settings=settings(allowed_public_suffixes="github.io")))
    life.world.ses.verifies = False
    life.call("provision", parameters={"admin_email": "admin@agency.gov"})
    message, _ = life.world.tasks.messages.pop()
    life.world.engine.run_step(message, owner="w")
    life.note("a step run", None)
    life.world.ses.verifies = True
    life.call("work")
    life.call("poll")
    life.call("fetch")
    life.call("bind", parameters={"notification_webhook": WEBHOOK, "notification_batch": 2})
    life.call("update", parameters={"mail_from_subdomain": "a.bounce"})
    life.call("work")
    life.call("poll")
    life.call("unbind")
    life.call("deprovision")
    life.call("work")
    return life


def privatelink() -> Transcript:
    """An endpoint, a binding of its own, and one of an `aws-ses` instance that goes through it."""
    limits = settings(privatelink_vpc_id="vpc-1", privatelink_subnet_ids="s-1, s-2,", privatelink_cidrs="10.0.0.0/8")
    life = Transcript(World(settings=limits))
    life.call("provision", "p1", **LINK)
    life.call("work")
    life.call("poll", "p1")
    life.call("fetch", "p1")
    life.call("bind", "b0", "p1", **LINKED)
    life.call("provision: the other", "i1")
    life.call("work")
    life.call("bind: through it", "b1", parameters={"privatelink_instance_id": "p1"})
    life.call("unbind: through it", "b1")
    life.call("unbind", "b0", "p1", **LINKED)
    life.call("deprovision", "p1", service=PRIVATELINK_SERVICE, plan=PRIVATELINK_PLAN)
    life.call("work")
    life.call("poll", "p1")
    return life


def govcloud() -> Transcript:
    """FIPS host, another partition, SNS's format, no DMARC recipients of the operator."""
    region = {"region": "us-gov-west-1", "partition": "aws-us-gov", "dmarc_aggregate_recipients": ""}
    life = Transcript(World(settings=settings(**region)))
    life.world.ready()
    life.world.gate.asked.clear()
    life.call("bind", parameters={"notification_webhook": WEBHOOK, "notification_format": "sns"})
    life.call("bind: its successor", "b2", predecessor_binding_id="b1")
    return life


def failed_provision() -> Transcript:
    """The domain's identity is somebody else's: what was made is removed, and the next attempt may have it all."""
    life = Transcript()
    life.call("provision")
    life.world.gate.failing["FakeSes.ensure_identity"] = ConnectionError("AWS has a bad day")
    life.call("work")
    life.world.gate.failing.clear()
    life.call("poll")
    life.call("fetch")
    life.call("provision: the next attempt")
    life.call("deprovision: halts it")
    life.call("poll")
    life.call("work")
    return life


def failed_deprovision() -> Transcript:
    """It says so, may be repeated, and nothing else may be done with the instance."""
    life = Transcript()
    life.world.ready()
    life.world.gate.asked.clear()
    life.world.gate.failing["FakeTopics.remove"] = ConnectionError("AWS has a bad day")
    life.call("deprovision")
    life.call("work")
    life.call("poll")
    life.call("bind")
    life.call("update")
    life.call("provision")
    life.world.gate.failing.clear()
    life.call("deprovision")
    life.call("work")
    return life


def failed_update() -> Transcript:
    """Everything is put back as it was."""
    life = Transcript()
    life.world.ready()
    life.call("bind", parameters=BOUND)
    life.world.gate.failing["FakeTopics.subscribe"] = ConnectionError("AWS has a bad day")
    changes = {"b1": {"notification_batch": 1, "notification_batch_seconds": 0, "notification_scope": "instance"}}
    life.call("update", parameters={"admin_email": "other@agency.gov", "bindings": changes})
    life.call("work")
    life.world.gate.failing.clear()
    life.call("work")
    life.call("poll")
    life.call("update: again", parameters={"admin_email": "other@agency.gov", "bindings": changes})
    life.world.gate.failing["FakeWebhooks.change"] = ConnectionError("AWS has a bad day")
    life.call("work")
    life.world.gate.failing.clear()
    life.call("work")
    life.call("poll")
    return life


def taken_over() -> Transcript:
    """A name that its holder never verified goes to the organization that proves control of it."""
    life = Transcript(World(settings=settings(portal_url=PORTAL)))
    life.world.ses.verifies = False
    life.world.ready()
    life.world.bind(parameters=BOUND)
    life.world.gate.asked.clear()
    life.call("provision: too early", "i2", organization_guid="org-2")
    life.world.later(hours=73)
    life.call("provision: without a proof", "i2", organization_guid="org-2")
    record = proof_record("agency.gov", "org-2")
    life.world.dns.txt[record.name] = frozenset({record.value})
    life.call("provision: with a proof", "i2", organization_guid="org-2")
    life.call("work")
    life.call("poll")
    life.call("fetch: the binding", "i1/service_bindings/b1")
    life.call("bind", "b2")
    life.call("update")
    life.call("provision: again", "i2", organization_guid="org-2")
    life.call("unbind")
    life.call("deprovision")
    return life


def interrupted() -> Transcript:
    """What died is found by the sweep."""
    life = Transcript()
    life.world.ready()
    life.world.gate.asked.clear()
    life.world.told.clear()
    life.world.gate.die_at = life.world.gate.calls + 8
    life.world.surviving(lambda: life.world.bind(parameters=BOUND))
    life.world.gate.die_at = None
    life.note("bind, killed", None)
    life.call("fetch: the binding", "i1/service_bindings/b1")
    life.call("fetch: its last operation", "i1/service_bindings/b1/last_operation")
    life.call("unbind: at once")
    life.world.later(minutes=11)
    life.world.update(parameters={"enable_feedback_notifications": True})
    life.world.tasks.messages.clear()
    life.world.later(minutes=6)
    life.world.sweep.run(now=life.world.now)
    life.note("sweep", None)
    life.call("work")
    life.entries.append({"logged": [plain(line[:2]) for line in life.world.told if str(line[0]).startswith("stal")]})
    return life


def refused_requests() -> Transcript:
    """What is wrong with a request as such: who asks, how, and for what."""
    life = Transcript(World(settings=settings(privatelink_vpc_id="vpc-1")))
    world, path = life.world, "/v2/service_instances/i1"
    for headers in ({"authorization": ""}, {"x-broker-api-version": "3.0"}):
        life.call(f"call: {headers}", "GET", "/v2/catalog", headers=headers)
    identity = {"x-broker-api-request-identity": "abc-1"}
    life.call("call: without credentials, with an identity", "GET", path, headers={"authorization": "", **identity})
    for method, where, body in (
        ("GET", "/v2/nothing", None),
        ("POST", "/v2/catalog", None),
        ("POST", path, None),
        ("PUT", f"{path}/last_operation", None),
        ("PATCH", f"{path}/service_bindings/b1", None),
        ("DELETE", f"{path}/service_bindings/b1/last_operation", None),
        ("PUT", path, b" " * 65_537),
        ("PUT", path, b" " * 65_536),
        ("PUT", path, b"[]"),
        ("PATCH", path, {"service_id": "other"}),
        ("DELETE", path, None),
    ):
        life.call(f"call: {method} {where} {str(body)[:20]}", method, where, body)
    for query in ({"service_id": "s"}, {**QUERY, "plan_id": "p"}, {**QUERY, "service_id": "s"}, QUERY):
        life.call(f"call: DELETE with {query}", "DELETE", path, query=query)
        life.call(f"call: unbind with {query}", "DELETE", f"{path}/service_bindings/b1", query=query)
    life.call(
        "call: unbind, a strange flag", "DELETE", f"{path}/service_bindings/b1", query={"accepts_incomplete": "x"}
    )
    life.call("provision: a strange id", "a b")
    life.call("bind: a strange id", "a b")
    life.call("bind: for a strange instance", "b1", "a b")
    life.call("fetch: what never was", "i1/service_bindings/b1/last_operation")
    life.call("fetch: a strange id", "a b/service_bindings/b1/last_operation")
    life.call("poll: what never was")
    world.ready()
    life.call("poll: another operation", operation="other")
    life.call("unbind: what never was")
    life.call("update: of a strange id", "a b")
    life.call("update: what never was", "i9")
    life.call("bind: what never was", "b1", "i9")
    life.call("bind: another service", **LINKED)
    life.call("deprovision: another service", service=PRIVATELINK_SERVICE, plan=PRIVATELINK_PLAN)
    life.call("update: another service", **LINKED)
    return life


def refused_provisions() -> Transcript:
    """Each field and parameter, wrong in some way."""
    life = Transcript(World(settings=settings(privatelink_vpc_id="vpc-1")))
    wrong: list[dict[str, Any]] = [
        *({name: None} for name in ("service_id", "plan_id", "organization_guid", "space_guid")),
        *({"organization_guid": value} for value in ("", 5)),
        *({"service_id": "other"}, {"plan_id": "other"}, {"parameters": []}, {"context": 5}),
        *({"maintenance_info": "x"}, {"maintenance_info": {"version": 5}}, {"maintenance_info": {"version": "1"}}),
        *({**LINKED, "parameters": {}}, {**LINKED, "parameters": {"serviceName": "other"}}),
        {**LINKED, "parameters": {"serviceName": "other", "x": 1}},
        *({"parameters": {"admin_email": "a@b.cc", "domain": name}} for name in ("gov.uk", "x.mail.example.net")),
    ]
    life.call("provision: not asynchronous", incomplete=False)
    for changes in wrong:
        life.call(f"provision: {changes}", **changes)
    life.call("provision: no e-mail address", parameters={"domain": "agency.gov"})
    values_of: dict[str, list[Any]] = {
        "admin_email": [5, " ", "a" * 255, "a@b\x7f.cc", "a@b", f"{'a' * 65}@b.cc", "!@b.cc,"],
        "domain": [None, "agency", "a" * 255, "agency.gov\n"],
        "mail_from_subdomain": [5, "a_b", "a" * 254, "-"],
        "dmarc_report_aggregate_recipients": [5, ["a!b@c.dd"], [5], ["a@b.cc"] * 21, ",", "mailto:mailto:a@b.cc"],
        "dmarc_report_failure_recipients": ["a@b.cc;c@d.ee"],
        "enable_feedback_notifications": [None, "yes", 1],
        "novelty; <b>\u00fc" + "x" * 80: [1],
    }
    for name, values in values_of.items():
        for value in values:
            asked = {"admin_email": "a@b.cc", "domain": "agency.gov", name: value}
            life.call(f"provision: {name[:30]} {str(value)[:40]!r}", parameters=asked)
    life.call(
        "provision: too long in all", parameters={**ASKED, "domain": f"{'a' * 60}.{'b' * 60}.{'c' * 60}.{'d' * 60}.gov"}
    )
    life.world.ready()
    life.call("provision: others' attributes", space_guid="other")
    life.call(
        "provision: a related domain",
        "i2",
        organization_guid="org-2",
        parameters={"admin_email": "a@b.cc", "domain": "x.agency.gov"},
    )
    life.world.ses.identities["foreign.gov"] = life.world.ses.identities["agency.gov"]
    life.call("provision: a foreign identity", "i2", parameters={"admin_email": "a@b.cc", "domain": "foreign.gov"})
    life.call("deprovision")
    life.call("provision: while it is deleted")
    return life


def refused_binds() -> Transcript:
    """Each field and parameter, wrong in some way, and what is not there."""
    life = Transcript(World(settings=settings(privatelink_vpc_id="vpc-1", webhooks_per_instance=3)))
    hooked = {"notification_webhook": WEBHOOK}
    life.call("provision")
    life.call("bind: too early")
    life.world.work()
    life.world.ready("p1", **LINK)
    life.world.gate.asked.clear()
    wrong: tuple[dict[str, Any], ...] = (
        *({"app_guid": 5}, {"bind_resource": 5}, {"bind_resource": {"app_guid": 5}}, {"bind_resource": {"route": 5}}),
        *({"context": []}, {"predecessor_binding_id": ""}, {"predecessor_binding_id": "b9"}),
        {"predecessor_binding_id": "b9", "parameters": {"predecessor_binding_id": "b8"}},
    )
    for changes in wrong:
        life.call(f"bind: {changes}", **changes)
    values_of: dict[str, list[Any]] = {
        "notification_webhook": [5, "x" * 2001, "http://app.example.gov/", "https://10.0.0.1/"],
        "notification_email": [5, "a@b"],
        "notification_events": ["bounce", [], ["send"], [5], ["bounce"] * 21],
        "notification_format": [5, "email"],
        "notification_scope": [5, "space"],
        "notification_batch": [0, 101, True, "5"],
        "notification_batch_seconds": [-1, 61],
        "notification_rotate_secret": ["yes", True],
        "predecessor_binding_id": [5, "x" * 51],
        "source_ips": [[], ["198.51.100.7/24"], "198.51.100.7"],
        "privatelink_instance_id": ["i1", "i9", 5],
        "novelty": [1],
    }
    for name, values in values_of.items():
        for value in values:
            life.call(f"bind: {name} {str(value)[:40]!r}", parameters={**hooked, name: value})
    for name, value in {**BOUND, "notification_format": "sns"}.items():
        if name.startswith("notification") and name not in ("notification_webhook", "notification_email"):
            life.call(f"bind: {name} alone", parameters={name: value})
    for format_ in ("sns", "cloudevents-binary"):
        life.call(
            f"bind: batches of {format_}",
            parameters={**hooked, "notification_format": format_, "notification_batch": 2},
        )
    both = {"source_ips": ["198.51.100.7"], "privatelink_instance_id": "p1"}
    life.call("bind: through an endpoint, from addresses", parameters=both)
    life.call("bind: of an endpoint, with parameters", "b5", "p1", **LINKED, parameters={"x" * 61: 1})
    life.call("bind: parameters of another kind", parameters=[1])
    path = "/v2/service_instances/i1/service_bindings/b5"
    life.call("call: bind with a strange flag", "PUT", path, QUERY, query={"accepts_incomplete": "x"})
    life.call("provision: elsewhere", "i2", space_guid="other", parameters={"admin_email": "a@b.cc"})
    life.world.work()
    life.world.gate.asked.clear()
    life.call("bind: through another space's endpoint", "b5", "i2", parameters={"privatelink_instance_id": "p1"})
    life.call("bind", parameters=BOUND)
    life.call("bind: with other parameters", parameters=hooked)
    life.call("bind: under another instance", "b1", "i2")
    changed = {"notification_batch": 6}
    life.call("bind: changes what is shared", "b2", predecessor_binding_id="b1", parameters=changed)
    life.call("bind: one webhook", "b3", parameters=hooked)
    life.call("bind: one too many", "b4", parameters=hooked)
    rotated = {"notification_rotate_secret": True}
    life.call("bind: a new secret", "b5", predecessor_binding_id="b1", parameters=rotated)
    life.call("bind: a newer secret at once", "b6", predecessor_binding_id="b5", parameters=rotated)
    life.world.users.limit = 1
    life.call("bind: no IAM user left", "b7")
    life.call("deprovision: it has bindings")
    life.call("update: bindings go through it", "p1", **LINKED, parameters={"x": 1})
    return life


def refused_updates() -> Transcript:
    """Each field and parameter, wrong in some way."""
    life = Transcript(World(settings=settings(privatelink_vpc_id="vpc-1")))
    life.world.ready()
    life.world.bind(parameters={**BOUND, "notification_batch": 1})
    life.world.bind("b2")
    life.world.gate.asked.clear()
    before = ("service_id", "plan_id", "organization_id", "space_id")
    wrong: tuple[dict[str, Any], ...] = (
        *({"service_id": None}, {"service_id": "other"}, {"plan_id": "other"}, {"plan_id": 5}, {"parameters": 5}),
        *({"context": "x"}, {"previous_values": 5}, {"maintenance_info": {"version": "1"}}),
        *({"previous_values": {name: 5}} for name in before),
    )
    for changes in wrong:
        life.call(f"update: {changes}", **changes)
    for parameters in (
        *(
            {"domain": "other.gov"},
            {"domain": 5},
            {"admin_email": ""},
            {"novelty": 1},
            {"notification_email": "a@b.cc"},
        ),
        {"mail_from_subdomain": "b" * 63 + "." + "c" * 63 + "." + "d" * 63 + "." + "e" * 63},
    ):
        life.call(f"update: {str(parameters)[:50]}", parameters=parameters)
    malformed: tuple[Any, ...] = (
        [],
        {"b1": {}},
        {"b1": 5},
        {"x" * 60: {}},
        {"b9": {"notification_batch": 1}},
        {"b2": {"notification_batch": 1}},
    )
    for bindings in malformed:
        life.call(f"update: bindings {bindings}", parameters={"bindings": bindings})
    for changes in (
        *({"source_ips": []}, {"notification_email": "a@b.cc"}, {"novelty": 1}, {"notification_webhook": "x"}),
        *(
            {"notification_batch": 0},
            {"notification_format": "email"},
            {"notification_batch": 2, "notification_format": "sns"},
        ),
    ):
        life.call(f"update: a binding's {changes}", parameters={"bindings": {"b1": changes}})
    life.call("update: batches", parameters={"bindings": {"b1": {"notification_batch": 2}}})
    life.call("update: another meanwhile", parameters={"bindings": {"b1": {"notification_batch": 3}}})
    life.call("bind: meanwhile", "b3")
    life.call("unbind: meanwhile")
    life.call("fetch: meanwhile")
    life.call("deprovision: meanwhile")
    life.world.work()
    life.world.gate.asked.clear()
    life.call("update: to a format without", parameters={"bindings": {"b1": {"notification_format": "sns"}}})
    return life


LIVES: dict[str, Callable[[], Transcript]] = {
    life.__name__: life
    for life in (
        *(own_domain, generated_domain, privatelink, govcloud, failed_provision, failed_deprovision, failed_update),
        *(taken_over, interrupted, refused_requests, refused_provisions, refused_binds, refused_updates),
    )
}


@pytest.mark.parametrize("name", LIVES)
def test_a_life_goes_as_its_transcript_says(name: str) -> None:
    """Each answer to the platform, each request to AWS with all its arguments, each write."""
    hold(EXPECTED / f"{name}.yaml", str(LIVES[name]()), "python -m tests.broker.test_lives")


if __name__ == "__main__":
    for name, life in LIVES.items():
        (EXPECTED / f"{name}.yaml").write_text(str(life()))
