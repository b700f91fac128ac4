"""URLs of providers: what is read, in one spelling, and what is refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.tokens.urls import parse, written


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        pytest.param("https://idp.example/keys", "https://idp.example/keys", id="plain"),
        pytest.param("https://IDP.Example", "https://idp.example/", id="without a path, host in capitals"),
        pytest.param("https://idp.example:443/a?b=c&d=%20", "https://idp.example/a?b=c&d=%20", id="the usual port"),
        pytest.param("https://idp.example:8443/", "https://idp.example:8443/", id="another port"),
        pytest.param("https://[2001:DB8:0::1]:99/a", "https://[2001:db8::1]:99/a", id="IPv6"),
        pytest.param("http://127.0.0.1:80/", "http://127.0.0.1/", id="http"),
        pytest.param(
            "https://idp.example/realms/a,b/'c'(d)", "https://idp.example/realms/a,b/'c'(d)", id="odd but fine"
        ),
    ],
)
def test_a_plain_url_has_one_spelling(text: str, spelled: str) -> None:
    assert str(parse(text)) == spelled
    assert str(parse(spelled)) == spelled


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("idp.example/keys", id="no scheme"),
        pytest.param("HTTPS://idp.example", id="scheme in capitals"),
        pytest.param("ftp://idp.example/", id="another scheme"),
        pytest.param("https://user@idp.example/", id="a user"),
        pytest.param("https://user:pw@idp.example/", id="a user with a password"),
        pytest.param("https://idp.example\\@evil.example/", id="a backslash"),
        pytest.param("https://idp.example/#x", id="a fragment"),
        pytest.param("https://idp.example/a b", id="a space"),
        pytest.param("https://idp.example/\r\nHost: evil", id="a line end"),
        pytest.param("https://idp.example/\n", id="a line end at the end"),
        pytest.param("https://idp.exämple/", id="a host that is not ASCII"),
        pytest.param("https://idp.example:0/", id="port 0"),
        pytest.param("https://idp.example:65536/", id="a port beyond all"),
        pytest.param("https://idp.example:/", id="an empty port"),
        pytest.param("https:///keys", id="no host"),
        pytest.param("https://[::1/", id="half a bracket"),
        pytest.param("https://[1.2.3.4]/", id="IPv4 in brackets"),
        pytest.param("https://[::1%25eth0]/", id="a zone"),
        pytest.param("https://-idp.example/", id="a host that looks like an option"),
        pytest.param("https://idp.example/" + "a" * 2_100, id="too long"),
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert str(caught.value)[:3] in ("is ", "has")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "localhost", "LOCALHOST", "[::1]"])
def test_the_operator_may_write_http_on_loopback(host: str) -> None:
    assert written(f"http://{host}:8080/keys").origin.loopback


@pytest.mark.parametrize(
    "host", ["idp.internal", "10.0.0.1", "128.0.0.1", "localhost.example", "[::2]", "127.0.0.1.example"]
)
def test_the_operator_may_not_write_http_elsewhere(host: str) -> None:
    with pytest.raises(ValueError) as caught:
        written(f"http://{host}/keys")
    assert "https" in str(caught.value)
    assert written(f"https://{host}/keys")


@given(st.text(max_size=60) | st.builds("https://{}".format, st.text(max_size=60)))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert parse(str(parse(text))) == parse(text)
