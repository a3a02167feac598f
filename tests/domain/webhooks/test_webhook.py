from lambdas.domain.webhooks.webhook import (
    DEFAULT_EVENTS,
    WEBHOOK_FORMATS,
    EventKind,
    NotificationFormat,
    Scope,
    Webhook,
    WebhookId,
)


def webhook(scope: Scope, events: frozenset[EventKind] = frozenset({EventKind.BOUNCE})) -> Webhook:
    return Webhook(id=WebhookId("wh_1"), instance_id="i", events=events, scope=scope, senders=frozenset({"b1", "b0"}))


def test_a_webhook_gets_only_the_kinds_it_asked_for() -> None:
    assert webhook(Scope.INSTANCE).wants(EventKind.BOUNCE, sender=None)
    assert not webhook(Scope.INSTANCE).wants(EventKind.DELIVERY, sender="b1")


def test_a_binding_scoped_webhook_gets_what_its_bindings_sent_and_nothing_of_unknown_senders() -> None:
    assert webhook(Scope.BINDING).wants(EventKind.BOUNCE, sender="b1")
    assert webhook(Scope.BINDING).wants(EventKind.BOUNCE, sender="b0"), "a predecessor's late event"
    assert not webhook(Scope.BINDING).wants(EventKind.BOUNCE, sender="b2")
    assert not webhook(Scope.BINDING).wants(EventKind.BOUNCE, sender=None)


def test_an_instance_scoped_webhook_gets_what_anyone_sent() -> None:
    assert webhook(Scope.INSTANCE).wants(EventKind.BOUNCE, sender="somebody-else")


def test_a_binding_that_asks_for_nothing_has_the_defaults_of_the_documentation() -> None:
    """docs/tenants.md: bounces, complaints and deliveries of the whole instance, one at a time."""
    assert Webhook(id=WebhookId("w1"), instance_id="i1") == Webhook(
        id=WebhookId("w1"),
        instance_id="i1",
        events=frozenset({EventKind.BOUNCE, EventKind.COMPLAINT, EventKind.DELIVERY}),
        format=NotificationFormat.STANDARD_WEBHOOKS,
        scope=Scope.INSTANCE,
        batch=1,
        batch_seconds=0,
        senders=frozenset(),
    )
    assert DEFAULT_EVENTS == (EventKind.BOUNCE, EventKind.COMPLAINT, EventKind.DELIVERY)


def test_a_bind_may_ask_for_every_format_but_that_of_digests() -> None:
    """In the order of the documentation."""
    assert [format_.value for format_ in WEBHOOK_FORMATS] == [
        "standard-webhooks",
        "sns",
        "cloudevents",
        "cloudevents-binary",
    ]
