"""The broker's API for named networks: a REST API whose resource policy refuses all other callers."""

from collections.abc import Sequence

from aws_cdk import Aws
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.accepted import accept
from infra.function import SharedResources

STAGE = "broker"


class RestrictedApi(Construct):
    """A REST API in front of the broker's function. `url` is what the platform registers.

    Requests from outside of `broker_allowed_cidrs` are answered with 403 by API Gateway: they use neither this API's
    throttle nor a function, and AWS does not charge for them.
    """

    def __init__(self, scope: Construct, id: str, *, shared: SharedResources, function: lambda_.IFunction) -> None:
        super().__init__(scope, id)
        context = shared.context
        self.api = apigateway.LambdaRestApi(
            self,
            "Rest",
            handler=function,
            integration_options=apigateway.LambdaIntegrationOptions(allow_test_invoke=False),
            rest_api_name=f"{context.stack_name}-broker",
            description=f"{context.stack_name}: Open Service Broker API, for named networks",
            policy=_only_from(context.broker_allowed_cidrs),
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            cloud_watch_role=False,
            deploy_options=apigateway.StageOptions(
                stage_name=STAGE,
                metrics_enabled=True,
                throttling_rate_limit=context.broker_requests_per_second,
                throttling_burst_limit=context.broker_burst,
            ),
        )
        self.url = f"https://{self.api.rest_api_id}.execute-api.{Aws.REGION}.{Aws.URL_SUFFIX}/{STAGE}"
        _accept(self)


def _only_from(cidrs: Sequence[str]) -> iam.PolicyDocument:
    return iam.PolicyDocument(
        statements=[
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=["execute-api:Invoke"],
                resources=["execute-api:/*"],
                conditions={"IpAddress": {"aws:SourceIp": list(cidrs)}},
            )
        ]
    )


def _accept(api: RestrictedApi) -> None:
    accept(
        api,
        "AwsSolutions-APIG4",
        "AwsSolutions-COG4",
        "AwsSolutions-APIG2",
        because="The function checks Basic auth and the request itself: only it can answer with the specification's "
        "errors.",
    )
    accept(
        api,
        "AwsSolutions-APIG3",
        "NIST.800.53.R5-APIGWAssociatedWithWAF",
        because="The resource policy admits the platform's networks alone, before anything is charged.",
    )
    accept(
        api,
        "AwsSolutions-APIG1",
        "AwsSolutions-APIG6",
        "Serverless-APIGWAccessLogging",
        "NIST.800.53.R5-APIGWExecutionLoggingEnabled",
        because="A REST API's logs need a role that is set once for the whole account; the function logs each request.",
    )
    accept(
        api,
        "Serverless-APIGWXrayEnabled",
        "NIST.800.53.R5-APIGWCacheEnabledAndEncrypted",
        "NIST.800.53.R5-APIGWSSLEnabled",
        because="Answers hold credentials and are never cached; the integration is a function, not a server that could "
        "ask for a certificate; one log line per request carries its ids.",
    )
