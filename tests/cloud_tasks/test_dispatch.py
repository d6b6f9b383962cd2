"""What arrives at a worker, and how its answers are counted."""

import asyncio
import datetime as dt
import ipaddress
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local.cloud_tasks import CloudTasks, Options
from tests.cloud_tasks.sink import Sink


async def test_a_task_arrives_with_its_body_method_and_headers(queue, create, sink):
    await create(queue, "/work?a=1", {"http_method": "PUT", "body": b"hello", "headers": {"Content-Type": "text/x"}})

    request = (await sink.received(1))[0]

    assert (request.method, request.target, request.body) == ("PUT", "/work?a=1", b"hello")
    assert request.headers["Content-Type"] == "text/x"
    assert request.headers["Host"] == f"127.0.0.1:{sink.port}"


async def test_the_first_attempt_says_which_task_of_which_queue_it_is(queue, create, sink, clock):
    task = await create(queue)

    request = (await sink.received(1))[0]

    assert request.task_header("QueueName") == "q"
    assert request.task_header("TaskName") == task.name.rpartition("/")[2]
    assert request.task_header("TaskRetryCount") == "0"
    assert request.task_header("TaskExecutionCount") == "0"
    assert float(request.task_header("TaskETA")) == clock.time()
    assert request.task_header("TaskPreviousResponse") is None
    assert request.task_header("TaskRetryReason") is None


async def test_no_content_type_is_made_up(queue, create, sink):
    await create(queue, http={"body": b"x"})

    assert "Content-Type" not in (await sink.received(1))[0].headers


async def test_a_callers_headers_cannot_pass_for_the_services(queue, create, sink):
    theirs = {
        "user-agent": "me",
        "host": "elsewhere",
        "Content-Length": "999",
        "X-Google-Thing": "1",
        "x-appengine-queuename": "1",
        "X-CloudTasks-TaskRetryCount": "77",
        "Transfer-Encoding": "chunked",
        "traceparent": "00-1-2-01",
    }
    await create(queue, http={"headers": theirs, "body": b"x"})

    request = (await sink.received(1))[0]

    lower = {name.lower(): value for name, value in request.headers.items()}
    assert lower["user-agent"] == "Google-Cloud-Tasks"
    assert lower["host"] == f"127.0.0.1:{sink.port}"
    assert lower["x-cloudtasks-taskretrycount"] == "0"
    assert lower["traceparent"] == "00-1-2-01"
    assert not {"x-google-thing", "x-appengine-queuename", "transfer-encoding"} & lower.keys()


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_2xx_ends_a_task(queue, create, sink, client, emulator, status):
    sink.answers["/"] = [f"HTTP/1.1 {status} Fine\r\nContent-Length: 0\r\n\r\n".encode()]

    await create(queue)

    await sink.received(1)
    await emulator.settled()
    assert [task async for task in await client.list_tasks(parent=queue)] == []


async def test_retries_are_counted_as_the_real_service_counts_them(queue, create, sink, pass_time):
    sink.answers["/"] = [503, 404, 429, 500, 302, 200]

    await create(queue)
    for _ in range(6):
        await pass_time(3600)

    assert sink.seen("TaskRetryCount") == ["0", "1", "2", "3", "4", "5"]
    assert sink.seen("TaskExecutionCount") == ["0", "0", "1", "2", "2", "3"]
    assert sink.seen("TaskPreviousResponse") == [None, "503", "404", "429", "500", "302"]
    assert sink.seen("TaskRetryReason") == [None, "", "", "", "", ""]


async def test_the_eta_moves_with_each_retry(queue, create, sink, pass_time):
    sink.answers["/"] = [500, 500, 200]

    await create(queue)
    await pass_time(0.1)
    await pass_time(0.2)

    etas = [float(eta) for eta in sink.seen("TaskETA")]
    assert [round(eta - etas[0], 3) for eta in etas] == [0, 0.1, 0.3]


async def test_at_its_deadline_an_attempt_is_dropped_and_the_retry_says_504(queue, create, sink, clock, pass_time):
    sink.held = {"/"}
    await create(queue, dispatch_deadline={"seconds": 15})
    await sink.received(1)

    clock.advance(14.9)
    on_its_way = sink.now["/"]
    clock.advance(0.1)
    sink.held = set()
    await pass_time(0.1)

    assert on_its_way == 1
    assert sink.seen("TaskPreviousResponse") == [None, "504"]
    assert sink.seen("TaskRetryCount") == ["0", "1"]
    assert sink.seen("TaskExecutionCount") == ["0", "0"]


async def test_a_worker_that_cannot_be_reached_costs_an_attempt(queue, client, clock, pass_time, create, sink):
    task = await client.create_task(parent=queue, task={"http_request": {"url": "http://127.0.0.1:1/"}})
    await pass_time(0.1)
    await pass_time(0)

    known = await client.get_task(name=task.name)

    assert known.dispatch_count == 2
    assert known.response_count == 0
    assert known.last_attempt.response_status.code == 14


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:99999/", "http://no such host/", "http://[::1", "http://xn--/", "http://a..b/"]
)
async def test_an_impossible_url_is_refused_or_fails_as_an_attempt(queue, client, emulator, url):
    refused = None
    try:
        task = await client.create_task(parent=queue, task={"http_request": {"url": url}})
    except Exception as error:  # noqa: BLE001 - either way is right
        refused = error
    await emulator.settled()

    assert refused is not None or (await client.get_task(name=task.name)).dispatch_count >= 1


async def test_a_bad_percent_escape_and_odd_characters_are_sent_fit_for_a_request_line(queue, create, sink):
    await create(queue, "/100%/a b/é?q=ü x")

    assert (await sink.received(1))[0].target == "/100%/a%20b/%C3%A9?q=%C3%BC%20x"


async def test_a_redirect_is_followed_within_the_attempt(queue, create, sink, emulator, client):
    sink.answers["/old"] = [b"HTTP/1.1 307 Moved\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n"]

    await create(queue, "/old", {"body": b"x"})
    await sink.received(2)
    await emulator.settled()

    assert [(request.method, request.target) for request in sink.requests] == [("POST", "/old"), ("POST", "/new")]
    assert sink.seen("TaskRetryCount") == ["0", "0"]
    assert emulator.counts()[queue] == (0, 0)


async def test_a_redirect_elsewhere_takes_no_authorization_along(queue, create, sink, emulator):
    async with Sink() as elsewhere:
        answer = f"HTTP/1.1 303 See\r\nLocation: {elsewhere.url}/x\r\nContent-Length: 0\r\n\r\n"
        sink.answers["/"] = [answer.encode()]
        await create(queue, http={"body": b"x", "headers": {"authorization": "Basic secret"}})
        await elsewhere.received(1)
        await emulator.settled()

        arrived = elsewhere.requests[0]

    assert (arrived.method, arrived.target, arrived.body) == ("GET", "/x", b"")
    assert "authorization" not in arrived.headers
    assert emulator.counts()[queue] == (0, 0)


@pytest.mark.parametrize("location", ["ftp://a.test/", "http://[", ""])
async def test_a_redirect_to_nowhere_is_a_failed_attempt(queue, create, sink, emulator, client, location):
    answer = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    sink.answers["/"] = [answer.encode()]

    task = await create(queue)
    await emulator.settled()

    known = await client.get_task(name=task.name)
    assert (known.dispatch_count, known.response_count) == (1, 1)


async def test_redirects_in_a_circle_fail_the_attempt(queue, create, sink, emulator):
    sink.answers["/round"] = [b"HTTP/1.1 308 Moved\r\nLocation: /round\r\nContent-Length: 0\r\n\r\n"]

    await create(queue, "/round")
    await sink.received(5)
    await emulator.settled()

    assert len(sink.requests) == 5
    assert emulator.counts()[queue] == (1, 0)


async def test_a_worker_that_breaks_the_connection_costs_an_attempt(queue, create, sink, pass_time):
    sink.answers["/"] = [b"", b"HTTP/9 nonsense\r\n\r\n", 200]

    await create(queue)
    await pass_time(0.1)
    await pass_time(0.2)

    assert sink.seen("TaskRetryCount") == ["0", "1", "2"]
    assert sink.seen("TaskPreviousResponse") == [None, None, None]


async def test_a_connection_is_used_again(queue, create, sink, emulator):
    for _ in range(5):
        await create(queue)
        await emulator.settled()

    assert len(sink.requests) == 5
    assert sink.connections == 1


async def test_a_megabyte_arrives_whole(queue, create, sink):
    body = bytes(range(256)) * 4000

    await create(queue, http={"body": body})

    assert (await sink.received(1))[0].body == body


async def test_a_task_deleted_on_its_way_is_not_tried_again(queue, create, client, sink, pass_time, emulator):
    sink.held, sink.answers["/"] = {"/"}, [500]
    task = await create(queue)
    await sink.received(1)

    await client.delete_task(name=task.name)
    sink.release.set()
    await pass_time(3600)

    assert len(sink.requests) == 1
    assert emulator.counts()[queue] == (0, 0)


async def test_an_https_worker_is_reached_and_its_certificate_checked(tmp_path, clock, connect):
    server, trusting = _certificate(tmp_path)
    async with Sink(server) as sink:
        for tls, requests in ((None, 0), (trusting, 1)):
            async with CloudTasks(Options(clock=clock, tls=tls)) as emulator:
                client = connect(emulator.port)
                queue = await client.create_queue(
                    parent="projects/p/locations/l", queue={"name": "projects/p/locations/l/queues/q"}
                )
                await client.create_task(parent=queue.name, task={"http_request": {"url": sink.url}})
                await asyncio.wait_for(emulator.settled(), 10)
                await client.transport.close()

                assert len(sink.requests) == requests


def _certificate(folder):
    """Return the TLS contexts of a server with a certificate of its own, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file = folder / "sink.pem"
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(secret + certificate.public_bytes(pem))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=file)


class TestLogged:
    @pytest.fixture
    def lines(self):
        return []

    @pytest.fixture
    def options(self, clock, lines):
        return {"clock": clock, "log": lines.append}

    async def test_a_line_says_how_an_attempt_failed_and_what_follows(self, make_queue, create, sink, pass_time, lines):
        queue = await make_queue(retry_config={"max_attempts": 3, "min_backoff": {"seconds": 10}})
        sink.answers["/"] = [503, b"", 500]

        task = await create(queue)
        await pass_time(10)
        await pass_time(20)

        name = task.name.rpartition("/")[2]
        assert lines == [
            f"{name}: attempt 1: answer 503; again in 10.0 s",
            f"{name}: attempt 2: no answer; again in 20.0 s",
            f"{name}: attempt 3: answer 500; deleted, because its attempts are used up",
        ]
