"""Who a task says it is, and what its queue overrides."""

import jwt
import pytest
from google.api_core.exceptions import NotFound

from local.oidc import Issuer

ACCOUNT = "tasks@p.iam.gserviceaccount.com"


@pytest.fixture
def issuer(tmp_path, clock) -> Issuer:
    return Issuer(tmp_path / "key.pem", "http://issuer.test", clock=clock.time)


@pytest.fixture
def options(clock, issuer):
    return {"clock": clock, "issuer": issuer}


@pytest.fixture
def claims(issuer):
    """Read a request's ID token as a function would, but for the time, which stands still here."""

    def claims(request, audience):
        token = request.headers["Authorization"].removeprefix("Bearer ")
        key = jwt.PyJWKSet.from_dict(issuer.jwks())[jwt.get_unverified_header(token)["kid"]]
        return jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=audience,
            issuer=issuer.url,
            options={"verify_exp": False, "verify_iat": False},
        )

    return claims


async def test_a_token_names_its_account_and_audience(queue, create, sink, claims):
    oidc = {"service_account_email": ACCOUNT, "audience": "https://function.test"}

    await create(queue, http={"oidc_token": oidc})

    token = claims((await sink.received(1))[0], "https://function.test")
    assert (token["email"], token["email_verified"]) == (ACCOUNT, True)


async def test_the_audience_is_the_whole_url_unless_said_otherwise(queue, create, sink, claims):
    await create(queue, "/path?query=1", {"oidc_token": {"service_account_email": ACCOUNT}})

    request = (await sink.received(1))[0]

    assert claims(request, f"{sink.url}/path?query=1")["aud"] == f"{sink.url}/path?query=1"


async def test_a_token_replaces_an_authorization_of_the_callers(queue, create, sink):
    headers = {"authorization": "Basic abc"}

    await create(queue, http={"headers": headers, "oidc_token": {"service_account_email": ACCOUNT}})

    request = (await sink.received(1))[0]
    assert "authorization" not in request.headers
    assert request.headers["Authorization"].startswith("Bearer ")


async def test_without_a_token_the_callers_authorization_is_kept(queue, create, sink):
    await create(queue, http={"headers": {"Authorization": "Basic abc"}})

    assert (await sink.received(1))[0].headers["Authorization"] == "Basic abc"


async def test_a_token_is_made_when_the_task_is_sent(queue, create, sink, claims, pass_time, clock):
    created = clock.time()
    later = {"seconds": int(created) + 7200}

    await create(queue, http={"oidc_token": {"service_account_email": ACCOUNT}}, schedule_time=later)
    await pass_time(7200)

    assert claims(sink.requests[0], sink.url + "/")["exp"] == created + 7200 + 3600


async def test_an_oauth_token_is_some_bearer_token(queue, create, sink):
    await create(queue, http={"oauth_token": {"service_account_email": ACCOUNT}})

    assert (await sink.received(1))[0].headers["Authorization"].startswith("Bearer ")


class TestKnownAccounts:
    @pytest.fixture
    def options(self, clock):
        return {"clock": clock, "accounts": frozenset({ACCOUNT})}

    async def test_an_account_that_does_not_exist_is_not_found(self, queue, create):
        with pytest.raises(NotFound):
            await create(queue, http={"oidc_token": {"service_account_email": "nobody@p.test"}})

    async def test_without_an_issuer_tasks_are_sent_without_a_token_and_that_is_said(self, queue, create, sink, capsys):
        await create(queue, http={"oidc_token": {"service_account_email": ACCOUNT}})

        assert "Authorization" not in (await sink.received(1))[0].headers
        assert "--oidc-key" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("url", "override", "arrives"),
    [
        ("/a?b=c", {"path_override": {"path": "/other"}}, "/other?b=c"),
        ("/a?b=c", {"query_override": {"query_params": "d=e"}}, "/a?d=e"),
        ("/a?b=c", {"path_override": {}, "query_override": {}}, "/"),
        ("/a?b=c", {"path_override": {"path": "/x"}, "uri_override_enforce_mode": 1}, "/a?b=c"),
        ("/", {"path_override": {"path": "/x"}, "uri_override_enforce_mode": 1}, "/x"),
        ("/", {"query_override": {"query_params": "d=e"}, "uri_override_enforce_mode": 1}, "/?d=e"),
    ],
)
async def test_a_queue_overrides_the_path_and_query(make_queue, create, sink, url, override, arrives):
    queue = await make_queue(http_target={"uri_override": override})

    await create(queue, url)

    assert (await sink.received(1))[0].target == arrives


async def test_a_queue_overrides_scheme_host_port_method_headers_and_account(make_queue, client, sink, claims):
    target = {
        "uri_override": {"scheme": "HTTP", "host": "127.0.0.1", "port": sink.port},
        "http_method": "GET",
        "header_overrides": [{"header": {"key": "X-Of", "value": "the queue"}}],
        "oidc_token": {"service_account_email": "queue@p.test", "audience": "of-the-queue"},
    }
    queue = await make_queue(http_target=target)
    request = {
        "url": "https://elsewhere.test/path",
        "headers": {"X-Of": "the task"},
        "body": b"ignored with GET",
        "oidc_token": {"service_account_email": ACCOUNT},
    }

    await client.create_task(parent=queue, task={"http_request": request})

    arrived = (await sink.received(1))[0]
    assert (arrived.method, arrived.target, arrived.body) == ("GET", "/path", b"")
    assert arrived.headers["X-Of"] == "the queue"
    assert arrived.headers["Host"] == f"127.0.0.1:{sink.port}"
    assert claims(arrived, "of-the-queue")["email"] == "queue@p.test"


class TestAppEngine:
    @pytest.fixture
    def options(self, clock, sink):
        return {"clock": clock, "app_engine": sink.url}

    async def test_app_engine_tasks_have_headers_of_their_own_and_count_5xx(self, queue, client, sink, pass_time):
        sink.answers["/job"] = [500, 200]
        task = {"app_engine_http_request": {"relative_uri": "/job", "body": b"x"}}

        await client.create_task(parent=queue, task=task)
        await pass_time(0.1)

        first, second = sink.requests
        assert first.headers["X-AppEngine-QueueName"] == "q"
        assert first.headers["X-AppEngine-TaskExecutionCount"] == "0"
        assert second.headers["X-AppEngine-TaskExecutionCount"] == "1"
        assert second.headers["X-AppEngine-TaskRetryReason"] == "App Error"
        assert not [name for name in first.headers if name.startswith("X-CloudTasks")]
