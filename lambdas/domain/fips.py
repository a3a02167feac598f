"""Where FIPS 140 endpoints are used: the operator's choice (`auto`, `on` or `off`) and what a region offers."""


def wanted(choice: str, region: str) -> bool:
    """Whether *region* uses FIPS endpoints; `auto` uses them in GovCloud only."""
    return choice == "on" or (choice == "auto" and region.startswith("us-gov-"))


def for_aws_calls(choice: str, region: str) -> bool:
    """Whether calls to AWS APIs go to FIPS endpoints.

    Only the regions of the United States have a FIPS endpoint for each service that ses-feedback calls. In other
    regions the host name would not resolve (https://aws.amazon.com/compliance/fips/).
    """
    return wanted(choice, region) and region.startswith("us-")
