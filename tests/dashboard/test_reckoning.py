"""What the page reckons by itself, asked of its own modules in the browser."""

import pytest

from tests.dashboard.conftest import Open

pytestmark = pytest.mark.asyncio(loop_scope="package")
CALL = """async ([file, name, given]) => {
  const folder = document.querySelector("script[type=module]").src.replace("main.js", "");
  return (await import(folder + file))[name](...given);
}"""


@pytest.fixture
def reckon(open_page: Open):
    """reckon((module, function, arguments), ...): what each returns."""

    async def reckon(*calls):
        async with open_page() as page:
            return [await page.evaluate(CALL, [file, name, given]) for file, name, given in calls]

    return reckon


async def test_numbers_read_as_people_write_them(reckon):
    told = await reckon(
        *(("format.js", "duration", [seconds]) for seconds in (0.25, 3.24, 59.4, 65, 3600, 90_000)),
        *(("format.js", "money", [usd]) for usd in (0, 0.00001, 0.0455, 12.345)),
    )

    assert told[:6] == ["250 ms", "3.2 s", "59 s", "1 min 5 s", "1 h", "1 d 1 h"]
    assert told[6:] == ["$0", "< $0.0001", "$0.0455", "$12.35"]


async def test_only_what_is_whole_is_a_hundred_percent(reckon):
    told = await reckon(
        ("format.js", "percent", [0, 0]), ("format.js", "percent", [999, 1000]), ("format.js", "percent", [7, 7])
    )

    assert told == ["0 %", "99 %", "100 %"]


async def test_an_axis_shows_round_numbers_up_to_the_largest_value(reckon):
    told = await reckon(
        ("plots/scale.js", "ticksTo", [58, 4, True]),
        ("plots/scale.js", "ticksTo", [3, 4, True]),
        ("plots/scale.js", "ticksTo", [0.0455, 2]),
    )

    assert told == [[0, 20, 40, 60], [0, 1, 2, 3], [0, 0.025, 0.05]]


async def test_after_a_refusal_the_page_waits_as_long_as_it_is_told_and_twice_as_long_each_time(reckon):
    failed, refused = {"retryAfter": None}, {"retryAfter": 40}

    told = await reckon(
        *(("poll.js", "pauseAfter", [failed, failures, 3, 0.5]) for failures in (1, 2, 3, 20)),
        ("poll.js", "pauseAfter", [refused, 1, 3, 0.5]),
    )

    assert told == [3, 6, 12, 60, 40]


async def test_the_last_requests_of_a_minute_are_left_to_the_person(reckon):
    told = await reckon(
        ("poll.js", "pauseOf", [3, None]), ("poll.js", "pauseOf", [3, 50]), ("poll.js", "pauseOf", [3, 5])
    )

    assert told == [3, 3, 12]


async def test_lines_become_items(reckon):
    text = '# mine\nhttps://a.test/x\n\n {"url": "https://a.test/y", "custom_id": "y"}\n'

    articles, posters = await reckon(
        ("views/submit.js", "itemsOf", [text, "article"]),
        ("views/submit.js", "itemsOf", ["https://a.test/p/tin.jpg?w=2", "poster"]),
    )

    assert articles == [{"url": "https://a.test/x"}, {"url": "https://a.test/y", "custom_id": "y"}]
    assert posters == [{"content_id": "a.test/p/tin.jpg?w=2", "url": "https://a.test/p/tin.jpg?w=2"}]


async def test_posters_whose_files_have_one_name_stay_apart(reckon):
    urls = [
        "https://a.test/tin/poster.jpg",
        "https://b.test/gold/poster.jpg",
        "https://b.test/show?id=1",
        "https://b.test/show?id=2",
    ]

    [posters] = await reckon(("views/submit.js", "itemsOf", ["\n".join(urls), "poster"]))

    assert len({poster["content_id"] for poster in posters}) == len(urls)


async def test_a_poster_is_called_what_the_api_can_be_asked_for(reckon):
    long = "https://a.test/" + "x" * 300 + "/tin.jpg"

    [posters] = await reckon(("views/submit.js", "itemsOf", [f"https://a.test//./p/../tin/#top\n{long}", "poster"]))

    names = [poster["content_id"] for poster in posters]
    assert names[0] == "a.test/p/tin"
    assert len(names[1]) == 200
    assert names[1].endswith("/tin.jpg")
