"""The SSRF guard: which addresses a foreign URL may lead to."""

import asyncio
import ipaddress
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.tokens.guard import Guard, Refused, objection, resolve
from authz_sidecar.tokens.urls import parse

PUBLIC = ("93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c")


class Names:
    """A resolver of a test: each look-up gives the next answer."""

    def __init__(self, *answers: Sequence[str] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("0.0.0.0", id="any"),  # noqa: S104 - it must be refused
        pytest.param("0.1.2.3", id="this network"),
        pytest.param("10.1.2.3", id="private 10"),
        pytest.param("100.64.0.1", id="carrier-grade NAT begins"),
        pytest.param("100.127.255.254", id="carrier-grade NAT ends"),
        pytest.param("100.100.100.200", id="metadata of Alibaba"),
        pytest.param("127.0.0.1", id="loopback"),
        pytest.param("127.255.255.254", id="far loopback"),
        pytest.param("168.63.129.16", id="wire server of Azure"),
        pytest.param("169.254.169.254", id="metadata"),
        pytest.param("172.16.0.1", id="private 172 begins"),
        pytest.param("172.31.255.254", id="private 172 ends"),
        pytest.param("192.0.0.8", id="IETF protocols"),
        pytest.param("192.0.0.192", id="metadata of Oracle"),
        pytest.param("192.0.2.1", id="documentation 1"),
        pytest.param("192.88.99.1", id="6to4 relay"),
        pytest.param("192.168.1.1", id="private 192"),
        pytest.param("198.18.0.1", id="benchmarks"),
        pytest.param("198.51.100.1", id="documentation 2"),
        pytest.param("203.0.113.1", id="documentation 3"),
        pytest.param("224.0.0.1", id="multicast"),
        pytest.param("239.255.255.250", id="multicast of a site"),
        pytest.param("240.0.0.1", id="reserved"),
        pytest.param("255.255.255.255", id="broadcast"),
        pytest.param("::", id="any, IPv6"),
        pytest.param("::1", id="loopback, IPv6"),
        pytest.param("::127.0.0.1", id="IPv4-compatible"),
        pytest.param("::ffff:127.0.0.1", id="IPv4-mapped loopback"),
        pytest.param("::ffff:93.184.215.14", id="IPv4-mapped, public"),
        pytest.param("::ffff:0:10.0.0.1", id="IPv4-translated"),
        pytest.param("64:ff9b::a00:1", id="NAT64"),
        pytest.param("64:ff9b:1::a00:1", id="local NAT64"),
        pytest.param("100::1", id="discard"),
        pytest.param("2001::1", id="Teredo"),
        pytest.param("2001:10::1", id="ORCHID"),
        pytest.param("2001:db8::1", id="documentation, IPv6"),
        pytest.param("2002:7f00:1::", id="6to4 of loopback"),
        pytest.param("3fff::1", id="documentation, new"),
        pytest.param("5f00::1", id="segment routing"),
        pytest.param("fc00::1", id="unique local"),
        pytest.param("fd00:ec2::254", id="metadata of AWS, IPv6"),
        pytest.param("fe80::1", id="link-local"),
        pytest.param("fe80::1%eth0", id="link-local with a zone"),
        pytest.param("2606:4700::1%eth0", id="a zone"),
        pytest.param("fec0::1", id="site-local"),
        pytest.param("ff02::1", id="multicast, IPv6"),
        pytest.param("localhost", id="not an address"),
        pytest.param("", id="nothing"),
    ],
)
async def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    assert objection(address)
    with pytest.raises(Refused) as caught:
        await Guard(Names([PUBLIC[0], address])).addresses(parse("https://keys.example/"))
    assert "keys.example" in str(caught.value)


@pytest.mark.parametrize(
    "address", [*PUBLIC, "8.8.8.8", "100.63.255.255", "100.128.0.1", "172.32.0.1", "2001:4860::8888"]
)
async def test_a_public_address_is_accepted(address: str) -> None:
    assert await Guard(Names([address])).addresses(parse("https://keys.example/")) == (address,)


async def test_all_addresses_of_a_name_are_given_and_it_is_looked_up_once() -> None:
    names = Names(PUBLIC, ["127.0.0.1"])
    assert await Guard(names).addresses(parse("https://keys.example:8443/")) == PUBLIC
    assert names.asked == [("keys.example", 8443)]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:10.0.0.1]", "2130706433", "0x7f.1", "127.1", "localhost"]
)
async def test_spellings_of_loopback_are_refused_by_what_the_system_makes_of_them(host: str) -> None:
    with pytest.raises(Refused):
        await Guard(resolve).addresses(parse(f"https://{host}/"))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(OSError("no such host"), "cannot be resolved", id="no such host"),
        pytest.param(UnicodeError("label too long"), "cannot be resolved", id="a label that is too long"),
        pytest.param([], "0 addresses", id="no address"),
        pytest.param(["8.8.8.8"] * 65, "65 addresses", id="more addresses than anybody has"),
    ],
)
async def test_a_name_without_a_sane_answer_is_refused(answer: Sequence[str] | Exception, words: str) -> None:
    with pytest.raises(Refused) as caught:
        await Guard(Names(answer)).addresses(parse("https://keys.example/"))
    assert words in str(caught.value)


async def test_a_slow_resolver_is_not_waited_for() -> None:
    async def never(_: str, __: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return PUBLIC

    with pytest.raises(Refused) as caught:
        await Guard(never, seconds=0.01).addresses(parse("https://keys.example/"))
    assert "in time" in str(caught.value)


async def test_plain_http_is_refused_before_any_look_up() -> None:
    names = Names()
    with pytest.raises(Refused):
        await Guard(names).addresses(parse("http://keys.example/"))
    assert names.asked == []


@given(st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address) | st.integers(0, 2**128 - 1).map(ipaddress.IPv6Address))
def test_what_python_calls_special_is_never_accepted(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if (
        address.is_private
        or address.is_multicast
        or address.is_reserved
        or address.is_loopback
        or address.is_link_local
    ):
        assert objection(str(address))


@given(st.text(max_size=40))
def test_any_text_is_judged(text: str) -> None:
    assert objection(text) is None or objection(text)
