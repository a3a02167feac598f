"""The stack: composes the constructs and writes the outputs."""

from collections.abc import Callable

from aws_cdk import Annotations, CfnOutput, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import feedback
from infra.alarms import Operator
from infra.api import Api
from infra.broker import Broker
from infra.context import Context
from infra.dashboard import Dashboard, Parts
from infra.deliveries import Deliveries
from infra.delivery import Delivery
from infra.dependencies import Target
from infra.encryption import Encryption
from infra.events import Events
from infra.feedback import Feedback
from infra.foundation import Foundation
from infra.function import SharedResources
from infra.portal import Portal
from infra.reputation import Reputation
from infra.restricted_api import RestrictedApi
from infra.storage import Storage

_UNPROTECTED = (
    "The stack can be deleted. Once the first deployment has succeeded, set the context key protect to true and deploy "
    "again; earlier, a failed first deployment could not be repeated (docs/operators.md)."
)


class SesFeedbackStack(Stack):
    """The CloudFormation stack of ses-feedback. *code* returns a function folder's bundle.

    One template fits every account and region: nothing in it names or depends on either.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        context: Context,
        target: Target,
        code: Callable[[str], lambda_.Code],
    ) -> None:
        super().__init__(
            scope,
            context.stack_name,
            description="SES for many tenants: every bounce, complaint and delivery comes back as a signed webhook",
            termination_protection=context.protect,
        )
        if context.production and not context.protect:
            Annotations.of(self).add_info(_UNPROTECTED)
        self.shared = shared = self._shared(context, target, code)
        self.storage = Storage(
            self,
            "Storage",
            key=shared.key,
            removal=shared.removal,
            protect=context.protect,
            portal=context.portal != "off",
        )
        self.deliveries = Deliveries(self, "Deliveries", shared=shared)
        self.events = Events(self, "Events", shared=shared, timeout=feedback.TIMEOUT)
        base = Foundation(shared=shared, storage=self.storage, events=self.events, deliveries=self.deliveries)
        self.feedback = Feedback(self, "Feedback", base)
        self.portal = Portal(self, "Portal", base) if self.storage.portal else None
        portal_url = self.portal.url if self.portal else ""
        self.delivery = Delivery(self, "Delivery", base, portal_url=portal_url)
        self.reputation = Reputation(self, "Reputation", base, portal_url=portal_url)
        self.broker = Broker(self, "Broker", base, portal_url=portal_url)
        self._broker_urls(shared)
        Dashboard(
            self, "Dashboard", name=context.stack_name, parts=Parts(queues=self._queues(), functions=self._functions())
        )
        self._add_outputs()

    def _shared(self, context: Context, target: Target, code: Callable[[str], lambda_.Code]) -> SharedResources:
        # RetainExceptOnCreate: kept when the stack is deleted, but not when the deployment that makes it is rolled back
        removal = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if context.production else RemovalPolicy.DESTROY
        key = Encryption(self, "Encryption", removal=removal).key
        return SharedResources(
            key=key,
            operator=Operator(self, "Operator", key=key, email=context.operator_email, runbook_url=context.runbook_url),
            removal=removal,
            context=context,
            target=target,
            code=code,
        )

    def _broker_urls(self, shared: SharedResources) -> None:
        """The broker's URLs. The first stays valid while the platform moves to the restricted one."""
        context, function = shared.context, self.broker.function.function
        urls = []
        if context.broker_allowed_cidrs:
            urls.append(RestrictedApi(self, "RestrictedApi", shared=shared, function=function).url)
        if context.broker_http_api:
            api = Api(self, "Api", shared=shared, function=function)
            CfnOutput(self, "BrokerHttpUrl", value=api.url)
            CfnOutput(self, "BrokerApiId", value=api.api.api_id)
            urls.append(api.url)
        CfnOutput(self, "BrokerUrl", value=urls[0])

    def _add_outputs(self) -> None:
        """The outputs that operators, `ops` and the embedded AWS use."""
        if self.portal:
            CfnOutput(self, "PortalUrl", value=self.portal.url)
            CfnOutput(self, "PortalApiId", value=self.portal.api.api.api_id)
        CfnOutput(self, "BrokerCredentialsSecretArn", value=self.broker.credentials.secret_arn)
        CfnOutput(self, "EventTopicArn", value=self.events.topic.topic_arn)
        CfnOutput(self, "OperatorTopicArn", value=self.shared.operator.topic.topic_arn)
        CfnOutput(self, "KeyArn", value=self.shared.key.key_arn)
        CfnOutput(self, "Tables", value=self.to_json_string(self.storage.names()))
        queues = {name: queue.queue_url for name, queue in self._queues().items()}
        functions = {name: function.function_name for name, function in self._functions().items()}
        CfnOutput(self, "Queues", value=self.to_json_string(queues))
        CfnOutput(self, "Functions", value=self.to_json_string(functions))

    def _queues(self) -> dict[str, sqs.IQueue]:
        return {
            "events": self.events.queue,
            "events_dlq": self.events.dead,
            "subscription_dlq": self.events.undelivered,
            "deliveries": self.deliveries.queue,
            "deliveries_dlq": self.deliveries.dead,
            "slow_deliveries": self.deliveries.slow_queue,
            "slow_deliveries_dlq": self.deliveries.slow_dead,
            "operations": self.broker.operations.queue,
            "operations_dlq": self.broker.operations.dead,
            "reputation_dlq": self.reputation.failures,
            **(self.portal.queues if self.portal else {}),
        }

    def _functions(self) -> dict[str, lambda_.IFunction]:
        functions = {
            "feedback": self.feedback.function,
            "delivery": self.delivery.function,
            "release": self.delivery.release,
            "broker": self.broker.function,
            "worker": self.broker.worker,
            "sweep": self.broker.sweep,
            "reputation": self.reputation.function,
            "reputation-sweep": self.reputation.sweep,
            **({"reputation-cap": self.reputation.cap} if self.reputation.cap else {}),
            **(self.portal.functions if self.portal else {}),
        }
        return {name: function.function for name, function in functions.items()}
