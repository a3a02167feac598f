"""A batch of the stream."""

from lambdas.reputation.stream import Change, evaluate_all


def change(number: int, instance_id: str) -> Change:
    """A changed counter."""
    return Change(event_id=f"e{number}", sequence=str(number), instance_id=instance_id)


def test_an_instance_is_judged_once_a_batch_under_all_its_names() -> None:
    """Whichever record claimed before, it is among them."""
    seen: list[tuple[str, frozenset[str]]] = []
    again = evaluate_all([change(1, "i1"), change(2, "i2"), change(3, "i1")], lambda *args: seen.append(args), print)
    assert seen == [("i1", frozenset({"e1", "e3"})), ("i2", frozenset({"e2"}))]
    assert again == []


def test_one_bad_record_stops_nobody() -> None:
    """Only its instance's records come again."""
    seen: list[str] = []
    failures: list[str] = []

    def evaluate(instance_id: str, _: frozenset[str]) -> None:
        if instance_id == "bad":
            raise TimeoutError
        seen.append(instance_id)

    batch = [change(1, "bad"), change(2, "i2"), change(3, "bad")]
    assert evaluate_all(batch, evaluate, lambda name, _: failures.append(name)) == ["1", "3"]
    assert seen == ["i2"]
    assert failures == ["bad"]
