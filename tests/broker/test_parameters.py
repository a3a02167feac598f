"""Each parameter, wrong in each way: 400 that names the field and what would be right, and nothing made."""

from typing import Any

import pytest

from lambdas.broker.osb.parameters import provision_ses
from tests.broker.world import WEBHOOK, World, settings

WRONG: list[Any] = [None, "", 5, True, [], {}, ["x", 5], "a\r\nBcc: x@y.zz", "x" * 3000, "\x00", " ", "\u0085x@y.zz"]
MAY_BE_EMPTY = {"domain", "mail_from_subdomain"}
LISTS = {"dmarc_report_aggregate_recipients", "dmarc_report_failure_recipients"}
PROVISION = [
    "admin_email",
    "domain",
    "mail_from_subdomain",
    "dmarc_report_aggregate_recipients",
    "dmarc_report_failure_recipients",
    "enable_feedback_notifications",
]
BIND = [
    "notification_webhook",
    "notification_email",
    "notification_events",
    "notification_format",
    "notification_scope",
    "source_ips",
    "privatelink_instance_id",
    "notification_rotate_secret",
    "predecessor_binding_id",
]


def fine(field: str, value: Any) -> bool:
    """Whether the value is a good one after all."""
    return (
        (field in MAY_BE_EMPTY and value == "")
        or (field in LISTS and value in ([], ""))
        or (field == "enable_feedback_notifications" and value is True)
    )


@pytest.mark.parametrize("field", PROVISION)
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_a_wrong_provision_parameter_is_named(field: str, value: Any) -> None:
    """Wrong type, empty, null, too long, line breaks; also in an update, which then changes nothing."""
    world = World()
    answer = world.provision(parameters={"admin_email": "admin@agency.gov", "domain": "agency.gov", field: value})
    if fine(field, value):
        assert answer.status == 202
        return
    assert answer.status == 400, answer
    assert answer.body["description"].startswith(f"{field}:")
    assert world.table.instances == {}
    assert world.left() == {}
    world.ready()
    assert world.update(parameters={field: value}).status == 400


@pytest.mark.parametrize("field", BIND)
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_a_wrong_bind_parameter_is_named(field: str, value: Any) -> None:
    """Nothing is made, not even an intent."""
    world = World()
    world.ready()
    answer = world.bind(parameters={"notification_webhook": WEBHOOK, field: value})
    assert answer.status == 400, answer.body
    assert answer.body["description"].startswith(f"{field}:")
    assert world.table.bindings == {}
    assert world.users.users == {}


@pytest.mark.parametrize("name", ["Admin_email", "notification_webhook", "x", "a\nb", "é" * 200])
def test_an_unknown_parameter_is_named(name: str) -> None:
    """As far as its name can be repeated safely, with those that are known."""
    world = World()
    answer = world.provision(parameters={"admin_email": "admin@agency.gov", name: 1})
    assert answer.status == 400
    assert "unknown; known are admin_email" in answer.body["description"]
    assert "\n" not in answer.body["description"]
    world.ready()
    assert world.bind(parameters={name + "x": 1}).status == 400


def test_admin_email_is_required() -> None:
    """Alarms must reach somebody."""
    answer = World().provision(parameters={"domain": "agency.gov"})
    assert (answer.status, answer.body["description"].split(":")[0]) == (400, "admin_email")
    assert World().provision(parameters=None).status == 400


@pytest.mark.parametrize(
    "email",
    ["a", "a@b", "@b.cc", "a@.cc", "a..b@c.dd", ".a@b.cc", "a.@b.cc", "A <a@b.cc>", "a@b.cc,c@d.ee", "a@[1.2.3.4]"],
)
def test_addresses_that_are_none(email: str) -> None:
    """No display names, no lists, a domain with a dot."""
    assert World().provision(parameters={"admin_email": email}).status == 400


@pytest.mark.parametrize(
    ("given", "domain"),
    [
        ("Agency.GOV", "agency.gov"),
        ("agency.gov.", "agency.gov"),
        ("  agency.gov ", "agency.gov"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("agency。gov", "agency.gov"),
        ("a.b.c.d.agency.gov", "a.b.c.d.agency.gov"),
    ],
)
def test_domains_are_normalised(given: str, domain: str) -> None:
    """IDNA, lower case, no final dot: two spellings are one claim."""
    assert provision_ses({"admin_email": "a@b.cc", "domain": given}).domain == domain


@pytest.mark.parametrize(
    "domain",
    [
        "gov",
        "agency..gov",
        ".agency.gov",
        "agency.gov..",
        "-a.gov",
        "a-.gov",
        "a_b.gov",
        "*.agency.gov",
        "192.0.2.1",
        "http://agency.gov",
        "agency.gov/x",
        "user@agency.gov",
        "agency.gov:25",
        "a" * 64 + ".gov",
        ".".join(["abcdefghi"] * 26),
        "xn--a.gov",
        "agency .gov",
        "agency.gov\n",
        "\ud800.gov",
    ],
)
def test_what_is_no_domain_is_refused(domain: str) -> None:
    """In words that say what would be right."""
    answer = World().provision(parameters={"admin_email": "a@b.cc", "domain": domain})
    assert answer.status == 400
    assert domain.startswith("\ud800") or answer.body["description"].startswith("domain:")


def test_a_broker_without_a_zone_generates_no_domain() -> None:
    """The tenant has to bring one."""
    world = World(settings=settings(operator_zone="", operator_zone_id=""))
    for domain in ({}, {"domain": ""}):
        answer = world.provision(parameters={"admin_email": "a@b.cc", **domain})
        assert (answer.status, "domain: is required" in answer.body["description"]) == (400, True)


@pytest.mark.parametrize("subdomain", ["a b", "-a", "a..b", "_x", "a/b", "x" * 64])
def test_a_mail_from_subdomain_is_labels(subdomain: str) -> None:
    """It goes before the domain."""
    assert World().provision(parameters={"admin_email": "a@b.cc", "mail_from_subdomain": subdomain}).status == 400


def test_a_mail_from_domain_may_be_too_long_in_all() -> None:
    """253 characters is the most."""
    domain = ".".join(["abcdefgh"] * 27)
    answer = World().provision(parameters={"admin_email": "a@b.cc", "domain": domain, "mail_from_subdomain": "b" * 30})
    assert answer.body["description"].startswith("mail_from_subdomain:")


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example.gov/hook",
        "ftp://app.example.gov/",
        "app.example.gov/hook",
        "//app.example.gov/hook",
        "https://",
        "https:///hook",
        "https://app.example.gov/#frag",
        "https://app.example.gov/#",
        "https://app.example.gov:0/",
        "https://app.example.gov:99999/",
        "https://app.example.gov:x/",
        "https://app.example.gov/a b",
        "https://app.example.gov/a\tb",
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[fd00::1]/",
        "https://[64:ff9b::a00:1]/",
        "https://0x7f.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://localhost/",
        "https://localhost./",
        "https://app.localhost/",
        "https://app.internal/",
        "https://app.apps.internal./",
        "https://router.local/",
        "https://intranet/",
        "https://a..example.gov/",
        "https://user:pw@10.0.0.1/",
        "https://[fe80::1%25eth0]/",
        "https://example.gov@127.0.0.1/",
        "https://bücher.example/",
        "https://93.184.216.34/",
        "https://[2606:4700::1111]/",
    ],
)
def test_webhooks_are_absolute_https_urls_of_public_hosts(url: str) -> None:
    """By their looks alone; delivery judges the addresses."""
    world = World()
    world.ready()
    answer = world.bind(parameters={"notification_webhook": url})
    assert answer.status == 400, url
    assert answer.body["description"].startswith("notification_webhook:")
    assert "pw" not in answer.body["description"]


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.gov",
        "https://app.example.gov/hook?x=1&y=%20",
        "https://user:p%40ss@app.example.gov:8443/hook",
        "https://APP.Example.gov/",
        "https://app_1.example.gov/",
    ],
)
def test_webhooks_that_are_fine(url: str) -> None:
    """Userinfo is kept, and kept secret."""
    world = World()
    world.ready()
    answer = world.bind(parameters={"notification_webhook": url})
    assert answer.status == 201, answer.body
    assert "@" not in answer.body["credentials"]["notification_webhook"]
    assert "p%40ss" not in repr(world.webhooks.webhooks)


def test_what_the_operator_allows_is_allowed() -> None:
    """Networks of its own, names that only those know, and plain HTTP for local use."""
    world = World(settings=settings(allowed_cidrs="10.0.0.0/8", allow_http=True))
    world.ready()
    for number, url in enumerate(["http://10.1.2.3:8080/", "https://app.apps.internal/", "https://localhost/"]):
        assert world.bind(f"b{number}", parameters={"notification_webhook": url}).status == 201
    assert world.bind("b9", parameters={"notification_webhook": "https://192.168.1.1/"}).status == 400


@pytest.mark.parametrize(
    ("ips", "status"),
    [
        (["198.51.100.7"], 201),
        (["198.51.100.0/24", "2001:db8::/32"], 201),
        (["198.51.100.7/24"], 400),
        (["300.1.1.1"], 400),
        (["agency.gov"], 400),
        ([], 400),
        (["10.0.0.1"] * 21, 400),
        ("198.51.100.7", 400),
    ],
)
def test_source_ips_are_addresses_and_networks(ips: Any, status: int) -> None:
    """They land in the user's policy."""
    world = World()
    world.ready()
    assert world.bind(parameters={"source_ips": ips}).status == status
    if status == 201:
        [statement] = world.users.users["ses-feedback-b1"]["policy"]["Statement"]
        assert len(statement["Condition"]["IpAddress"]["aws:SourceIp"]) == len(ips)


@pytest.mark.parametrize(
    "field",
    [
        "notification_events",
        "notification_format",
        "notification_scope",
        "notification_batch",
        "notification_batch_seconds",
    ],
)
def test_a_webhooks_parameters_need_a_webhook(field: str) -> None:
    """Else the tenant would wait for what never comes."""
    world = World()
    world.ready()
    words = {"notification_events": ["bounce"], "notification_format": "sns", "notification_scope": "binding"}
    value = words.get(field, 2)
    answer = world.bind(parameters={field: value})
    assert (answer.status, "notification_webhook" in answer.body["description"]) == (400, True)


@pytest.mark.parametrize("format_", ["sns", "cloudevents-binary"])
def test_a_format_that_carries_one_event_refuses_batches_with_the_reason(format_: str) -> None:
    """At bind, and a batch of one is none."""
    world = World()
    world.ready()
    asked = {"notification_webhook": WEBHOOK, "notification_format": format_}
    answer = world.bind(parameters={**asked, "notification_batch": 2})
    assert answer.status == 400
    assert f"notification_batch: must be 1 with notification_format {format_}: " in answer.body["description"]
    assert world.bind(parameters={**asked, "notification_batch": 1}).status == 201


def test_email_is_no_format_to_ask_for() -> None:
    """It is how notification_email is kept."""
    world = World()
    world.ready()
    answer = world.bind(parameters={"notification_webhook": WEBHOOK, "notification_format": "email"})
    assert answer.status == 400


@pytest.mark.parametrize(
    "recipients",
    [["dmarc@agency.gov", "mailto:other@agency.gov"], "dmarc@agency.gov, mailto:other@agency.gov"],
)
def test_dmarc_recipients_come_in_many_forms(recipients: Any) -> None:
    """A list, or one string; bare or as mailto: URIs."""
    found = provision_ses({"admin_email": "a@b.cc", "dmarc_report_aggregate_recipients": recipients})
    assert found.dmarc_report_aggregate_recipients == ("dmarc@agency.gov", "other@agency.gov")


@pytest.mark.parametrize("given", [True, "true", "True", " TRUE "])
def test_a_truth_may_be_a_string(given: Any) -> None:
    """As at cloud.gov."""
    assert provision_ses(
        {"admin_email": "a@b.cc", "enable_feedback_notifications": given}
    ).enable_feedback_notifications


def test_more_networks_than_an_iam_policy_holds_are_refused_and_leave_nothing() -> None:
    """With a domain as long as they come. IAM would refuse the policy, and nobody would know why."""
    world = World()
    world.provision(parameters={"admin_email": "a@b.cc", "domain": f"{'a' * 60}.{'b' * 60}.{'c' * 60}.gov"})
    world.work()
    networks = [f"2001:db8:{number:x}:1234:5678:9abc:def0:1234/128" for number in range(16, 36)]
    refused = world.bind(parameters={"source_ips": networks})
    assert refused.status == 400
    assert refused.body["description"].startswith("source_ips: names more networks than an IAM policy holds")
    assert world.users.users == {}
