"""After all other journeys: what the functions asked AWS for is what tests/iam/requests.txt says they ask for, and what
operators' commands asked for is what ops/deployment/rights.json says.

tests/iam holds that list against the roles of every way to deploy the stack, quickly and without the embedded AWS.
"""

from pathlib import Path

import pytest

from tests.iam import operators
from tests.iam.requests import Asked, recorded, written
from tests.journey.conftest import Stack

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey"), pytest.mark.after_all_journeys]

ON_ITS_OWN = Path(__file__).with_name("test_upgrade.py")  # `make upgrade`: another stack, whose calls are not looked at


@pytest.fixture
def asked(stack: Stack) -> set[Asked]:
    """What was recorded until now."""
    if not stack.facts.get("calls"):
        pytest.skip("this stack was not brought up by this run, so its calls are not recorded")
    resources = stack.client("cloudformation").describe_stack_resources(StackName=stack.facts["stack_name"])
    return recorded(Path(stack.facts["calls"]), stack.facts, resources["StackResources"])


def test_every_call_of_a_function_stands_in_the_list(asked: set[Asked]) -> None:
    """A new one: add the lines to tests/iam/requests.txt, and what the roles lack to infra."""
    assert sorted(map(str, asked - set(written()))) == []


def test_the_list_holds_no_call_that_no_journey_makes(asked: set[Asked], request: pytest.FixtureRequest) -> None:
    """A call that is gone: remove its line, and its permission from infra. One that no journey makes: add a journey."""
    journeys = set(Path(__file__).parent.glob("test_*.py")) - {ON_ITS_OWN}
    if not journeys <= {item.path for item in request.session.items} or request.session.testsfailed:
        pytest.skip("only after all journeys, and only if they pass")
    assert sorted(map(str, set(written()) - asked)) == []


def test_every_right_that_an_operators_command_needs_stands_in_its_list(stack: Stack) -> None:
    """A new one: add it to ops/deployment/rights.json. tests/ops look at the paths that no journey takes."""
    if not stack.facts.get("calls"):
        pytest.skip("this stack was not brought up by this run, so its calls are not recorded")
    assert operators.unlisted(Path(stack.facts["calls"])) == {}
