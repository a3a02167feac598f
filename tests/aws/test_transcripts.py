"""What is asked of AWS, against its reviewed text."""

import pytest

from tests.aws.transcript import COMMAND, FOLDER, Refused, Transcript, readable, written
from tests.aws.transcripts import WALKS
from tests.snapshots import hold


@pytest.mark.parametrize("name", WALKS)
def test_aws_is_asked_as_it_was_reviewed(name: str) -> None:
    """A condition, an index or a consistent read that is gone shows here; moto would not miss it."""
    hold(FOLDER / f"{name}.yaml", written(WALKS[name]), COMMAND)


def test_each_text_belongs_to_a_walk() -> None:
    """One that is gone takes its text with it."""
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(WALKS)


def test_a_call_that_swallows_an_error_that_it_does_not_know_says_so() -> None:
    """Such a call loses what AWS said; the few that may do so stand in their texts."""
    transcript = Transcript()

    def swallowing() -> None:
        try:
            transcript.sns.publish(TopicArn="arn", Message="m")
        except transcript.sns.exceptions.ClientError:
            return

    transcript.call("swallows", swallowing)
    transcript.call("raises", lambda: transcript.sns.publish(TopicArn="arn", Message="m"), Publish=Refused("NotFound"))
    assert transcript.calls["swallows"] == {
        "asks": [{"Publish": {"TopicArn": "arn", "Message": "m"}}],
        "goes on after a foreign error of": ["Publish"],
    }
    assert transcript.calls["raises"]["raises"].startswith("NotFoundException: An error occurred (NotFound)")


def test_attributes_are_shown_as_their_values() -> None:
    """A number is told from a text, a set from a list."""
    values = {"a": {"S": "1"}, "b": {"N": "1"}, "c": {"SS": ["y", "x"]}, "d": {"L": [{"BOOL": True}]}}
    assert readable(values) == {"a": "1", "b": 1, "c": {"set": ["x", "y"]}, "d": [True]}
