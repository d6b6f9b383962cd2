"""An instance for the tests: `python app.py FOLDER` listens on $PORT and does what the path says.

/echo           what arrived: method, target, headers, the body's length, this process's number and the connection's
/count          reads a chunked body and answers each chunk with its length as it comes
/hold           answers once FOLDER/let-go is there
/events         an event, and the next once FOLDER/let-go is there
/die            the process ends without an answer
/garbage        answers what is no HTTP
/ignore-term    from now on SIGTERM is noted in FOLDER/terms and changes nothing
"""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1])


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            await answer(head.decode("latin-1"), reader, writer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def answer(head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = [line.split(": ", 1) for line in lines]
    path = target.partition("?")[0]
    if path in STREAMS:
        await STREAMS[path](reader, writer)
        return
    length = await body_length(dict(headers), reader)
    if path == "/die":
        os._exit(3)
    if path == "/garbage":
        writer.write(b"this is no answer\r\n\r\n")
        return
    if path == "/ignore-term":
        signal.signal(signal.SIGTERM, lambda *_: (FOLDER / "terms").open("a").write("x"))
    if path == "/hold":
        await let_go()
    said = {"method": method, "target": target, "headers": headers, "length": length, "pid": os.getpid()}
    said["connection"] = writer.get_extra_info("peername")[1]
    body = json.dumps(said).encode()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n" % len(body))
    if method != "HEAD":
        writer.write(body)


async def body_length(headers: dict[str, str], reader: asyncio.StreamReader) -> int:
    if "transfer-encoding" in headers:
        return sum([len(chunk) async for chunk in chunks(reader)])
    length, announced = 0, int(headers.get("content-length", 0))
    while length < announced:
        length += len(await reader.read(min(announced - length, 2**16)))
    return length


async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    async for chunk in chunks(reader):
        said = b"%d," % len(chunk)
        writer.write(b"%x\r\n%b\r\n" % (len(said), said))
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def chunks(reader: asyncio.StreamReader):
    while size := int(await reader.readuntil(b"\r\n"), 16):
        yield await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)


async def events(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    writer.write(b"9\r\ndata: 1\n\n\r\n")
    await let_go()
    writer.write(b"9\r\ndata: 2\n\n\r\n0\r\n\r\n")


STREAMS = {"/count": count, "/events": events}


async def let_go() -> None:
    while not (FOLDER / "let-go").exists():
        await asyncio.sleep(0.005)


async def main() -> None:
    (FOLDER / "environment.json").write_text(json.dumps(dict(os.environ)))
    server = await asyncio.start_server(serve, "127.0.0.1", int(os.environ["PORT"]))
    if (FOLDER / "no-start").exists():
        sys.exit(7)
    await server.serve_forever()


asyncio.run(main())
