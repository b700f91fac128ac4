"""A person is asked what a client wants, and their answer goes to the client."""

from tests.oauth_people.house import Browser, gone, told


async def test_who_logs_in_and_allows_sends_a_code_to_the_client(browser: Browser) -> None:
    login = await browser.ask()
    assert login.status_code == 200
    assert "Team Assistant" in login.text
    consent = await browser.log_in(login)
    for word in ("Team Assistant", "Ops assistant", "app.example", "Read tickets", "tickets:read", "Alice Kim"):
        assert word in consent.text
    answer = gone(await browser.allow(consent))
    assert answer.startswith("https://app.example/back?")
    assert told(answer).keys() == {"code", "state", "iss"}
    assert told(answer)["state"] == "xyz"


async def test_the_second_time_is_silent(browser: Browser) -> None:
    await browser.allow(await browser.log_in(await browser.ask()))
    answer = await browser.ask()
    assert answer.status_code == 303
    assert "code" in told(gone(answer))
