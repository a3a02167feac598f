"""A platform's side of the Open Service Broker API 2.17: what Cloud Foundry says to the broker.

The demo, the journeys and `ops accept` call the broker by it.
"""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import httpx

VERSION = "2.17"
POLL = 0.2  # s between polls of last_operation
OPERATION_TIMEOUT = 60.0  # s until an operation must have ended on the embedded AWS
ORGANIZATION, SPACE = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
CONTEXT = {
    "platform": "cloudfoundry",
    "organization_guid": ORGANIZATION,
    "organization_name": "demo",
    "space_guid": SPACE,
    "space_name": "dev",
}


def instance_name(instance_id: str) -> str:
    """The name under which a tenant of this platform created the instance."""
    return f"mail-{instance_id[:8]}"


class BrokerRefused(Exception):
    """The broker answered with an error: `status`, and the body's `error` and `description`."""

    def __init__(self, response: httpx.Response) -> None:
        body = response.json() if response.headers.get("content-type", "").startswith("application/json") else {}
        self.status = response.status_code
        self.error: str | None = body.get("error")
        self.description: str = body.get("description") or response.text
        super().__init__(f"{response.request.method} {response.request.url.path}: {self.status} {self.description}")


class OperationFailed(Exception):
    """An asynchronous operation failed or did not end in time; the message is the broker's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A service and one of its plans, by their ids."""

    service_id: str
    plan_id: str

    @property
    def query(self) -> dict[str, str]:
        """As the query of a DELETE or a poll."""
        return {"service_id": self.service_id, "plan_id": self.plan_id}


class Broker:
    """Calls the broker as a platform does. Every method raises BrokerRefused when the broker answers with an error."""

    def __init__(self, url: str, username: str, password: str, *, timeout: float = OPERATION_TIMEOUT) -> None:
        self._timeout = timeout
        self.http = httpx.Client(
            base_url=url,
            auth=(username, password),
            headers={"X-Broker-API-Version": VERSION},
            timeout=30,
            trust_env=False,  # no proxy on the way to this machine
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    @cached_property
    def catalog(self) -> dict[str, Any]:
        """The catalog, as the broker says it."""
        return self._call("GET", "/v2/catalog")[1]

    def offer(self, service: str = "aws-ses", plan: str | None = None) -> Offer:
        """A service by its name, without its cell's, and its plan (the only one unless named)."""
        found = next(item for item in self.catalog["services"] if f"{item['name']}-".startswith(f"{service}-"))
        plans = [item for item in found["plans"] if plan in (None, item["name"])]
        return Offer(service_id=found["id"], plan_id=plans[0]["id"])

    def provision(self, instance_id: str, parameters: dict[str, Any], *, service: str = "aws-ses") -> str:
        """Provision and wait; the last description of the operation. Raises OperationFailed."""
        offer = self.offer(service)
        body = {
            **offer.query,
            "context": {**CONTEXT, "instance_name": instance_name(instance_id)},
            "organization_guid": ORGANIZATION,
            "space_guid": SPACE,
            "parameters": parameters,
        }
        path = f"/v2/service_instances/{instance_id}"
        return self._finished(path, offer, *self._call("PUT", path, json=body, query={"accepts_incomplete": "true"}))

    def update(self, instance_id: str, parameters: dict[str, Any], *, service: str = "aws-ses") -> str:
        """Update and wait; the last description of the operation. Raises OperationFailed."""
        offer = self.offer(service)
        context = {**CONTEXT, "instance_name": instance_name(instance_id)}
        body = {"service_id": offer.service_id, "context": context, "parameters": parameters}
        path = f"/v2/service_instances/{instance_id}"
        return self._finished(path, offer, *self._call("PATCH", path, json=body, query={"accepts_incomplete": "true"}))

    def deprovision(self, instance_id: str, *, service: str = "aws-ses") -> str:
        """Deprovision and wait; the last description of the operation. Raises OperationFailed."""
        offer, path = self.offer(service), f"/v2/service_instances/{instance_id}"
        answer = self._call("DELETE", path, query={**offer.query, "accepts_incomplete": "true"})
        return self._finished(path, offer, *answer)

    def instance(self, instance_id: str) -> dict[str, Any]:
        """An instance as the broker describes it."""
        return self._call("GET", f"/v2/service_instances/{instance_id}")[1]

    def bind(
        self,
        instance_id: str,
        binding_id: str,
        parameters: dict[str, Any] | None = None,
        *,
        service: str = "aws-ses",
        predecessor: str | None = None,
    ) -> dict[str, Any]:
        """Bind; the credentials. *predecessor* is the binding that this one succeeds in a rotation."""
        body = {**self.offer(service).query, "context": CONTEXT, "parameters": parameters or {}}
        if predecessor:
            body["predecessor_binding_id"] = predecessor
        path = f"/v2/service_instances/{instance_id}/service_bindings/{binding_id}"
        credentials: dict[str, Any] = self._call("PUT", path, json=body)[1]["credentials"]
        return credentials

    def binding(self, instance_id: str, binding_id: str) -> dict[str, Any]:
        """A binding as the broker describes it."""
        return self._call("GET", f"/v2/service_instances/{instance_id}/service_bindings/{binding_id}")[1]

    def unbind(self, instance_id: str, binding_id: str, *, service: str = "aws-ses") -> None:
        """Unbind."""
        path = f"/v2/service_instances/{instance_id}/service_bindings/{binding_id}"
        self._call("DELETE", path, query=self.offer(service).query)

    def last_operation(self, instance_id: str, offer: Offer, operation: str | None = None) -> dict[str, Any]:
        """The state of an instance's operation."""
        query = offer.query | ({"operation": operation} if operation else {})
        return self._call("GET", f"/v2/service_instances/{instance_id}/last_operation", query=query)[1]

    def _finished(self, path: str, offer: Offer, status: int, body: dict[str, Any]) -> str:
        if status != httpx.codes.ACCEPTED:
            return ""
        deadline = time.monotonic() + self._timeout
        said: dict[str, Any] = {}
        while time.monotonic() < deadline:
            try:
                said = self.last_operation(path.rpartition("/")[2], offer, body.get("operation"))
            except BrokerRefused as gone:
                if gone.status == httpx.codes.GONE:  # a deprovisioned instance
                    return gone.description
                raise
            if said["state"] == "failed":
                raise OperationFailed(said.get("description", "no reason given"))
            if said["state"] == "succeeded":
                return str(said.get("description", ""))
            time.sleep(POLL)
        raise OperationFailed(f"not finished after {self._timeout:.0f} s: {said.get('description', '')}")

    def _call(
        self, method: str, path: str, *, query: dict[str, str] | None = None, json: object = None
    ) -> tuple[int, dict[str, Any]]:
        response = self.http.request(method, path, params=query, json=json)
        if response.is_error:
            raise BrokerRefused(response)
        return response.status_code, response.json()
