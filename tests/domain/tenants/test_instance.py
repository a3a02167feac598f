"""What of instances and bindings is secret."""

from datetime import UTC, datetime

from lambdas.domain.portal import Session
from lambdas.domain.tenants.instance import Binding, BindingSecret, BindingState, BindRequest

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def test_no_secret_shows_in_a_repr() -> None:
    """A repr ends up in logs and tracebacks."""
    secret = BindingSecret(
        access_key_id="AKIA",
        secret_access_key="hidden-1",
        webhook_secret="hidden-2",
        webhook_userinfo="hidden-3",
        asked_userinfo="hidden-4",
    )
    asked = BindRequest(service_id="s", plan_id="p")
    binding = Binding(
        id="b1",
        instance_id="i1",
        state=BindingState.READY,
        request=asked,
        effective=asked,
        created_at=NOW,
        ciphertext=b"hidden-5",
    )
    session = Session(id="hidden-6", who="joe", created_at=NOW, expires_at=NOW, tokens={"access": "hidden-7"})
    for kept in (secret, binding, session):
        assert "hidden" not in repr(kept)
    assert "b1" in repr(binding)
    assert "joe" in repr(session)
