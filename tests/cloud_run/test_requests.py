"""What happens to a request and its answer on the way."""

import asyncio
import json
import re

from standins.cloud_run.services import MAX_BODY_BYTES
from tests.cloud_run.conftest import Front, Running, until

TRACE = "0af7651916cd43dd8448eb211c80319c"


async def received(running: Running, **headers: str) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return dict((await running.http.get("/echo", headers=named)).json()["headers"])


async def test_the_callers_address_is_appended(front: Front):
    async with front() as running:
        headers = await received(running, x_forwarded_for="203.0.113.7")

        assert headers["x-forwarded-for"] == "203.0.113.7,127.0.0.1"
        assert headers["x-forwarded-proto"] == "http"
        assert headers["forwarded"] == 'for="127.0.0.1";proto=http'


async def test_a_trace_goes_on_with_a_new_span(front: Front):
    async with front() as running:
        headers = await received(running, traceparent=f"00-{TRACE}-b7ad6b7169203331-01")

        version, trace, span, flags = headers["traceparent"].split("-")
        assert (version, trace, flags) == ("00", TRACE, "01")
        assert span != "b7ad6b7169203331"
        assert headers["x-cloud-trace-context"] == f"{TRACE}/{int(span, 16)};o=1"


async def test_googles_own_trace_header_goes_on_too(front: Front):
    async with front() as running:
        headers = await received(running, x_cloud_trace_context=f"{TRACE}/12;o=1")

        assert headers["traceparent"].startswith(f"00-{TRACE}-")
        assert headers["traceparent"].endswith("-01")


async def test_a_request_without_a_trace_begins_one_and_few_are_sampled(front: Front):
    async with front() as running:
        traces = [(await received(running, traceparent="nonsense"))["traceparent"] for _ in range(3)]

        assert all(re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]", trace) for trace in traces)
        assert len({trace.split("-")[1] for trace in traces}) == 3
        assert [trace[-2:] for trace in traces] == ["01", "00", "00"]


async def test_headers_of_the_connection_and_of_google_are_removed(front: Front):
    async with front() as running:
        headers = await received(running, x_google_cache="1", te="trailers", proxy_authorization="Basic x", mine="kept")

        assert headers["mine"] == "kept"
        assert not {"x-google-cache", "te", "connection", "proxy-authorization"} & headers.keys()


async def test_every_header_of_the_answer_arrives(front: Front):
    async with front() as running:
        answer = await running.http.get("/echo")

        assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
        assert answer.headers["server"] == "Google Frontend"


async def test_a_body_of_the_most_bytes_arrives_and_one_more_is_refused(front: Front):
    async with front() as running:
        most = await running.http.post("/echo", content=b"x" * MAX_BODY_BYTES)
        more = await running.http.post("/echo", content=b"x" * (MAX_BODY_BYTES + 1))

        assert most.json()["length"] == MAX_BODY_BYTES
        assert more.status_code == 413


async def test_a_chunked_body_is_counted(front: Front):
    async def body(length: int):
        for _ in range(length // 2**16):
            yield b"x" * 2**16
        yield b"x"

    async with front() as running:
        fits = await running.http.post("/echo", content=body(2**20))
        too_long = await running.http.post("/echo", content=body(MAX_BODY_BYTES))

        assert fits.json()["length"] == 2**20 + 1
        assert too_long.status_code == 413


async def test_a_body_and_its_answer_stream_both_ways(front: Front):
    async with front() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(b"POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        heard = []
        for length in (1, 20, 300):
            writer.write(b"%x\r\n%b\r\n" % (length, b"x" * length))
            heard.append(re.search(rb"\d+,", await reader.readuntil(b",\r\n"))[0])
        writer.write(b"0\r\n\r\n")

        assert heard == [b"1,", b"20,", b"300,"]
        assert (await reader.readuntil(b"0\r\n\r\n")) == b"0\r\n\r\n"
        writer.close()


async def test_pipelined_requests_are_answered_in_order(front: Front):
    async with front() as running:
        said = await running.raw(
            b"GET /echo?1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /echo?2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
            b"GET /echo?3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        )

        assert re.findall(rb'"target": "/echo\?(\d)"', said) == [b"1", b"2", b"3"]


async def test_head_has_no_body(front: Front):
    async with front() as running:
        head = await running.http.head("/echo")
        after = await running.http.get("/echo")

        assert int(head.headers["content-length"]) > 0
        assert head.content == b""
        assert after.status_code == 200


async def test_100_continue_is_said_before_the_body(front: Front):
    async with front() as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")

        said = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"abc")
        head = await reader.readuntil(b"\r\n\r\n")

        assert said == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert head.startswith(b"HTTP/1.1 200")
        writer.close()


async def test_a_caller_of_http_1_0_gets_its_answer_without_chunks(front: Front):
    async with front() as running:
        running.let_go()

        said = await running.raw(b"GET /events HTTP/1.0\r\n\r\n")

        head, _, body = said.partition(b"\r\n\r\n")
        assert b"chunked" not in head
        assert body == b"data: 1\n\ndata: 2\n\n"


async def test_what_is_no_http_is_a_400_and_headers_have_a_limit(front: Front):
    async with front() as running:
        nonsense = await running.raw(b"nonsense\r\n\r\n")
        too_long = await running.raw(b"GET / HTTP/1.1\r\nHost: a\r\nLong: " + b"x" * 70_000)

        assert nonsense.startswith(b"HTTP/1.1 400")
        assert too_long.startswith(b"HTTP/1.1 431")


async def test_two_connections_share_an_instance_and_its_connections_are_used_again(front: Front):
    async with front() as running:
        answers = await asyncio.gather(*(running.http.get("/echo") for _ in range(20)))

        assert {answer.json()["pid"] for answer in answers} == {running.instance.pid}
        await until(lambda: running.instance.state == "frozen")
        assert running.front_door.stats()["services"]["service"]["statuses"] == {"200": 20}


async def test_a_body_for_a_service_that_starts_is_kept_until_then(front: Front):
    async with front() as running:
        answer = await running.http.post("/echo", content=json.dumps({"n": "x" * 10_000_000}))

        assert answer.json()["length"] == 10_000_009
