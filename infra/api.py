"""The HTTP APIs of the broker and the portal: TLS, throttled, with access logs without credentials."""

import json
from collections.abc import Collection

from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from infra.accepted import accept
from infra.function import SharedResources, log_group_of

_LOGGED = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "ip": "$context.identity.sourceIp",
    "method": "$context.httpMethod",
    "path": "$context.path",
    "status": "$context.status",
    "milliseconds": "$context.responseLatency",
    "bytes": "$context.responseLength",
    "error": "$context.error.message",
    "integrationError": "$context.integrationErrorMessage",
}


class Api(Construct):
    """An HTTP API in front of one function, which gets every request. `url` is its address.

    *because* says why the API itself authorizes nobody, *unlogged* which facts of a request its access log leaves out.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        shared: SharedResources,
        function: lambda_.IFunction,
        name: str = "Broker",
        description: str = "Open Service Broker API",
        because: str = "The Open Service Broker API is authorized by Basic auth, which the function checks itself: an "
        "authorizer could not answer with the specification's errors.",
        throttle: apigateway.ThrottleSettings | None = None,
        unlogged: Collection[str] = (),
    ) -> None:
        super().__init__(scope, id)
        context = shared.context
        self.api = apigateway.HttpApi(
            self,
            "Http",
            description=f"{context.stack_name}: {description}",
            create_default_stage=False,
            default_integration=HttpLambdaIntegration(name, function),
        )
        accept(self.api, "AwsSolutions-APIG4", because=because)
        self.stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            detailed_metrics_enabled=True,
            throttle=throttle
            or apigateway.ThrottleSettings(
                rate_limit=context.broker_requests_per_second, burst_limit=context.broker_burst
            ),
        )
        _log(self.stage, log_group_of(self, shared).log_group_arn, unlogged)
        self.url = self.api.api_endpoint


def _log(stage: apigateway.HttpStage, destination: str, unlogged: Collection[str]) -> None:
    cfn = stage.node.default_child
    assert isinstance(cfn, apigateway.CfnStage)  # noqa: S101
    logged = {name: value for name, value in _LOGGED.items() if name not in unlogged}
    cfn.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
        destination_arn=destination, format=json.dumps(logged)
    )
