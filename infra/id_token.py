"""Google's token for a private API, made by the account that asks: Cloud Build's, or the one GitHub Actions borrows.

Such an account has no token of its own to send: it asks IAM for one, which takes
roles/iam.serviceAccountOpenIdTokenCreator on itself (infra/terraform/delivery.tf).
"""

from typing import Any

import google.auth
import httpx
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request

IAM_CREDENTIALS = "https://iamcredentials.googleapis.com"
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
SET_IT = "set PIECEWORK_ID_TOKEN=$(gcloud auth print-identity-token)"


class NoToken(Exception):
    """The API is private, and no token for it can be had. The message says why, and what to do."""


def own_token(audience: str) -> str:
    """A token for `audience` of the account whose credentials this machine has. Raises NoToken."""
    credentials: Any
    try:
        credentials, _ = google.auth.default(scopes=SCOPES)
        credentials.refresh(Request())
    except GoogleAuthError as error:
        raise NoToken(f"the API is private, and Google knows nobody on this machine: {SET_IT} ({error})") from error
    account = getattr(credentials, "service_account_email", None)
    if not account:
        raise NoToken(f"the API is private, and these credentials are a person's: {SET_IT}")
    with httpx.Client(base_url=IAM_CREDENTIALS, timeout=30) as http:
        return token_of(account, audience, credentials.token, http)


def token_of(account: str, audience: str, access_token: str, http: httpx.Client) -> str:
    """IAM's answer to whoever has `access_token`. Raises NoToken."""
    try:
        answer = http.post(
            f"/v1/projects/-/serviceAccounts/{account}:generateIdToken",
            headers={"Authorization": f"Bearer {access_token}"},
            json={"audience": audience, "includeEmail": True},
        )
    except httpx.TransportError as error:
        raise NoToken(f"IAM did not answer when asked for a token of {account}: {error}") from error
    if answer.is_error:
        raise NoToken(
            f"IAM gave {account} no token for the private API ({answer.status_code}): it needs "
            f"roles/iam.serviceAccountOpenIdTokenCreator on itself, which `make apply` grants. {answer.text[:300]}"
        )
    return str(answer.json()["token"])
