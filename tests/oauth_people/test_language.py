"""Everything is said in the reader's language, and each language says everything."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.oauth.people.language import CATALOGS, FALLBACK, NAMES, Words, chosen
from authz_sidecar.oauth.people.pages import initial, plain
from tests.oauth_people.house import Browser

TAGS = re.compile(r"<[^>]+>|\{\w+\}")


def test_every_language_says_everything_with_the_same_fields_and_marks() -> None:
    for language, catalog in CATALOGS.items():
        assert catalog.keys() == CATALOGS[FALLBACK].keys(), language
        for key, words in catalog.items():
            assert sorted(TAGS.findall(words)) == sorted(TAGS.findall(CATALOGS[FALLBACK][key])), (language, key)
            assert words.strip() == words
            assert words


def test_korean_is_korean() -> None:
    for key, words in CATALOGS["ko"].items():
        assert key == "page.language" or re.search("[가-힣]", words), key


@pytest.mark.parametrize(
    ("given", "language"),
    [
        pytest.param({}, "en", id="nothing is known"),
        pytest.param({"accepted": "ko-KR,ko;q=0.9,en;q=0.8"}, "ko", id="the browser's"),
        pytest.param({"accepted": "fr, en;q=0.2, ko;q=0.7"}, "ko", id="the dearest that there is"),
        pytest.param({"accepted": "ko;q=0, fr"}, "en", id="one that is not wanted"),
        pytest.param({"accepted": "ko;q=x, ,;;, en"}, "en", id="nonsense"),
        pytest.param({"accepted": "ko;q=nan"}, "en", id="no number"),
        pytest.param({"wished": ("de", "ko"), "accepted": "en"}, "ko", id="the client's wish before the browser's"),
        pytest.param({"remembered": "en", "wished": ("ko",)}, "en", id="what was clicked before that"),
        pytest.param({"asked": "ko", "remembered": "en"}, "ko", id="what is clicked now before all"),
        pytest.param({"asked": "xx", "remembered": "ko"}, "ko", id="a language that there is not"),
        pytest.param({"asked": "../../etc", "accepted": "KO"}, "ko", id="a path"),
    ],
)
def test_the_language_is_chosen(given: dict[str, str], language: str) -> None:
    assert chosen(**given).language == language  # type: ignore[arg-type]


@given(st.text())
def test_any_header_gives_a_language(header: str) -> None:
    assert chosen(accepted=header).language in NAMES


@given(st.text())
def test_whatever_is_filled_in_is_escaped(text: str) -> None:
    said = str(Words("en")("consent.signed_in", person=text))
    inner = said.removeprefix("Signed in as <strong><bdi>").removesuffix("</bdi></strong>")
    assert "<" not in inner
    assert '"' not in inner


@given(st.text())
def test_a_name_is_short_and_turns_no_letters(text: str) -> None:
    shown = plain(text)
    assert len(shown) <= 80
    assert shown.isprintable()
    assert len(initial(shown)) >= 1


async def test_a_click_changes_the_language_and_is_remembered(browser: Browser) -> None:
    page = await browser.get("/login")
    assert '<html lang="en">' in page.text
    page = await browser.get("/login?lang=ko")
    assert '<html lang="ko">' in page.text
    assert '<html lang="ko">' in (await browser.get("/login")).text
    assert "비밀번호" in page.text
    assert '<html lang="en">' in (await browser.get("/login?lang=en")).text


async def test_a_request_is_not_lost_when_the_language_changes(browser: Browser) -> None:
    page = await browser.ask()
    link = re.search(r'href="(/authorize[^"]+lang=ko)"', page.text)
    assert link
    korean = await browser.http.get(link[1].replace("&amp;", "&"))
    assert "로그인" in korean.text
    assert "허용할까요" in (await browser.log_in(korean)).text


async def test_scopes_are_described_in_the_language_of_the_reader(browser: Browser) -> None:
    page = await browser.log_in(await browser.ask(scope="tickets:read stock:read", ui_locales="ko en"))
    assert "티켓 읽기" in (await browser.ask(ui_locales="ko", scope="tickets:read stock:read")).text
    assert "stock:read" in page.text


def test_a_time_is_spelled_as_people_write_it() -> None:
    assert Words("en").moment(1_800_000_000) == "15 Jan 2027, 08:00 UTC"
    assert Words("ko").moment(1_800_000_000) == "2027년 1월 15일 08:00 UTC"
