"""The embedded AWS as a process: `python -m local.emulator.server PORT SMTP_PORT PORTAL_PORT FOLDER`. On 127.0.0.1
only.

It stops at SIGTERM or SIGINT, after the events of every accepted mail are published. With its children it also
stops when the process that SES_FEEDBACK_OWNER names is no longer its parent: a killed test run leaves no process.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from local.recorder import recorded_calls

HOST = "127.0.0.1"
REGION = "us-east-1"
KEEP_ALIVE = 75  # s
OWNER = "SES_FEEDBACK_OWNER"  # the id of the parent process with which this one ends; or empty
_OWNER_POLL = 1.0  # s


def environment(port: int, folder: Path) -> dict[str, str]:
    """The environment that the embedded AWS reads at import and passes to the functions."""
    return {
        **recorded_calls.worker_environment(os.environ.get(recorded_calls.FILE, "")),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://{HOST}:{port}",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "TMPDIR": str(folder / "tmp"),
    }


async def serve(port: int, smtp_port: int, portal_port: int, folder: Path) -> None:
    """Serve until a signal arrives."""
    from hypercorn.asyncio import serve as serve_http
    from hypercorn.config import Config
    from ministack.app import app

    from local.emulator.certificate import server_context
    from local.emulator.middleware import Middleware
    from local.emulator.smtp import SmtpInterface, protocol
    from local.portal_front import PortalFront

    middleware = Middleware(app)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for stop in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(stop, stopped.set)
    watching = asyncio.create_task(_stop_without(os.environ.get(OWNER, "")))
    names = ("localhost", f"email-smtp.{REGION}.amazonaws.com", f"email-smtp-fips.{REGION}.amazonaws.com")
    interface = SmtpInterface(middleware.keys, middleware.sender, region=REGION)
    smtp = await loop.create_server(protocol(interface, server_context(folder, names)), HOST, smtp_port)
    config = Config()
    config.bind = [f"{HOST}:{port}", f"{HOST}:{portal_port}"]
    config.keep_alive_timeout = KEEP_ALIVE
    config.accesslog = None
    async with smtp:
        await serve_http(PortalFront(middleware, portal_port), config, shutdown_trigger=stopped.wait)  # type: ignore[arg-type]
    watching.cancel()
    await middleware.sender.told_everything()


async def _stop_without(owner: str) -> None:
    """Stop this process group when the process *owner* (empty: none) is no longer its parent."""
    while owner and os.getppid() == int(owner):  # noqa: ASYNC110  # another process's end sets no event
        await asyncio.sleep(_OWNER_POLL)
    if owner:
        os.killpg(os.getpgrp(), signal.SIGTERM)


def main(arguments: list[str]) -> None:
    """Entry point of the process."""
    port, smtp_port, portal_port = map(int, arguments[:3])
    folder = Path(arguments[3])
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    os.environ.update(environment(port, folder))
    asyncio.run(serve(port, smtp_port, portal_port, folder))


if __name__ == "__main__":
    main(sys.argv[1:])
