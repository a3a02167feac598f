from lambdas.domain.webhooks.webhook import EventKind, Scope, Webhook, WebhookId


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
