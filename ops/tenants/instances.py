"""`ops instances`: who is on this stack, by the names that the platform gave."""

from typing import Annotated, Any

import typer

from lambdas.domain.tenants.instance import Binding, BindingState, Instance
from ops.command_line.console import STACK, Json, StackName, clear_errors, examples, show, show_one
from ops.deployment.tools import Tools, tools
from ops.tenants.directory import Named

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Service instances: list, show.")


@app.command("list", epilog=examples("instances list", "instances list --json"))
def list_(stack: StackName = STACK, as_json: Json = False) -> None:
    """List the service instances with their names, domains and admin addresses."""
    with clear_errors():
        found = tools(stack)
        notifications = found.instances.notifications()
        rows = [
            {**one.columns(), "admin_email": one.admin_email, "notifications": notifications.get(one.id, False)}
            for one in found.directory.every()
        ]
    show(rows, title="Instances", empty="No instances.", as_json=as_json)


@app.command("show", epilog=examples("instances show my-mail", "instances show mail.agency.gov --json"))
def show_instance(
    instance: Annotated[str, typer.Argument(metavar="INSTANCE", help="Its id, name or domain.")],
    stack: StackName = STACK,
    as_json: Json = False,
) -> None:
    """Show an instance: its names, parameters, last operation and bindings."""
    with clear_errors():
        found = tools(stack)
        who = found.instance(instance)
        record = found.broker.instance(who.id)
        assert record is not None  # noqa: S101  # it was found a moment ago
        row = _facts(found, who, record)
    if not as_json:
        row["bindings"] = [f"{one['binding']}  webhook {one['webhook'] or 'none'}" for one in row["bindings"]]
    show_one(row, as_json=as_json)


def _facts(found: Tools, who: Named, record: Instance) -> dict[str, Any]:
    operation = record.operation
    return {
        **who.columns(),
        "admin_email": who.admin_email,
        "notifications": found.instances.notifications(who.id).get(who.id, False),
        "last_operation": f"{operation.kind.value} {operation.state.value}",
        "description": operation.description,
        "since": operation.touched_at,
        "bindings": [_binding(one) for one in _bindings(found, record)],
    }


def _bindings(found: Tools, record: Instance) -> list[Binding]:
    bindings = (found.broker.binding(record.id, binding_id) for binding_id in record.bindings)
    return [binding for binding in bindings if binding and binding.state is not BindingState.GONE]


def _binding(binding: Binding) -> dict[str, Any]:
    return {
        "binding": binding.id,
        "state": binding.state.value,
        "created_at": binding.created_at,
        "webhook": binding.webhook_id or None,
        "url": binding.effective.notification_webhook or None,
        "email": binding.effective.notification_email or None,
    }
