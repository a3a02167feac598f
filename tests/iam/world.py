"""A template as if deployed: every name and ARN written out, in a partition, region and account."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.iam.policy import Request
from tests.infra.synthesis import Synthesis, logical_ids

ACCOUNT = "111122223333"
ZONE_SECRET = "arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:zone-AbCdEf"
CLIENT_SECRET = ZONE_SECRET.replace("zone", "portal-client")
EXAMPLE_ID = "0f8a1c52-7f5d-4a8e-9b6a-1d2c3b4a5f60"  # of a tenant's instance or binding
_SUFFIX = "Q7W2E9R4T1Y8"  # CloudFormation ends the names that it makes with twelve such characters
_ARNS = {
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{name}",
    "AWS::IAM::ManagedPolicy": "iam::{account}:policy/{name}",
    "AWS::KMS::Key": "kms:{region}:{account}:key/{name}",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "logs:{region}:{account}:log-group:{name}:*",
    "AWS::SNS::Topic": "sns:{region}:{account}:{name}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
    "AWS::SecretsManager::Secret": "secretsmanager:{region}:{account}:secret:{name}-AbCdEf",
}
_REF_IS_ARN = frozenset({"AWS::IAM::ManagedPolicy", "AWS::SNS::Topic", "AWS::SecretsManager::Secret"})
_TENANTS = {  # resources that the functions make, by how tests/iam/requests.txt begins them
    "configuration-set": "ses:{region}:{account}:configuration-set/",
    "hostedzone": "route53:::hostedzone/",
    "identity": "ses:{region}:{account}:identity/",
    "security-group": "ec2:{region}:{account}:security-group/",
    "subnet": "ec2:{region}:{account}:subnet/",
    "user": "iam::{account}:user/",
    "vpc": "ec2:{region}:{account}:vpc/",
    "vpc-endpoint": "ec2:{region}:{account}:vpc-endpoint/",
}


@dataclass(frozen=True)
class World:
    """Where a template is. *examples* stand for what a request's `{id}`, `{zone}` and so on leave open."""

    synthesis: Synthesis
    stack: str = "ses-feedback"
    partition: str = "aws"
    region: str = "us-east-1"

    @cached_property
    def policies(self) -> Mapping[str, Mapping[str, Any]]:
        """The policy document of each function's role, by the function's name in the `Functions` output."""
        functions = self.synthesis.resources("AWS::Lambda::Function")
        written = self.synthesis.properties("AWS::IAM::Policy")
        documents: dict[str, Mapping[str, Any]] = {}
        for name, logical_id in logical_ids(self.synthesis, "Functions").items():
            role = functions[logical_id]["Properties"]["Role"]["Fn::GetAtt"][0]
            [policy] = [one for one in written if {"Ref": role} in one["Roles"]]
            documents[name] = self.resolve(policy["PolicyDocument"])
        return documents

    def resolve(self, value: Any) -> Any:
        """A part of the template with its references written out."""
        match value:
            case {"Ref": str(name)}:
                return self._ref(name)
            case {"Fn::GetAtt": [str(name), "Arn"]}:
                return self.arn(name)
            case {"Fn::GetAtt": [str(name), "StreamArn"]}:
                return f"{self.arn(name)}/stream/2026-11-21T00:00:00.000"
            case {"Fn::Join": [str(separator), list(parts)]}:
                return separator.join(map(self.resolve, parts))
            case dict():
                return {key: self.resolve(inner) for key, inner in value.items()}
            case list():
                return [self.resolve(inner) for inner in value]
            case _:
                return value

    def name(self, logical_id: str) -> str:
        """The name that CloudFormation makes for a resource without one."""
        return f"{self.stack}-{logical_id}-{_SUFFIX}"

    def arn(self, logical_id: str) -> str:
        """A resource's ARN."""
        kind = self.synthesis.template["Resources"][logical_id]["Type"]
        return self._written(_ARNS[kind], name=self.name(logical_id))

    def owned(self) -> dict[str, str]:
        """The ARNs of all that the stack owns and a policy could name, by logical id."""
        kinds = self.synthesis.template["Resources"].items()
        return {logical_id: self.arn(logical_id) for logical_id, found in kinds if found["Type"] in _ARNS}

    def request(self, action: str, resource: str, context: Mapping[str, str]) -> Request:
        """A request of tests/iam/requests.txt, its names written out."""
        written = {key: self._context(key, value) for key, value in context.items()}
        return Request(action=action, resource=self.resource(resource), context=written)

    def resource(self, short: str) -> str:
        """The ARN of a resource by its name in tests/iam/requests.txt, such as `queue/deliveries`."""
        kind, _, name = short.partition("/")
        match kind:
            case "*":
                return "*"
            case "table":
                table, _, index = name.partition("/")
                return self.arn(logical_ids(self.synthesis, "Tables")[table]) + (f"/{index}" if index else "")
            case "queue":
                return self.arn(logical_ids(self.synthesis, "Queues")[name])
            case "topic" if name == "operator":
                return str(self.resolve(self.synthesis.output("OperatorTopicArn")))
            case "topic":
                return self._written("sns:{region}:{account}:" + _example(name))
            case "log-group":
                function = self.synthesis.template["Resources"][logical_ids(self.synthesis, "Functions")[name]]
                group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
                return self.arn(group).removesuffix("*") + "log-stream:2026"
            case "stream":
                table = logical_ids(self.synthesis, "Tables")[name]
                return str(self.resolve({"Fn::GetAtt": [table, "StreamArn"]}))
            case "zone-secret":
                return ZONE_SECRET
            case "client-secret":
                return CLIENT_SECRET
            case "secret" if name == "broker":
                return str(self.resolve(self.synthesis.output("BrokerCredentialsSecretArn")))
            case "secret":
                secrets = self.synthesis.resources("AWS::SecretsManager::Secret")
                return self.arn(next(logical for logical in secrets if logical.startswith(name.capitalize())))
            case "key" | "boundary":
                return self.arn(self._only(kind))
        return self._written(_TENANTS[kind] + _example(name))

    def _only(self, kind: str) -> str:
        types = {"key": "AWS::KMS::Key", "boundary": "AWS::IAM::ManagedPolicy"}
        [logical_id] = self.synthesis.resources(types[kind])
        return logical_id

    def _context(self, key: str, value: str) -> str:
        match key:
            case "kms:ViaService":
                return f"{value}.{self.region}.amazonaws.com"
            case "iam:PermissionsBoundary":
                return self.resource(value)
        return _example(value)

    def _ref(self, name: str) -> str:
        pseudo = {
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": self.partition,
            "AWS::Region": self.region,
            "AWS::URLSuffix": "amazonaws.com",
        }
        if name in pseudo:
            return pseudo[name]
        kind = self.synthesis.template["Resources"][name]["Type"]
        return self.arn(name) if kind in _REF_IS_ARN else self.name(name)

    def _written(self, arn: str, name: str = "") -> str:
        return f"arn:{self.partition}:" + arn.format(region=self.region, account=ACCOUNT, name=name)


EXAMPLES = {
    "id": EXAMPLE_ID,
    "domain": "shop.example",
    "zone": "Z0123456789ABC",
    "vpc": "vpc-0123456a",
    "ec2": "0a1b2c3d4e5f60718",
}


def _example(text: str) -> str:
    """*text* with an example for each `{...}`, its braces not yet ARN fields."""
    return re.sub(r"\{(\w+)\}", lambda found: EXAMPLES[found[1]], text)
