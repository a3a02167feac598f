"""The CDK app: `cdk synth`, `cdk deploy`. It needs no AWS account to synthesise and no Docker to build."""

import platform
import sys
from pathlib import Path

from aws_cdk import App, AssetHashType
from aws_cdk import aws_lambda as lambda_

from infra.bundle import CA_BUNDLE, Bundler
from infra.context import Context
from infra.dependencies import LAMBDA, host
from infra.rules import ContextError
from infra.stack import SesFeedbackStack


def main() -> None:
    """Synthesise the stack from the app's context."""
    app = App()
    context = Context.read(app.node.get_all_context())
    target = host(platform.machine()) if context.bundle_platform == "host" else LAMBDA
    bundler = Bundler(target=target)

    def code(folder: str) -> lambda_.Code:
        private_ca = folder == "delivery" and context.private_ca_bundle
        bundle = bundler.bundle(folder, {CA_BUNDLE: Path(context.private_ca_bundle)} if private_ca else None)
        return lambda_.Code.from_asset(str(bundle.folder), asset_hash=bundle.hash, asset_hash_type=AssetHashType.CUSTOM)

    SesFeedbackStack(app, context=context, target=target, code=code)
    app.synth()


if __name__ == "__main__":
    try:
        main()
    except ContextError as error:
        sys.exit(f"ses-feedback: {error}")
