"""Pages made for the tests: an article of any length, and the frame of a news site around it."""

from datetime import UTC, datetime

from shared.pages import Page

URL = "https://daily.example/economy/harbour-bridge"
SENTENCES = [
    "The city council voted on Tuesday to close the harbour bridge for eleven months.",
    "Engineers had found cracks in four of its twelve steel girders in the spring.",
    "Repairs will cost 48 million euros, of which the state pays a little more than half.",
    "Mayor Ines Vidal said that safety left no other choice and asked commuters for patience.",
    "About 32,000 cars cross the bridge on a working day, most of them before nine.",
    "A free ferry will run every ten minutes from six in the morning until midnight.",
    "Shop owners on the northern bank fear for their trade and want to be compensated.",
    "The last closure, in 1998, took twice as long as the builders had announced.",
]
NAVIGATION = "".join(f'<li><a href="/{name}">{name}</a></li>' for name in ("News", "Sport", "Culture", "Shop"))


def prose(words):
    """At least so many words in paragraphs of two sentences, each of them different from the others."""
    paragraphs, count, turn = [], 0, 0
    while count < words:
        pair = [SENTENCES[(turn + step) % len(SENTENCES)] for step in (0, 1)]
        text = f"In part {turn + 1} of our report: {' '.join(pair)}"
        paragraphs.append(f"<p>{text}</p>")
        count += len(text.split())
        turn += 2
    return "\n".join(paragraphs)


def site(body, title="Harbour bridge closes for repairs", head="", lang="en"):
    return (
        f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>{title}</title>{head}</head>'
        f"<body><nav><ul>{NAVIGATION}</ul></nav><main>{body}</main>"
        f"<footer><p>Copyright Daily Example</p></footer></body></html>"
    )


def article(words=300, extra="", **frame):
    heading = "<h1>Harbour bridge closes for repairs</h1>"
    return site(f"<article>{heading}{prose(words)}{extra}</article>", **frame)


def page(html, url=URL, final_url=None, charset="utf-8"):
    body = html if isinstance(html, bytes) else html.encode()
    return Page(
        url=url,
        final_url=final_url or url,
        status=200,
        content_type="text/html",
        charset=charset,
        body=body,
        etag='"v1"',
        last_modified=None,
        fetched_at=datetime(2026, 11, 22, tzinfo=UTC),
    )
