"""Where FIPS 140 endpoints are used: the operator's choice (`auto`, `on` or `off`) and what a region offers."""


def wanted(choice: str, region: str) -> bool:
    """Whether FIPS endpoints are asked for in *region*; `auto` asks for them in GovCloud only."""
    return choice == "on" or (choice == "auto" and region.startswith("us-gov-"))


def for_aws_calls(choice: str, region: str) -> bool:
    """Whether calls to AWS APIs go to FIPS endpoints.

    Only the regions of the United States have one for each service that ses-feedback calls; elsewhere a call would
    fail at the name (https://aws.amazon.com/compliance/fips/).
    """
    return wanted(choice, region) and region.startswith("us-")
