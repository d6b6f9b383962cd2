"""One trace goes with an item from the request that brought it to the call that kept its row."""

import asyncio
import base64
import json
import subprocess
import sys
from hashlib import sha256

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from shared.spans import Recorder, exporter_of
from shared.tracing import checked, passed_on
from tests.engine.here import settings_of
from tests.engine.project import ROOT
from tests.engine.running import free_port, served

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
ERROR = 2


class Collector:
    """Takes traces over OTLP/HTTP, as a real one does."""

    def __init__(self):
        self.spans = []
        self.app = Starlette(routes=[Route("/v1/traces", self._take, methods=["POST"])])

    async def _take(self, request):
        sent = ExportTraceServiceRequest.FromString(await request.body())
        for resource in sent.resource_spans:
            (service,) = [one.value.string_value for one in resource.resource.attributes if one.key == "service.name"]
            self.spans += [(service, span) for scope in resource.scope_spans for span in scope.spans]
        return Response(b"", media_type="application/x-protobuf")

    def of(self, trace=TRACE):
        """{name of the span: (service, span)} of one trace."""
        return {span.name: (service, span) for service, span in self.spans if span.trace_id.hex() == trace}


@pytest.fixture(scope="module")
def open_collector():
    collector = Collector()
    with served(collector.app) as url:
        yield collector, url


@pytest.fixture
def collector(open_collector):
    open_collector[0].spans.clear()
    return open_collector[0]


@pytest.fixture
def traced(deployer, open_collector, collector, database, queue, topic):
    """traced("probe"): an instance that exports its spans to the collector."""
    return lambda name: deployer.another(name, f"{name}-traced", OTEL_EXPORTER_OTLP_ENDPOINT=open_collector[1])


def attributes(span):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_one_trace_connects_the_request_the_fan_out_and_the_task(traced, collector, topic, queue, database):
    database.execute(
        "insert into api_keys (name, key_hash, tier) values ('test', %s, 'internal')", [sha256(b"pw_mine").hexdigest()]
    )
    api, fanout, probe = traced("api"), traced("fanout"), traced("probe")

    headers = {"Authorization": "Bearer pw_mine", "traceparent": TRACEPARENT}
    batch = {"function": "probe", "items": [{"do": "ask"}]}
    assert api.client.post(f"{api.url}/v3/batches", headers=headers, json=batch).status_code == 202
    (message,) = topic.received()
    data = base64.b64encode(message.data).decode()
    push = {"message": {"messageId": "1", "data": data, "attributes": dict(message.attributes)}}
    assert fanout.post(push, token=fanout.token("pubsub")).status_code == 200
    (task,) = queue.waiting()
    assert probe.deliver(task.item_id, headers={"traceparent": task.headers["traceparent"]}).text == "done"

    found = collector.of()
    way = ["POST /v3/batches", "publish", "fan out", "item probe"]
    above = CALLER
    for name in way:
        assert found[name][1].parent_span_id.hex() == above, name
        above = found[name][1].span_id.hex()
    assert {found[name][1].parent_span_id.hex() for name in ("claim", "ask", "keep")} == {above}
    assert [found[name][0] for name in way] == ["api", "api", "fanout", "probe"]


def test_spans_say_what_became_of_the_item_and_what_it_cost(traced, collector, enlist):
    item = enlist(do="ask")

    traced("probe").deliver(item, headers={"traceparent": TRACEPARENT})

    told = {name: attributes(span) for name, (_, span) in collector.of().items()}
    assert told["item probe"]["item_id"] == str(item)
    assert (told["item probe"]["outcome"], told["keep"]["state"], told["claim"]["decision"]) == ("done", "done", "run")
    assert told["ask"]["gen_ai.usage.input_tokens"] == told["item probe"]["tokens_in"] > 0
    assert told["ask"]["gen_ai.request.model"]


@pytest.mark.parametrize(("do", "is_error"), [("fail", True), ("skip", False), ("reject", False), ("defer", False)])
def test_only_what_failed_is_an_error(traced, collector, enlist, do, is_error):
    traced("probe").deliver(enlist(do=do), headers={"traceparent": TRACEPARENT})

    assert (collector.of()["item probe"][1].status.code == ERROR) == is_error


def test_an_item_that_waits_takes_its_trace_along(traced, collector, enlist, queue):
    traced("probe").deliver(enlist(do="defer"), headers={"traceparent": TRACEPARENT})

    (task,) = queue.waiting()
    assert task.headers["traceparent"] == f"00-{TRACE}-{collector.of()['item probe'][1].span_id.hex()}-01"


def test_what_was_sampled_out_is_not_recorded_and_its_id_travels_all_the_same(traced, collector, enlist, queue):
    traced("probe").deliver(enlist(do="defer"), headers={"traceparent": f"00-{TRACE}-{CALLER}-00"})

    (task,) = queue.waiting()
    assert collector.spans == []
    assert (task.headers["traceparent"][:35], task.headers["traceparent"][-2:]) == (f"00-{TRACE}", "00")


def test_a_collector_that_is_down_costs_no_item(deployer, database, queue, enlist):
    endpoint = f"http://127.0.0.1:{free_port()}"
    probe = deployer.another("probe", "probe-untraced", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)

    answers = [probe.deliver(enlist(do="done", n=number)).text for number in range(3)]

    assert answers == ["done"] * 3
    assert [line["message"] for line in probe.lines()].count("spans_lost") == 1


def test_without_an_exporter_the_sdk_is_not_loaded():
    code = """
import asyncio, sys
import functions.api.app, functions.api.main, functions.article.main, functions.fanout.main
from shared import tracing
from shared.settings import Settings
import google.cloud.tasks_v2, google.pubsub_v1

async def main():
    given = {"supabase_url": "http://x", "supabase_secret_key": "k", "project_id": "p", "tasks_service_account": "t"}
    settings = Settings(**given, function_urls={})
    async with tracing.request("item", settings, "probe", parent=None) as span:
        with tracing.span("claim"):
            assert tracing.current().split("-")[1] == span.trace_id
asyncio.run(main())
heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "shared.spans", "redis")
print([name for name in sys.modules if name.startswith(heavy)])
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env={})

    assert ran.stdout.strip() == "[]"


def test_the_console_gets_a_line_a_span(environment, capsys):
    recorder = Recorder(exporter_of(settings_of(environment, trace_exporter="console")), "probe")

    async def record():
        recorder.start("claim", "internal", TRACEPARENT, {"decision": "run"}).end()
        await recorder.flush()

    asyncio.run(record())

    (line,) = capsys.readouterr().out.splitlines()
    assert (json.loads(line)["name"], json.loads(line)["attributes"]) == ("claim", {"decision": "run"})


class Exporter(SpanExporter):
    """Counts exports; `well` or not."""

    def __init__(self):
        self.exports, self.well = [], True

    def export(self, spans):
        self.exports.append(len(spans))
        if not self.well:
            raise OSError("gone")
        return SpanExportResult.SUCCESS


async def test_requests_that_end_together_share_their_exports():
    exporter = Exporter()
    recorder = Recorder(exporter, "probe")

    async def work():
        recorder.start("item", "server", None, {}).end()
        await recorder.flush()

    await asyncio.gather(*(work() for _ in range(30)))

    assert sum(exporter.exports) == 30
    assert len(exporter.exports) <= 2


async def test_a_collector_that_fails_is_left_alone_for_a_while(monkeypatch):
    now, exporter = [100.0], Exporter()
    monkeypatch.setattr("shared.spans.time.monotonic", lambda: now[0])
    recorder, exporter.well = Recorder(exporter, "probe"), False

    for seconds, exports in ((0, 1), (1, 1), (30, 2)):
        now[0] += seconds
        recorder.start("item", "server", None, {}).end()
        await recorder.flush()
        assert len(exporter.exports) == exports


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{CALLER}",
        f"00-{'0' * 32}-{CALLER}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{CALLER}-01",
    ],
)
def test_what_is_no_traceparent_begins_a_new_trace(given):
    assert checked(given) is None
    assert checked(passed_on(checked(given)))


def test_a_traceparent_is_passed_on_with_a_new_span_and_its_flags():
    version, trace, span, flags = passed_on(f"00-{TRACE}-{CALLER}-00").split("-")

    assert (version, trace, flags) == ("00", TRACE, "00")
    assert span != CALLER
