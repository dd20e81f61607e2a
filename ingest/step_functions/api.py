"""The Step Functions API through boto3: paging, and its errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from miner.errors import InputError, MissingPackageError, SourceRefusedError, SourceUnavailableError

GONE = ("ExecutionDoesNotExist", "StateMachineDoesNotExist", "StateMachineDeleting")
"""What the API says of things whose time of retention is over."""
BUSY = ("Throttling", "TooManyRequests", "RequestLimit", "ServiceUnavailable", "Internal")
TRIES = 6
SECONDS = 30


class Api:
    """The calls that the source makes; credentials come from boto3's own chain."""

    def __init__(self, region: str | None, endpoint: str | None, profile: str | None) -> None:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise MissingPackageError(
                "Reading Step Functions", "boto3", "step-functions"
            ) from error
        config = Config(
            retries={"mode": "standard", "max_attempts": TRIES},
            connect_timeout=SECONDS,
            read_timeout=SECONDS,
        )
        with refusals():
            session = boto3.session.Session(profile_name=profile, region_name=region)
            self._client = session.client("stepfunctions", endpoint_url=endpoint, config=config)

    def one(self, operation: str, **given: Any) -> dict[str, Any]:
        """The answer to one call."""
        with refusals():
            answer: dict[str, Any] = getattr(self._client, operation)(**given)
        answer.pop("ResponseMetadata", None)
        return answer

    def found(self, operation: str, **given: Any) -> dict[str, Any] | None:
        """The answer to one call; null when what it asks for is gone."""
        try:
            return self.one(operation, **given)
        except GoneError:
            return None

    def items(self, operation: str, key: str, **given: Any) -> Iterator[dict[str, Any]]:
        """The items of all pages of a list."""
        token: str | None = None
        while True:
            page = self.one(operation, **given, **({"nextToken": token} if token else {}))
            if not isinstance(page.get(key), list):
                raise SourceRefusedError(
                    f"The answer of Step Functions has no {key}.",
                    hint="Check the endpoint; something else may answer there.",
                )
            yield from page[key]
            following = page.get("nextToken")
            if following and following == token:
                raise SourceRefusedError(
                    f"Step Functions gave the same page of {key} twice.",
                    hint="Try again later; what was read is kept.",
                )
            if not following:
                return
            token = following


class GoneError(SourceRefusedError):
    """What was asked for does not exist, or not any more."""


@contextmanager
def refusals() -> Iterator[None]:
    """Errors of boto3 as errors of ours, with what the service said."""
    from botocore import exceptions as aws

    try:
        yield
    except aws.ClientError as error:
        raise _refused(error.response) from error
    except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.ProfileNotFound) as error:
        raise SourceRefusedError(
            f"There are no AWS credentials: {error}",
            hint="Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        ) from error
    except (aws.NoRegionError, aws.InvalidRegionError) as error:
        raise InputError(
            "No usable AWS region is given.", hint="Give --region, as eu-west-1."
        ) from error
    except (aws.ConnectionError, aws.HTTPClientError) as error:
        raise SourceUnavailableError(
            f"Step Functions does not answer: {error}",
            hint="Check the endpoint, or try again later.",
        ) from error
    except (aws.BotoCoreError, ValueError) as error:
        raise SourceRefusedError(
            f"The answer of Step Functions cannot be understood: {error}",
            hint="Check the endpoint; something else may answer there.",
        ) from error


def _refused(response: Any) -> SourceRefusedError | SourceUnavailableError:
    code = str(response.get("Error", {}).get("Code", ""))
    said = str(response.get("Error", {}).get("Message", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    message = f"Step Functions said {code}: {said}".strip(": ")
    if code in GONE:
        return GoneError(message, hint="Check the name; executions are kept for 90 days.")
    if code.startswith(BUSY) or status >= 500 or status == 429:
        return SourceUnavailableError(message, hint="Try again later.")
    return SourceRefusedError(
        message, hint="Check credentials and region; reading needs AWSStepFunctionsReadOnlyAccess."
    )
