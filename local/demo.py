"""The demo: a tenant's mail is delivered, bounces and is complained of, and every webhook arrives, signed."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lambdas.domain.portal import OPERATOR
from local.counters import NAMES, counters
from local.logs import failed_attempts
from local.portal_links import sign_in_link
from local.showing import deploying, outcome_of
from local.stack import LocalStack
from local.tenant.receiver import Received, Receiver
from local.tenant.tenant import Tenant, new_tenant
from ops.deployment.osb import Broker

PATIENCE = 60.0  # s until every webhook must have arrived
COUNTED = {"deliveries": 4, "bounces": 2, "complaints": 2}
EXPECTED = {"email.delivered": 4, "email.bounced": 2, "email.complained": 2}  # webhooks: two mails of each kind
RECIPIENTS = ("ann@shop.example", "bounce@shop.example", "complaint@shop.example")
_POLL = 0.2  # s


class DemoFailed(Exception):
    """The demo did not show what it should; the message says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Runs on a stack of its own, in `folder`, and leaves nothing running."""

    console: Console
    folder: Path
    receiver_down: float = 0.0  # s that the receiver is stopped midway
    portal: bool = False  # keep the portal up at the end, until Ctrl-C

    def run(self) -> None:
        """The whole demo. Raises DemoFailed, and what local.stack and ops.deployment.osb raise."""
        stack = LocalStack(self.folder)
        try:
            with deploying(self.console) as watch:
                facts = stack.up(watch)
            with (
                Receiver() as receiver,
                Broker(facts["broker_url"], facts["broker_username"], facts["broker_password"]) as broker,
            ):
                self._show(facts, broker, receiver)
        finally:
            stack.down()
            self.console.print("Stopped everything.", style="dim")

    def _show(self, facts: dict[str, Any], broker: Broker, receiver: Receiver) -> None:
        tenant = self._new_tenant(facts, broker, receiver)
        with self._showing_webhooks(receiver, tenant):
            self._send(facts, tenant, receiver)
            self._await_all(receiver)
        for item in receiver.received():
            if not item.is_signed_with(tenant.secret):
                raise DemoFailed(f"Webhook {item.id} ({item.type}) carries no valid signature.")
        self._show_counters(facts, tenant)
        if self.portal:
            self._show_portal(facts, tenant)
        tenant.leave()
        self.console.print("Unbound and deprovisioned through the broker.")

    def _show_portal(self, facts: dict[str, Any], tenant: Tenant) -> None:
        """Print links to the portal, and wait for Ctrl-C."""
        self.console.rule("The portal")
        self.console.print("Each link signs in once, within 15 minutes. Ctrl-C ends the demo.")
        for who, instance_id in (("as the tenant", tenant.instance_id), ("as the operator", OPERATOR)):
            self.console.print(f"{who}: {sign_in_link(facts, instance_id)}", soft_wrap=True)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()

    def _new_tenant(self, facts: dict[str, Any], broker: Broker, receiver: Receiver) -> Tenant:
        self.console.rule("A tenant")
        with self.console.status("Provisioning and binding through the broker's HTTP API ..."):
            tenant = new_tenant(facts, broker, receiver.url())
        credentials = tenant.credentials
        self.console.print(f"instance  [cyan]{tenant.instance_id}[/]")
        self.console.print(f"domain    [cyan]{credentials['domain']}[/], DKIM verified")
        self.console.print(f"SMTP      [cyan]{credentials['smtp_user']}[/] at {credentials['smtp_server']}")
        self.console.print(f"webhook   [cyan]{receiver.url()}[/]")
        return tenant

    def _send(self, facts: dict[str, Any], tenant: Tenant, receiver: Receiver) -> None:
        self.console.rule("Mail out, webhooks in")
        for recipient in RECIPIENTS:
            tenant.mailbox.send_by_smtp(recipient)
            self.console.print(f"  sent by SMTP to {recipient}", style="dim")
        if self.receiver_down:
            receiver.wait_for(count=1 + sum(EXPECTED.values()) // 2, timeout=PATIENCE)
            receiver.stop()
            self.console.print(f"  the receiver is stopped for {self.receiver_down:g} s", style="yellow")
        for recipient in RECIPIENTS:
            tenant.mailbox.send(recipient)
            self.console.print(f"  sent by API  to {recipient}", style="dim")
        if self.receiver_down:
            self._show_failures(facts)
            receiver.start()
            self.console.print("  the receiver is back: what waited is tried again", style="yellow")

    def _show_failures(self, facts: dict[str, Any]) -> None:
        """Print each attempt that fails, for as long as the receiver is down."""
        deadline, shown = time.monotonic() + self.receiver_down, 0
        while time.monotonic() < deadline:
            failures = failed_attempts(facts)
            for failed in failures[shown:]:
                attempt = f"attempt {failed['attempt']} of {failed['delivery_id']} failed: {failed['status']}"
                self.console.print(f"  {attempt}", style="yellow")
            shown = len(failures)
            time.sleep(_POLL)

    def _await_all(self, receiver: Receiver) -> None:
        deadline = time.monotonic() + PATIENCE + 2 * self.receiver_down
        for kind, count in EXPECTED.items():
            found = receiver.wait_for(kind=kind, count=count, timeout=max(0.0, deadline - time.monotonic()))
            if len({item.id for item in found}) != count:
                raise DemoFailed(
                    f"{len(found)} of {count} {kind} webhooks arrived. The embedded AWS's log, with what its functions "
                    f"said: {self.folder / 'aws.log'}"
                )

    @contextmanager
    def _showing_webhooks(self, receiver: Receiver, tenant: Tenant) -> Iterator[None]:
        """Print each webhook as it arrives, in a thread."""
        over = threading.Event()
        shower = threading.Thread(target=self._show_webhooks, args=(receiver, tenant, over))
        shower.start()
        try:
            yield
        finally:
            over.set()
            shower.join()

    def _show_webhooks(self, receiver: Receiver, tenant: Tenant, over: threading.Event) -> None:
        shown = 0
        while True:
            last_look = over.is_set()
            for item in receiver.received()[shown:]:
                self.console.print(_line(item, tenant))
                shown += 1
            if last_look:
                return
            over.wait(_POLL)

    def _show_counters(self, facts: dict[str, Any], tenant: Tenant) -> None:
        deadline = time.monotonic() + PATIENCE
        counted = counters(facts, tenant.instance_id)
        while counted != COUNTED and time.monotonic() < deadline:
            time.sleep(_POLL)
            counted = counters(facts, tenant.instance_id)
        table = Table(title="What counted", title_justify="left")
        for heading in ("", *NAMES):
            table.add_column(heading, justify="right" if heading else "left")
        table.add_row("counted", *(str(counted[name]) for name in NAMES))
        table.add_row("expected", *(str(COUNTED[name]) for name in NAMES), style="dim")
        self.console.print(table)
        if counted != COUNTED:
            raise DemoFailed(f"The counters are {counted}, not {COUNTED}.")


def _line(item: Received, tenant: Tenant) -> str:
    signature = "[green]signature ok[/]" if item.is_signed_with(tenant.secret) else "[red]signature wrong[/]"
    outcome = escape(outcome_of(item.event))
    return f"[bold]{item.at:%H:%M:%S}[/]  {item.type:<18} {outcome:<40} {signature}  [dim]{item.id}[/]"
