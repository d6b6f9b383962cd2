"""A private API is asked with a token that the account makes for itself; where it cannot, the smoke test fails."""

import json

import google.auth
import httpx
import pytest
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError

from infra import id_token, smoke
from infra.id_token import NoToken, own_token, token_of

ACCOUNT = "piecework-deploy@test-project.iam.gserviceaccount.com"
AUDIENCE = "https://piecework-api-123456789012.us-central1.run.app"


class Iam:
    """IAM's generateIdToken, for accounts that may make their own token or may not."""

    def __init__(self, status=200):
        self.status, self.asked = status, []

    def __call__(self, request):
        self.asked.append((request.url.path, request.headers["authorization"], json.loads(request.content)))
        if self.status != 200:
            return httpx.Response(self.status, json={"error": {"message": "getOpenIdToken denied"}})
        return httpx.Response(200, json={"token": "google's"})

    def client(self, **_):
        return httpx.Client(base_url="http://iam.test", transport=httpx.MockTransport(self))


class Account(AnonymousCredentials):
    """The credentials of a service account."""

    service_account_email = ACCOUNT
    token = "access"

    def refresh(self, request):
        pass


class Person(Account):
    service_account_email = None


def given(monkeypatch, credentials):
    monkeypatch.setattr(google.auth, "default", lambda **_: (credentials, None))


def test_the_account_asks_iam_for_a_token_of_its_own():
    iam = Iam()

    token = token_of(ACCOUNT, AUDIENCE, "access", iam.client())

    assert token == "google's"
    path = f"/v1/projects/-/serviceAccounts/{ACCOUNT}:generateIdToken"
    assert iam.asked == [(path, "Bearer access", {"audience": AUDIENCE, "includeEmail": True})]


def test_an_account_that_may_not_make_its_own_token_is_told_which_role_it_needs():
    with pytest.raises(NoToken, match=r"\(403\): it needs roles/iam.serviceAccountOpenIdTokenCreator on itself"):
        token_of(ACCOUNT, AUDIENCE, "access", Iam(403).client())


def test_a_person_is_told_how_to_get_a_token(monkeypatch):
    given(monkeypatch, Person())

    with pytest.raises(NoToken, match=r"a person's: set PIECEWORK_ID_TOKEN=\$\(gcloud auth print-identity-token\)"):
        own_token(AUDIENCE)


def test_a_machine_without_credentials_is_told_too(monkeypatch):
    def none(**_):
        raise DefaultCredentialsError("nothing was found")

    monkeypatch.setattr(google.auth, "default", none)

    with pytest.raises(NoToken, match=r"Google knows nobody on this machine: set PIECEWORK_ID_TOKEN"):
        own_token(AUDIENCE)


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({"PIECEWORK_AUDIENCE": AUDIENCE}, "Bearer google's"),
        ({"PIECEWORK_AUDIENCE": AUDIENCE, "PIECEWORK_ID_TOKEN": "mine"}, "Bearer mine"),
        ({"PIECEWORK_AUDIENCE": ""}, None),
    ],
    ids=["private", "a token was given", "public"],
)
def test_the_smoke_test_sends_a_token_where_the_api_is_private(monkeypatch, settings, sent):
    given(monkeypatch, Account())
    client = Iam().client()
    monkeypatch.setattr(id_token.httpx, "Client", lambda **_: client)

    headers = smoke.headers("key", settings)

    assert headers.get("X-Serverless-Authorization") == sent


def test_the_smoke_test_fails_where_a_token_is_needed_and_cannot_be_had(monkeypatch):
    given(monkeypatch, Person())
    monkeypatch.setattr("sys.argv", ["smoke"])
    monkeypatch.setenv("PIECEWORK_KEY", "key")
    monkeypatch.setenv("PIECEWORK_URL", AUDIENCE)
    monkeypatch.setenv("PIECEWORK_AUDIENCE", AUDIENCE)
    monkeypatch.delenv("PIECEWORK_ID_TOKEN", raising=False)

    with pytest.raises(SystemExit, match="smoke: the API is private, and these credentials are a person's"):
        smoke.main()
