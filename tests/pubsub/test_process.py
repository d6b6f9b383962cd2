"""The command as a process: what it prints, what survives a kill, and Google's emulator in its place."""

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
from contextlib import asynccontextmanager

import grpc
import jwt
import pytest
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

from local.oidc import Issuer
from local.pubsub.__main__ import main
from local.pubsub.google_emulator import NotStarted, find_command

from .conftest import SECONDS

PROJECT = "projects/piecework-local"
ACCOUNT = "pubsub@piecework-local.iam.gserviceaccount.com"


def google_is_here():
    try:
        return bool(find_command("127.0.0.1", 0))
    except NotStarted:
        return False


@asynccontextmanager
async def running(*arguments, **environment):
    """Start the command and give (process, port, what it printed)."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "local.pubsub", "--port", "0", *arguments,
        stdout=asyncio.subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip
    try:
        printed = ""
        while not (found := re.search(r"127\.0\.0\.1:(\d+), (our own|Google's)", printed)):
            line = await asyncio.wait_for(process.stdout.readline(), 2 * SECONDS)
            assert line, printed
            printed += line.decode()
        yield process, int(found[1]), printed
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), SECONDS)
        finally:
            if process.returncode is None:
                process.kill()


def clients(channel):
    return (
        PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel)),
        SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel)),
    )


async def test_what_was_published_survives_a_kill(tmp_path):
    arguments = ["--google", "never", "--topic", "fanout", "--data", str(tmp_path / "pubsub.db")]
    subscription = f"{PROJECT}/subscriptions/kept"
    async with running(*arguments) as (process, port, _):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            publisher, subscriber = clients(channel)
            await subscriber.create_subscription(name=subscription, topic=f"{PROJECT}/topics/fanout")
            await publisher.publish(topic=f"{PROJECT}/topics/fanout", messages=[{"data": b"work"}])
        process.kill()
        await process.wait()

    async with running(*arguments) as (_, port, _), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        _, subscriber = clients(channel)
        answer = await subscriber.pull(subscription=subscription, max_messages=5)

    assert [received.message.data for received in answer.received_messages] == [b"work"]


@pytest.mark.parametrize(
    "mode", ["never", pytest.param("always", marks=pytest.mark.skipif(not google_is_here(), reason="no SDK"))]
)
async def test_either_server_pushes_signed_repeats_and_counts(mode, function, tmp_path):
    function.statuses = [500, 200]
    key = tmp_path / "oidc.pem"
    arguments = [
        "--google", mode, "--push", f"fanout={function.url}", "--service-account", ACCOUNT,
        "--audience", "https://fanout.example", "--oidc-key", str(key), "--oidc-url", "http://issuer.test",
        "--min-backoff", "0.1",
    ]  # fmt: skip
    async with running(*arguments) as (_, port, _), grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        publisher, _ = clients(channel)

        await publisher.publish(topic=f"{PROJECT}/topics/fanout", messages=[{"data": b"work"}])

        _, first = await function.next()
        headers, second = await function.next()
    assert first["message"] == second["message"]
    assert (first["deliveryAttempt"], second["deliveryAttempt"]) == (1, 2)
    assert {"messageId", "message_id", "publishTime", "publish_time", "data"} <= set(first["message"])
    claims = claims_of(headers["authorization"], Issuer(key, "http://issuer.test"))
    assert (claims["email"], claims["email_verified"]) == (ACCOUNT, True)


def claims_of(authorization, issuer):
    (key,) = jwt.PyJWKSet.from_dict(issuer.jwks()).keys
    token = authorization.removeprefix("Bearer ")
    return jwt.decode(token, key, ["RS256"], audience="https://fanout.example", issuer=issuer.url)


@pytest.mark.skipif(not google_is_here() or not shutil.which("setpriv"), reason="no SDK")
async def test_googles_emulator_does_not_outlive_a_killed_parent():
    async with running("--google", "always") as (process, port, _):
        process.kill()
        await process.wait()

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(read_until_closed(port), SECONDS)


async def read_until_closed(port):
    """Raise ConnectionError once nobody listens on the port; the kernel ends what is open when the process dies."""
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.read()
        writer.close()


async def test_without_java_ours_runs_and_says_why(tmp_path):
    async with running("--google", "auto", JAVA_HOME=str(tmp_path)) as (_, _, printed):
        pass

    assert "not Google's emulator: there is no Java" in printed
    assert "our own Pub/Sub" in printed


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield str(listener.getsockname()[1])


def test_a_taken_port_is_told_in_one_line(taken, capsys):
    code = main(["--google", "never", "--port", taken])

    assert code == 2
    assert capsys.readouterr().err == f"pubsub: 127.0.0.1:{taken}: 127.0.0.1:{taken} is taken\n"


@pytest.mark.parametrize(
    "wrong",
    [
        ["--data", "/dev/null/x"],
        ["--data", __file__],
        ["--topic", "no"],
        ["--push", "fanout=http://x/", "--ack-deadline", "5"],
    ],
)
def test_what_cannot_start_says_so_in_one_line(wrong, capsys):
    code = main(["--google", "never", "--port", "0", *wrong])

    assert code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("port", ["99999", "-1", "x"])
def test_a_port_outside_the_range_is_refused(port, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--port", port])

    assert ended.value.code == 2
    assert "is not a port" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["fanout", "=http://x/", "fanout=ftp://x/"])
def test_a_push_needs_a_topic_and_a_url(wrong, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--push", wrong])

    assert ended.value.code == 2
    assert "is not TOPIC=URL" in capsys.readouterr().err
