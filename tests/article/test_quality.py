# ruff: noqa: RUF001 - the alphabets are meant

import json

import pytest

from functions.article.quality import count_words, prose_share
from functions.article.reading import read_page
from shared.errors import Skipped

from .pages import URL, article, page, prose, site

NOT_FREE = json.dumps({"@type": ["NewsArticle"], "isAccessibleForFree": "False", "wordCount": 900})
NEWS = '<meta property="og:type" content="article">'


def linked(data):
    return f'<script type="application/ld+json">{data}</script>'


def reason(html, **where):
    with pytest.raises(Skipped) as skipped:
        read_page(page(html, **where))
    assert skipped.value.detail
    return skipped.value.reason


@pytest.mark.parametrize(
    "phrase",
    [
        "Subscribe to continue reading.",
        "Create a free account to read this article.",
        "This article is for subscribers only",
        "You’ve reached your limit of free articles.",
        "Dieser Artikel ist exklusiv für Abonnenten. Jetzt abonnieren und weiterlesen",
        "Cet article est réservé aux abonnés.",
        "Suscríbete para seguir leyendo",
        "Abbonati per continuare a leggere",
        "Conteúdo exclusivo para assinantes",
        "Dit artikel is alleen voor abonnees",
        "Доступно только по подписке",
        "この記事は会員限定記事です",
    ],
)
def test_a_teaser_before_a_wall_is_a_paywall(phrase):
    assert reason(article(70, f"<div class='wall'><p>{phrase}</p></div>", head=NEWS)) == "paywall"


@pytest.mark.parametrize("words", [60, 200, 400])
def test_an_article_that_says_it_is_not_free_and_shows_a_part_is_a_paywall(words):
    assert reason(article(words, head=linked(NOT_FREE))) == "paywall"


def test_an_article_that_says_it_is_not_free_and_shows_all_is_read():
    assert read_page(page(article(900, head=linked(NOT_FREE)))).word_count >= 850


def test_a_long_article_may_ask_for_subscribers():
    assert read_page(page(article(400, "<p>Subscribe to continue reading our best stories daily.</p>")))


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Just a moment...", "Checking your browser before accessing daily.example."),
        ("Attention Required! | Cloudflare", "Please complete the security check."),
        ("Access to this page has been denied", "Press & Hold to confirm you are a human."),
        ("Are you a robot?", "Please verify."),
        ("Einen Moment, bitte…", "Bestätigen Sie, dass Sie ein Mensch sind."),
        ("Un instant…", "Vérifiez que vous êtes humain."),
        ("Un momento…", "Verifica que eres humano."),
        ("daily.example", "Enable JavaScript and cookies to continue"),
        ("daily.example", "<script src='https://geo.captcha-delivery.com/captcha/'></script>"),
    ],
)
def test_a_test_for_humans_is_a_captcha(title, text):
    assert reason(site(f"<p>{text}</p>", title=title)) == "captcha"


def test_an_article_about_robots_is_read():
    assert read_page(page(article(300, title="Are you a robot? How websites find out")))


@pytest.mark.parametrize(
    "text",
    [
        "We value your privacy. We and our 847 partners store cookies with your consent.",
        "Wir nutzen Cookies. Ihre Einwilligung und Datenschutz: unsere Partner. Zustimmen",
        "Nous utilisons des cookies. Votre consentement, la confidentialité et nos partenaires.",
        "Usamos cookies. Su consentimiento y su privacidad, con nuestros socios.",
    ],
)
def test_a_consent_dialog_alone_is_a_consent_wall(text):
    assert reason(site(f"<div id='sp_message_1'><p>{text}</p><button>OK</button></div>")) == "consent_wall"


def test_a_long_consent_dialog_is_a_consent_wall():
    terms = "".join(
        f"<p>Purpose {number}: with your consent our partners use cookies to measure things, as our privacy "
        "policy says in more detail than anybody reads on the way to the news.</p>"
        for number in range(12)
    )

    assert reason(site(f"<div class='didomi-popup'>{terms}</div>")) == "consent_wall"


@pytest.mark.parametrize("where", ["https://consent.daily.example/v2?x=1", "https://daily.example/consent/?to=%2F"])
def test_a_redirect_to_a_consent_page_is_a_consent_wall(where):
    assert reason(site("<p>Before you go on.</p>"), final_url=where) == "consent_wall"


def test_an_article_with_a_consent_banner_is_read():
    banner = "<div id='onetrust-banner'><p>We and our partners use cookies, with your consent. Privacy.</p></div>"

    assert read_page(page(article(130, banner)))


def test_an_article_about_consent_is_read():
    assert read_page(page(article(300), url="https://daily.example/2026/consent-bill-passes"))


@pytest.mark.parametrize(
    "title", ["404", "Page not found - Daily", "Seite nicht gefunden", "Page introuvable", "Página no encontrada"]
)
def test_an_error_page_that_says_200_is_gone(title):
    assert reason(site("<p>Sorry. Try our search.</p>", title=title)) == "gone"


def test_a_story_that_redirects_to_the_front_page_is_gone():
    assert reason(article(400), final_url="https://daily.example/") == "gone"


def test_an_article_about_a_404_is_read():
    assert read_page(page(article(300, title="Page not found: the story of an error")))


def fronts(headlines):
    return "".join(
        f'<div class="teaser"><h3><a href="/story-{number}">Headline number {number} about a matter of the day</a></h3>'
        f"<p>Short teaser number {number}</p></div>"
        for number in range(headlines)
    )


@pytest.mark.parametrize("headlines", [15, 60, 200])
def test_a_section_front_is_a_list_page(headlines):
    assert reason(site(fronts(headlines), title="Economy")) in {"list_page", "no_content"}


def test_a_long_section_front_is_a_list_page():
    assert reason(site(fronts(60), title="Economy")) == "list_page"


def test_an_article_among_many_links_is_read():
    assert read_page(page(article(200, head=NEWS).replace("<footer>", f"<aside>{fronts(80)}</aside><footer>")))


@pytest.mark.parametrize("html", ["<p></p>", "<html></html>", site(""), site("<p>Hello.</p>"), "just text"])
def test_a_page_with_next_to_nothing_has_no_content(html):
    assert reason(html) == "no_content"


def test_a_news_brief_is_read_where_the_page_says_it_is_an_article():
    assert 50 <= read_page(page(article(70, head=NEWS))).word_count < 120


@pytest.mark.parametrize("body", [b"", b"   ", b"<!-- -->"])
def test_an_empty_page_has_no_content(body):
    assert reason(body) == "no_content"


@pytest.mark.parametrize("body", [b"%PDF-1.7 ...", b"\x89PNG\r\n", b"PK\x03\x04", b"\x1f\x8b\x08", b"<p>\0\0\0"])
def test_a_file_that_only_claims_to_be_html_is_not(body):
    assert reason(body) == "not_html"


def test_quality_falls_with_prose_with_length_and_with_what_was_lost():
    whole = read_page(page(article(400))).extraction_quality
    brief = read_page(page(article(70, head=NEWS))).extraction_quality
    ragged = read_page(page(article(130, "<ul>" + "<li>a list of scores 3:2</li>" * 60 + "</ul>"))).extraction_quality

    assert 0.9 < whole <= 1
    assert brief < whole
    assert ragged < whole


@pytest.mark.parametrize(
    ("text", "words"),
    [("", 0), ("Don't stop-and-go, 3 times.", 4), ("東京都の橋は閉鎖", 4), ("서울시 다리 폐쇄", 3), ("- – …", 0)],
)
def test_words_are_counted_in_scripts_with_and_without_spaces(text, words):
    assert count_words(text) == words


def test_prose_is_what_ends_as_sentences_do():
    assert prose_share("Headline without a stop\nAnother one of these") == 0
    assert prose_share("This line is long enough and it ends with a full stop.") == 1


def test_the_reason_names_the_host():
    with pytest.raises(Skipped) as skipped:
        read_page(page(site(""), url=URL))

    assert "daily.example" in skipped.value.detail


def test_the_reason_says_where_a_page_is_filled_by_its_scripts():
    with pytest.raises(Skipped) as skipped:
        read_page(page(site(""), url="http://daily.example/#!/story/2"))

    assert "scripts (#!), which are not run" in skipped.value.detail


def test_the_tests_own_articles_are_as_long_as_they_say():
    assert 300 <= len(prose(300).split()) < 350
