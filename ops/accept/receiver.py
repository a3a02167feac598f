"""The receiver that `ops accept` deploys and removes: an HTTP API, a function that stores what arrives, a table.

A stack of its own, so that removing it leaves nothing. No function URL: GovCloud has none.
"""

import json
import os
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from standardwebhooks import Webhook, WebhookVerificationError

STACK = "ses-feedback-accept-receiver"
_CODE = """
import base64, json, os, time
import boto3

table = boto3.resource("dynamodb").Table(os.environ["TABLE"])

def handler(event, context):
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body).decode()
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    headers = {name: event["headers"].get(name, "") for name in names}
    key = {"id": headers["webhook-id"] or "none", "at": str(time.time_ns())}
    table.put_item(Item={**key, "headers": headers, "body": body})
    return {"statusCode": 204}
"""
TEMPLATE: dict[str, Any] = {
    "Description": "Receives the webhooks of an acceptance test. It may be deleted at any time.",
    "Resources": {
        "Table": {
            "Type": "AWS::DynamoDB::Table",
            "Properties": {
                "BillingMode": "PAY_PER_REQUEST",
                "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "at")],
                "KeySchema": [
                    {"AttributeName": "id", "KeyType": "HASH"},
                    {"AttributeName": "at", "KeyType": "RANGE"},
                ],
                "SSESpecification": {"SSEEnabled": True},
            },
        },
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                },
                "Policies": [
                    {
                        "PolicyName": "Store",
                        "PolicyDocument": {
                            "Version": "2012-10-17",
                            "Statement": [
                                {
                                    "Effect": "Allow",
                                    "Action": "dynamodb:PutItem",
                                    "Resource": {"Fn::GetAtt": ["Table", "Arn"]},
                                }
                            ],
                        },
                    }
                ],
            },
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Architectures": ["arm64"],
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": _CODE},
                "Environment": {"Variables": {"TABLE": {"Ref": "Table"}}},
                "Timeout": 10,
            },
        },
        "Api": {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {"Name": STACK, "ProtocolType": "HTTP"},
        },
        "Integration": {
            "Type": "AWS::ApiGatewayV2::Integration",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "IntegrationType": "AWS_PROXY",
                "IntegrationUri": {"Fn::GetAtt": ["Function", "Arn"]},
                "PayloadFormatVersion": "2.0",
            },
        },
        "Route": {
            "Type": "AWS::ApiGatewayV2::Route",
            "Properties": {
                "ApiId": {"Ref": "Api"},
                "RouteKey": "$default",
                "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]},
            },
        },
        "Stage": {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": True},
        },
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "FunctionName": {"Ref": "Function"},
                "Action": "lambda:InvokeFunction",
                "Principal": "apigateway.amazonaws.com",
                "SourceArn": {"Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*"},
            },
        },
    },
    "Outputs": {
        "ApiId": {"Value": {"Ref": "Api"}},
        "Url": {"Value": {"Fn::GetAtt": ["Api", "ApiEndpoint"]}},
        "Table": {"Value": {"Ref": "Table"}},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A request that arrived. `body` is None if the signature did not verify."""

    id: str
    body: dict[str, Any] | None


class Session(Protocol):
    """Makes clients; an Account of the doctor."""

    def client(self, service: str) -> Any: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """The deployed receiver."""

    session: Session
    url: str
    table: str

    def arrived(self, secret: str) -> list[Arrived]:
        """Every request so far, in order; those of other secrets have no body."""
        pages = self.session.client("dynamodb").get_paginator("scan").paginate(TableName=self.table)
        items = sorted((item for page in pages for item in page["Items"]), key=lambda item: item["at"]["S"])
        return [_read(item, secret) for item in items]


def deploy(session: Session) -> Receiver:
    """Deploy the receiver and wait for it; one that a run left is replaced."""
    remove(session)
    formation = session.client("cloudformation")
    formation.create_stack(StackName=STACK, TemplateBody=json.dumps(TEMPLATE), Capabilities=["CAPABILITY_IAM"])
    formation.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 2, "MaxAttempts": 90})
    (stack,) = formation.describe_stacks(StackName=STACK)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return Receiver(session=session, url=_url(outputs), table=outputs["Table"])


def remove(session: Session) -> None:
    """Remove the receiver; nothing happens if there is none."""
    formation = session.client("cloudformation")
    formation.delete_stack(StackName=STACK)
    formation.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 2, "MaxAttempts": 90})


def _url(outputs: dict[str, str]) -> str:
    """Where the API answers: an embedded AWS serves it under its own endpoint."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
    if urlsplit(endpoint).hostname in ("127.0.0.1", "localhost", "::1"):
        return f"{endpoint}/_aws/execute-api/{outputs['ApiId']}/$default/hook"
    return f"{outputs['Url']}/hook"


def _read(item: dict[str, Any], secret: str) -> Arrived:
    headers = {name: value["S"] for name, value in item["headers"]["M"].items()}
    try:
        body = Webhook(secret).verify(item["body"]["S"], headers)
    except WebhookVerificationError:
        body = None
    return Arrived(id=headers["webhook-id"], body=body)
