"""What IAM asks for a call: one or more requests, from the operation and its parameters.

Most operations are one action of the same name on the resource that a parameter names. What differs stands here by
name; an operation that neither this module nor AWS's tables know raises Unmapped. Sources: the Service Authorization
Reference (policy_sentry), and for keys the services' guides to encryption at rest.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from policy_sentry.querying.actions import get_action_data

from lambdas.domain.tenants.aws_names import IAM_PATH, INSTANCE_TAG
from lambdas.domain.tenants.confirmation_mail import KEY_PREFIX

Parameters = Mapping[str, Any]
Asked = tuple[str, str, dict[str, str]]  # action, resource as in requests.txt, condition keys
LEADING_KEYS = "dynamodb:LeadingKeys"  # the partition keys that a request names: every request has them
_PREFIXES = {"sesv2": "ses"}
_TAGGED = {f"aws:ResourceTag/{INSTANCE_TAG}": "{id}"}
_TOPIC_IN = {"CreateTopic": "Name", "ListTagsForResource": "ResourceArn"}
WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_STATEMENT = re.compile(r'(UPDATE) "([^"]+)"')  # of PartiQL: the verb and the table


class Unmapped(Exception):
    """A call of which it is not known what IAM asks."""


class CallMapping:
    """Maps the calls of one deployed stack. *names* gives `table/webhooks` and the like for its resources' names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def requests(self, service: str, operation: str, parameters: Parameters) -> Iterator[Asked]:
        """What IAM asks for a call. Raises Unmapped."""
        of_service: dict[str, Callable[[str, Parameters], Iterator[Asked]]] = {
            "dynamodb": self._dynamodb,
            "ec2": self._ec2,
            "iam": self._iam,
            "kms": self._kms,
            "route53": self._route53,
            "secretsmanager": self._secretsmanager,
            "sesv2": self._ses,
            "sns": self._sns,
            "sqs": self._sqs,
            "cloudwatch": self._everywhere("cloudwatch"),
        }
        if service not in of_service:
            raise Unmapped(f"{service}:{operation}")
        for action, resource, context in of_service[service](operation, parameters):
            if not known(action):
                raise Unmapped(f"{service}:{operation} was taken for {action}, which AWS does not know")
            yield action, resource, context

    def _dynamodb(self, operation: str, parameters: Parameters) -> Iterator[Asked]:
        wanted: list[tuple[str, str, str]]
        context: dict[str, str] = {}
        match operation:
            case "UpdateItem" if parameters["Key"].get("pk") == KEY_PREFIX:
                wanted = [(operation, parameters["TableName"], "")]
                context = {LEADING_KEYS: f"{KEY_PREFIX}{{id}}"}
            case "BatchGetItem" | "BatchWriteItem":
                wanted = [(operation, name, "") for name in parameters["RequestItems"]]
            case "BatchExecuteStatement":
                statements = [_STATEMENT.match(one["Statement"]) for one in parameters["Statements"]]
                wanted = [(f"PartiQL{one[1].title()}", one[2], "") for one in statements if one]
            case "TransactWriteItems":
                items = [entry for item in parameters["TransactItems"] for entry in item.items()]
                wanted = [(WRITES[kind], item["TableName"], "") for kind, item in items]
            case _:
                wanted = [(operation, parameters["TableName"], parameters.get("IndexName", ""))]
        for action, table, index in wanted:
            yield f"dynamodb:{action}", self._named(table) + (f"/index/{index}" if index else ""), context
        yield "kms:Decrypt", "key", {"kms:ViaService": "dynamodb"}

    def _sqs(self, operation: str, parameters: Parameters) -> Iterator[Asked]:
        if operation not in ("SendMessage", "SendMessageBatch"):
            raise Unmapped(f"sqs:{operation}")
        yield "sqs:SendMessage", self._named(parameters["QueueUrl"].rpartition("/")[2]), {}
        yield from _encrypted_by("sqs")

    def _sns(self, operation: str, parameters: Parameters) -> Iterator[Asked]:
        if operation == "Unsubscribe":
            yield "sns:Unsubscribe", "*", {}
            return
        topic = self._topic(parameters[_TOPIC_IN.get(operation, "TopicArn")])
        yield f"sns:{operation}", topic, {}
        if parameters.get("Tags"):
            yield "sns:TagResource", topic, {}
        if operation == "Publish":
            yield from _encrypted_by("sns")

    def _topic(self, arn: str) -> str:
        name = arn.rpartition(":")[2]
        if name in self._names:
            return self._names[name]
        return "topic/" + _without_id(name, r"ses-feedback-(.+)-(?:alerts|notifications)")

    def _ses(self, operation: str, parameters: Parameters) -> Iterator[Asked]:
        resources = []
        if name := parameters.get("EmailIdentity"):
            resources.append("identity/{domain}")
        if (name := parameters.get("ConfigurationSetName")) and operation != "CreateEmailIdentity":
            resources.append("configuration-set/" + _without_id(name, r"ses-feedback-(.+)"))
        if not resources:
            raise Unmapped(f"ses:{operation}")
        for resource in resources:
            yield f"ses:{operation}", resource, {}
            if parameters.get("Tags"):
                yield "ses:TagResource", resource, {}

    def _iam(self, operation: str, parameters: Parameters) -> Iterator[Asked]:
        if "UserName" not in parameters:
            yield f"iam:{operation}", "*", {}
            return
        user = f"user{IAM_PATH}" + _without_id(parameters["UserName"], r"(?:ses-feedback|sesfb)-(.+)")
        bounded = {}
        if operation == "CreateUser":
            given = parameters.get("PermissionsBoundary", "").rpartition("/")[2]
            bounded = {"iam:PermissionsBoundary": self._named(given)} if given else {}
            if parameters["Path"] != IAM_PATH:
                raise Unmapped(f"a user under {parameters['Path']}")
        if operation == "PutUserPolicy":
            bounded = {"iam:PermissionsBoundary": "boundary"}  # the one that the user was made with
        yield f"iam:{operation}", user, bounded
        if parameters.get("Tags"):
            yield "iam:TagUser", user, {}

    def _kms(self, operation: str, parameters: Parameters) -> Iterator[Asked]:
        key = parameters.get("KeyId", "")  # Decrypt finds it in the ciphertext
        if key and self._named(key.rpartition("/")[2]) != "key":
            raise Unmapped(f"kms:{operation} with {key}")
        purpose = parameters["EncryptionContext"]["purpose"]
        yield f"kms:{operation}", "key", {"kms:EncryptionContext:purpose": purpose}

    def _secretsmanager(self, operation: str, parameters: Parameters) -> Iterator[Asked]:
        name = parameters["SecretId"].rpartition(":")[2]
        yield f"secretsmanager:{operation}", self._named(name), {}
        yield "kms:Decrypt", "key", {"kms:ViaService": "secretsmanager"}

    def _route53(self, operation: str, parameters: Parameters) -> Iterator[Asked]:
        yield f"route53:{operation}", "hostedzone/{zone}", {}

    def _ec2(self, operation: str, parameters: Parameters) -> Iterator[Asked]:
        made, group = "vpc-endpoint/vpce-{ec2}", "security-group/sg-{ec2}"
        match operation:
            case "CreateVpcEndpoint":
                for resource in ("vpc/{vpc}", "subnet/subnet-{ec2}", group, made):
                    yield "ec2:CreateVpcEndpoint", resource, {}
                yield "ec2:CreateTags", made, {"ec2:CreateAction": operation}
            case "CreateSecurityGroup":
                yield "ec2:CreateSecurityGroup", "vpc/{vpc}", {}
                yield "ec2:CreateSecurityGroup", group, {}
                yield "ec2:CreateTags", group, {"ec2:CreateAction": operation}
            case "DeleteVpcEndpoints":
                yield "ec2:DeleteVpcEndpoints", made, _TAGGED
            case "DeleteSecurityGroup" | "AuthorizeSecurityGroupIngress":
                yield f"ec2:{operation}", group, _TAGGED
            case _ if operation.startswith("Describe"):
                yield f"ec2:{operation}", "*", {}
            case _:
                raise Unmapped(f"ec2:{operation}")

    def _everywhere(self, prefix: str) -> Callable[[str, Parameters], Iterator[Asked]]:
        return lambda operation, _: iter([(f"{prefix}:{operation}", "*", {})])

    def _named(self, name: str) -> str:
        if name not in self._names:
            raise Unmapped(f"{name} is nothing of the stack's")
        return self._names[name]


def known(action: str) -> bool:
    """Whether AWS has an action of that name, such as `sqs:SendMessage`."""
    service, _, name = action.partition(":")
    entries = get_action_data(service, name)
    return bool(entries and entries.get(service))


def _encrypted_by(service: str) -> Iterator[Asked]:
    """Whoever sends to what is encrypted with a customer key needs both: the SQS and SNS guides, "Key management"."""
    for action in ("kms:GenerateDataKey", "kms:Decrypt"):
        yield action, "key", {"kms:ViaService": service}


def _without_id(name: str, pattern: str) -> str:
    found = re.fullmatch(pattern, name)
    if found is None:
        raise Unmapped(f"{name} is nothing that is made for an instance or binding")
    return name[: found.start(1)] + "{id}" + name[found.end(1) :]
