"""Two cells of one platform on the embedded AWS: what a second stack shares, and what is lost if the first one dies.

    python -m tests.faults.cells

Deploys two stacks to one account, in two regions, the second with the context key `cell`; docs/scaling.md has the
results. Status 1 if the cells disturb each other.
"""

import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from botocore.exceptions import ClientError

from local.clients import Clients
from local.deploy import Deployer
from local.stack import LocalStack, facts_of
from local.tenant.receiver import Receiver
from local.tenant.tenant import Tenant, new_tenant
from ops.deployment.osb import Broker, BrokerRefused

WEST, REGION = "ses-feedback-west", "us-west-2"
CONTEXT = {"stack_name": WEST, "cell": "west", "portal": "off"}


def main() -> None:
    """Deploy both, try them, print what was seen."""
    with TemporaryDirectory(prefix="ses-feedback-cells-") as folder, Receiver() as receiver:
        stack = LocalStack(Path(folder) / "east")
        try:
            east = stack.up(lambda *_: None, environment={})
            west = second(stack, Path(folder) / "west")
            failed = [name for name, holds in checks(east, west, receiver) if not shown(name, holds)]
        finally:
            stack.down()
    sys.exit(1 if failed else 0)


def second(stack: LocalStack, folder: Path) -> dict[str, Any]:
    """Deploy another cell beside *stack*, in another region; what its stack.json would hold."""
    server = stack.server()
    assert server is not None  # it was started a moment ago
    folder.mkdir()
    outputs = Deployer(url=server.url, folder=folder, region=REGION, context=CONTEXT).deploy(lambda *_: None)
    return facts_of(server, outputs, strict=False, stack_name=WEST, region=REGION)


def checks(
    east: Mapping[str, Any], west: Mapping[str, Any], receiver: Receiver
) -> list[tuple[str, Callable[[], object]]]:
    """What must hold, in order; the last ones after the first cell has died."""
    brokers = [Broker(one["broker_url"], one["broker_username"], one["broker_password"]) for one in (east, west)]
    tenants: list[Tenant] = []

    def bound() -> bool:
        for facts, broker, path in zip((east, west), brokers, ("/east", "/west"), strict=True):
            tenants.append(new_tenant(facts, broker, receiver.url(path)))
        return all(receiver.wait_for(path, kind="webhook.test") for path in ("/east", "/west"))

    def mailed() -> bool:
        for tenant in tenants:
            tenant.mailbox.send("bounce@shop.example")
        return all(receiver.wait_for(path, kind="email.bounced") for path in ("/east", "/west"))

    def refuses_ids_of_the_other() -> bool:
        try:
            brokers[1]._call("PUT", f"/v2/service_instances/{uuid.uuid4()}", json=_body(brokers[0]), query=_LATER)
        except BrokerRefused as refused:
            return refused.status == 400
        return False

    def dies() -> bool:
        for name in east["functions"].values():
            Clients(east["aws_endpoint_url"], east["region"]).client("lambda").delete_function(FunctionName=name)
        return True

    def west_goes_on() -> bool:
        another = new_tenant(west, brokers[1], receiver.url("/another"))
        another.mailbox.send("bounce@shop.example")
        return bool(receiver.wait_for("/another", kind="email.bounced"))

    def east_still_sends() -> bool:
        try:
            return bool(tenants[0].mailbox.send("success@shop.example"))
        except ClientError:
            return False

    def east_waits() -> bool:
        sqs = Clients(east["aws_endpoint_url"], east["region"]).client("sqs")
        found = sqs.get_queue_attributes(
            QueueUrl=east["queues"]["events"], AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(found["Attributes"]["ApproximateNumberOfMessages"]) > 0

    return [
        ("the catalogs share no id and no service name", lambda: not offered(brokers[0]) & offered(brokers[1])),
        ("an instance is provisioned and bound in each cell", bound),
        ("each cell's bounce reaches its own webhook", mailed),
        ("a cell refuses an instance with the other's ids", refuses_ids_of_the_other),
        ("all functions of the first cell are deleted", dies),
        ("the second cell provisions, binds and delivers", west_goes_on),
        ("mail of the first cell's tenants is still accepted", east_still_sends),
        ("its events wait in the first cell's queue", east_waits),
    ]


_LATER = {"accepts_incomplete": "true"}


def _body(broker: Broker) -> dict[str, Any]:
    parameters = {"admin_email": "admin@shop.example"}
    return {**broker.offer().query, "organization_guid": "o", "space_guid": "s", "parameters": parameters}


def offered(broker: Broker) -> set[str]:
    """Every id and service name of a catalog."""
    services = broker.catalog["services"]
    names = {service[key] for service in services for key in ("id", "name")}
    return names | {plan["id"] for service in services for plan in service["plans"]}


def shown(name: str, holds: Callable[[], object]) -> bool:
    """Try a check and print its result."""
    ok = bool(holds())
    print(f"{'ok' if ok else 'FAILED':<7}{name}", flush=True)  # noqa: T201
    return ok


if __name__ == "__main__":
    main()
