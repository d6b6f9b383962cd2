# ruff: noqa: RUF001 - the alphabets are meant

import encodings.aliases
import gzip
import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.extraction import PAGES, PUBLISHED_F1, mean, samples, score
from functions.article.charset import decode
from functions.article.markup import moment, read_markup
from functions.article.reading import content_hash, read_page
from shared.errors import Outcome, Rejected

from .pages import SENTENCES, article, page

HEAD = """<meta name="author" content="Ana Prieto">
<script type="application/ld+json">{"@graph": [{"@type": "NewsArticle", "headline": "Harbour bridge closes for repairs",
"datePublished": "2026-11-20T08:30:00+01:00"}]}</script>"""


def test_an_article_comes_with_what_the_page_says_about_it():
    read = read_page(page(article(300, head=HEAD, lang="en-GB")))

    assert read.title == "Harbour bridge closes for repairs"
    assert read.author == "Ana Prieto"
    assert read.published_at == datetime(2026, 11, 20, 7, 30, tzinfo=UTC)
    assert read.language == "en"
    assert read.word_count >= 300
    assert SENTENCES[0] in read.text
    assert "Sport" not in read.text


def test_the_hash_is_of_the_words_and_not_of_the_markup():
    plain = read_page(page(article(300)))
    dressed = read_page(page(article(300, head="<style>p{}</style>").replace("<p>", "<p class=x>\n   ")))

    assert plain.content_hash == dressed.content_hash == content_hash(plain.text)
    assert plain.content_hash != read_page(page(article(350))).content_hash
    assert content_hash("cafe\u0301  au\nlait") == content_hash("café au lait")


@pytest.mark.parametrize("lang", ["", "x", "english", "1234"])
def test_a_language_that_is_none_is_left_to_the_model(lang):
    assert read_page(page(article(300, lang=lang))).language is None


@pytest.mark.parametrize("value", [None, "", "0001-01-01", "yesterday", "9999-99-99", 7, ["2026"], "2026-13-01"])
def test_what_is_no_date_is_no_moment(value):
    assert moment(value) is None


@pytest.mark.parametrize(
    "data",
    ["{", "[[[[", "null", "7", '"x"', '{"@type": {"a": 1}}', '{"@graph": {"@graph": 1}}', "[" * 50_000],
)
def test_broken_linked_data_does_not_matter(data):
    head = f'<script type="application/ld+json">{data}</script>'

    assert read_page(page(article(300, head=head))).word_count >= 300


@pytest.mark.parametrize(
    "written", ["&#3;", "&#x1F;", "&#0011", "&#12;", "&#31", "&#xFFFE;", "&#65535;", "\x03", "\uffff"]
)
def test_a_character_that_no_page_may_have_does_not_spoil_an_article(written):
    spoiled = article(300).replace("</h1>", f"</h1><p>It <script>ad()</script>sails{written} in May.</p>")

    read = read_page(page(spoiled))

    assert read.word_count >= 300
    assert "sails in May." in read.text


@pytest.mark.parametrize("written", ["&#9;", "&#10;", "&#x0A;", "&#13;", "&#32;", "&#160;", "&#x20;"])
def test_white_space_that_is_written_as_a_reference_stays(written):
    read = read_page(page(article(300, extra=f"<p>It sails{written}in May.</p>")))

    assert "It sails in May." in read.text.replace("\xa0", " ")


def test_of_paragraphs_within_each_other_the_innermost_counts():
    markup = read_markup("<p><ins>" * 100 + f"<p>{SENTENCES[0]}</p><p>{SENTENCES[1]}</p>")

    assert markup.paragraphs == (SENTENCES[0], SENTENCES[1])


def test_a_link_within_a_link_is_counted_once():
    markup = read_markup("<p>Read on:</p>" + "<a href=x><div>" * 3 + "the ferry" + "</div></a>" * 3)

    assert markup.link_share == pytest.approx(9 / 17)


RUSSIAN = "Мэр города объявил о закрытии моста на одиннадцать месяцев для ремонта. " * 8
FRENCH = "Le maire a annoncé la fermeture du pont de la Liberté, très endommagé, à l’été. " * 8
JAPANESE = "市議会は火曜日、港の橋を十一か月閉鎖することを決めた。費用は四千八百万ユーロとなる。" * 8


@pytest.mark.parametrize(
    ("text", "codec", "header", "meta"),
    [
        (FRENCH, "utf-8", "utf-8", "utf-8"),
        (FRENCH, "utf-8", None, None),
        (FRENCH, "utf-8", "iso-8859-1", "windows-1252"),
        (FRENCH, "utf-8-sig", "iso-8859-1", None),
        (FRENCH, "utf-16", None, None),
        (FRENCH, "cp1252", "iso-8859-1", None),
        (FRENCH, "cp1252", None, "iso-8859-1"),
        (FRENCH, "cp1252", "utf-8", "windows-1252"),
        (FRENCH, "cp1252", "no-such-charset", "rot13"),
        (FRENCH, "cp1252", "idna", "iso-8859-1"),
        (FRENCH, "cp1252", "undefined", "punycode"),
        (RUSSIAN, "cp1251", "windows-1251", None),
        (RUSSIAN, "cp1251", None, "windows-1251"),
        (RUSSIAN, "cp1251", "iso-8859-1", None),
        (RUSSIAN, "koi8-r", "koi8-r", "utf-8"),
        (JAPANESE, "shift_jis", "Shift_JIS", None),
        (JAPANESE, "shift_jis", "iso-8859-1", "x-sjis"),
        (JAPANESE, "euc-jp", None, "EUC-JP"),
    ],
)
def test_text_survives_wrong_and_missing_declarations(text, codec, header, meta):
    declared = f'<meta http-equiv="Content-Type" content="text/html; charset={meta}">' if meta else ""
    body = f"<html><head>{declared}</head><body><p>{text}</p></body></html>".encode(codec)

    assert text.strip() in decode(body, header)


def test_a_few_broken_bytes_do_not_spoil_a_utf8_page():
    body = f"<p>{FRENCH * 20}</p>".encode() + b"\xc3(" + b"<p>end</p>"

    assert FRENCH.strip() in decode(body, "utf-8")


@settings(deadline=None, max_examples=200)
@given(body=st.binary(max_size=300), declared=st.none() | st.text(max_size=12))
def test_any_bytes_become_text(body, declared):
    assert isinstance(decode(body, declared), str)


@pytest.mark.parametrize("declared", sorted({*encodings.aliases.aliases.values(), "idna", "punycode", "undefined"}))
def test_whatever_python_has_a_codec_for_may_be_declared(declared):
    assert isinstance(decode(b"\x51\xf6 \xff.\xff.. \xfe", declared), str)


TAGS = st.sampled_from(
    [
        "<p>", "</p>", "<div>", "</div>", "<table><tr><td>", "</table>", "<a href='x'>", "</a>", "<script>",
        "</script>", "<!--", "-->", "<![CDATA[", "]]>", "<svg>", "<title>", "</title>", "<h1>",
        "<meta charset=x>", "<html lang=''>", "<body>", "<li>", "<template>", "<math>", "<b", "<i/>", "&amp;",
        "&#0;", "&#xD800;", "\0", "<?xml version='1'?>",
    ]
)  # fmt: skip


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(parts=st.lists(TAGS | st.text(max_size=40) | st.sampled_from(SENTENCES), max_size=40))
def test_any_markup_is_read_or_ends_as_an_outcome(parts):
    body = " ".join(parts).encode("utf-8", "surrogatepass")

    try:
        read = read_page(page(body))
    except Outcome as outcome:
        read = outcome

    assert isinstance(read, Outcome) or 0 <= read.extraction_quality <= 1


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 20_000,
        "<p>" * 10_000 + "x",
        "<a href='" + "x" * 1_000_000,
        "<table><tr>" * 3_000,
        "&" * 500_000,
        "<b><i>" * 5_000 + "x",
    ],
)
def test_hostile_markup_ends_as_an_outcome(html):
    with pytest.raises(Outcome):
        read_page(page(html))


def test_a_page_of_nothing_but_markup_is_not_even_tried():
    with pytest.raises(Rejected) as rejected:
        read_page(page("<p>" * 600_000))

    assert rejected.value.reason == "too_large"


def test_a_body_that_is_packed_once_more_is_not_unpacked():
    with pytest.raises(Outcome) as ended:
        read_page(page(gzip.compress(article(300).encode())))

    assert ended.value.reason == "not_html"


@pytest.fixture(scope="module")
def read_samples():
    pages = [(sample, read_page(sample.page())) for sample in samples()]
    if not pages:
        pytest.skip(f"no real pages in {PAGES}")
    return pages


def test_no_real_article_is_turned_away(read_samples):
    assert len(read_samples) == len(json.loads((PAGES / "ground-truth.json").read_text()))


def test_real_pages_are_read_at_least_as_well_as_published(read_samples):
    scores = [score(sample.truth, read.text) for sample, read in read_samples]

    assert mean(scores).f1 >= PUBLISHED_F1


def test_real_articles_have_a_title_and_a_quality(read_samples):
    assert all(read.title for _, read in read_samples)
    assert all(0.3 <= read.extraction_quality <= 1 for _, read in read_samples)


@pytest.mark.parametrize(
    ("text", "precision", "recall"),
    [("a b c d e", 1, 1), ("a b c d e f g h", 0.4, 1), ("a b c d", 1, 0.5), ("x y z w", 0, 0), ("", 0, 0)],
)
def test_the_score_counts_shared_shingles(text, precision, recall):
    scored = score("a b c d e", text)

    assert (scored.precision, scored.recall) == (precision, recall)
