"""What a configuration may say, and how every mistake in it is told."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_adapter.gateway.config import Gateway
from mcp_adapter.gateway.configfile import ConfigError, load
from mcp_adapter.gateway.front import Front
from mcp_adapter.gateway.hosts import hosts, origins
from mcp_adapter.gateway.resource import documents, metadata_url

LEAST = """\
public_url = "https://mcp.example"

[[servers]]
name = "ops"
path = "/ops/mcp"
url = "http://127.0.0.1:8000/mcp"
"""


def loaded(tmp_path: Path, text: str) -> Gateway:
    file = tmp_path / "gateway.toml"
    file.write_text(text)
    return load(file)


def test_three_lines_for_a_server_are_enough(tmp_path):
    config = loaded(tmp_path, LEAST)
    assert config.listen.bind == "127.0.0.1:8080"
    assert config.servers[0].max_body_bytes == 1_048_576
    assert config.identity.header


def test_every_mistake_is_said_at_once_with_its_line(tmp_path):
    text = LEAST + '[servers.limits]\nper_tol = ["1/minute"]\n[lissen]\nbind = "x"\n[status]\nbind = "0.0.0.0:1"\n'
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, text.replace('name = "ops"', 'name = "o p"'))
    file = tmp_path / "gateway.toml"
    assert str(error.value).split("\n") == [
        f"{file}:4: `servers[0].name`: `o p` is not a name: letters, digits, `.`, `_` and `-`, at most 128",
        f"{file}:8: unknown key `servers[0].limits.per_tol`; did you mean `per_tool`?",
        f"{file}:9: unknown key `lissen`; did you mean `listen`?",
        f"{file}:12: `status.bind`: `0.0.0.0:1` is not a loopback address with a port, for example `127.0.0.1:9465`",
    ]


WRONG = [
    pytest.param("[listen]\nbind = '0.0.0.0:8080'", "so tokens need TLS", id="the network without TLS"),
    pytest.param("[listen]\nbind = 'nowhere'", "is not an address with a port", id="no port"),
    pytest.param("[listen]\ntls_cert_file = 'a'", "TLS needs both", id="a certificate without a key"),
    pytest.param("[listen]\nclient_ca_file = 'a'", "`client_ca_file` needs", id="an authority without TLS"),
    pytest.param("[identity]\nseconds = 31", "less than or equal to 30", id="an identity for too long"),
    pytest.param("[counting]\nwhen_unavailable = 'maybe'", "'deny' or 'allow'", id="a word that is none"),
    pytest.param("[[identity]]\nseconds = 3", "`identity`: stands once, write `[identity]`", id="two brackets"),
    pytest.param("[identity]\nseconds = '3'", "a whole number, without quotes", id="text for a number"),
    pytest.param("[identity]\nplain_user_id = 1", "expected `true` or `false`", id="a number for a truth"),
    pytest.param("[status]\nbind = 1", "expected a text in quotes", id="a number for a text"),
    pytest.param("[listen.bind]\nx = 1", "expected a text in quotes", id="a table for a text"),
    pytest.param("scopes_hint = 'a'", "expected a list, for example", id="a text for a list"),
    pytest.param("[zzz]", "unknown key `zzz`; known here: public_url, ", id="a section like no other"),
    pytest.param("[[servers]]", "`servers[1].name` is missing", id="a server without a name"),
    pytest.param(LEAST.partition("\n")[2], "two servers have the name `ops`", id="a server twice"),
]


@pytest.mark.parametrize(("more", "said"), WRONG)
def test_what_cannot_be_meant_is_refused(tmp_path, more, said):
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, f"{LEAST}{more}\n")
    assert said in str(error.value)


CHANGED = [
    pytest.param("public_url", "https://mcp.example/x", "has a path or a query", id="a public URL with a path"),
    pytest.param("public_url", "https://mcp.example:x", "is not a URL", id="a port that is none"),
    pytest.param("public_url", "ftp://mcp.example", "is not an `http` or `https` URL", id="another scheme"),
    pytest.param("url", "http://user:x@127.0.0.1/", "without user", id="a password in a URL"),
    pytest.param("path", "mcp", "is not a plain path", id="a path without a slash"),
    pytest.param("path", "/a/../mcp", "is not a plain path", id="a path with dots"),
    pytest.param("path", "/mcp/", "is not a plain path", id="a path with a slash at its end"),
    pytest.param("path", "/.well-known/x", "is not a plain path", id="a path that is taken"),
]


@pytest.mark.parametrize(("key", "value", "said"), CHANGED)
def test_a_value_that_cannot_be_meant_is_refused(tmp_path, key, value, said):
    lines = [f'{key} = "{value}"' if line.startswith(f"{key} =") else line for line in LEAST.split("\n")]
    with pytest.raises(ConfigError, match=f"`{key}`|`servers\\[0\\].{key}`") as error:
        loaded(tmp_path, "\n".join(lines))
    assert said in str(error.value)


SERVERS = [
    pytest.param("cert_file = 'a'", "needs both `cert_file` and `key_file`", id="a certificate without a key"),
    pytest.param("ca_file = 'a'", "need an `https` URL", id="an authority for a plain URL"),
    pytest.param("url2 = ''", "did you mean `url`?", id="a key that is none"),
    pytest.param("credential_header = 'Host'", "cannot be the header of a credential", id="a header that is taken"),
    pytest.param("credential_header = 'a b'", "cannot be the header of a credential", id="a header that is none"),
    pytest.param("health = { probe_url = 'x' }", "is not an `http` or `https` URL", id="a probe that is no URL"),
    pytest.param("limits = { per_tool = ['1/week'] }", "is not a rate", id="a rate that is none"),
    pytest.param("limits = { tools = { a = ['x'] } }", "is not a rate", id="a tool's rate that is none"),
    pytest.param("limits = { tools = 1 }", "expected a table", id="tools that are no table"),
    pytest.param("answer_timeout_seconds = 0", "greater than 0", id="no time at all"),
]


@pytest.mark.parametrize(("line", "said"), SERVERS)
def test_a_server_that_cannot_be_meant_is_refused(tmp_path, line, said):
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, f"{LEAST}{line}\n")
    assert said in str(error.value)


def test_a_credential_does_not_go_over_the_network_in_the_clear(tmp_path):
    text = LEAST.replace("http://127.0.0.1:8000", "http://server.example") + 'credential_file = "secret"\n'
    with pytest.raises(ConfigError, match="in the clear"):
        loaded(tmp_path, text)
    assert loaded(tmp_path, text.replace("http://server", "https://server")).servers[0].credential_file == "secret"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param(b"a = 1\nb = ?", "gateway.toml:2:5: not valid TOML: ", id="a sign that means nothing"),
        pytest.param(b"a = [", "gateway.toml: not valid TOML: ", id="half a list"),
        pytest.param(b"a = 1\na = 2", "not valid TOML", id="a key twice"),
        pytest.param(b"\n\xff", "gateway.toml:2: not UTF-8", id="other bytes"),
        pytest.param(b"a = " + b"[" * 5000, "not valid TOML", id="nested too deep"),
        pytest.param(b"#" * 1_048_577, "surely not a configuration", id="too large"),
        pytest.param(b"a = " + b"1" * 5000, "not valid TOML", id="too large a number"),
    ],
)
def test_bytes_that_are_no_configuration_are_told(tmp_path, data, said):
    (tmp_path / "gateway.toml").write_bytes(data)
    with pytest.raises(ConfigError) as error:
        load(tmp_path / "gateway.toml")
    assert said in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"gateway.toml: no such file or directory"):
        load(tmp_path / "gateway.toml")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("fuzz") / "gateway.toml"
    file.write_bytes(data)
    with pytest.raises(ConfigError):
        load(file)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param("[sidecar]\ntarget = 'nowhere'", "neither `unix:PATH` nor `HOST:PORT`", id="no sidecar"),
        pytest.param("[counting]\nredis_url_file = 'gone'", "gone: No such file", id="no URL of Redis"),
        pytest.param("[listen]\ntls_cert_file = 'a'\ntls_key_file = 'b'", "cannot be used", id="no certificate"),
        pytest.param(
            "[[servers]]\nname='b'\npath='/b'\nurl='https://b.example'\nca_file='gone'", "server `b`", id="no authority"
        ),
    ],
)
async def test_files_that_cannot_be_used_keep_it_from_starting(tmp_path, more, said):
    file = tmp_path / "gateway.toml"
    file.write_text(f"{LEAST}{more}\n[audit2]\n".replace("[audit2]\n", ""))
    with pytest.raises(ConfigError, match=f"^{file}: ") as error:  # noqa: PT012 - one of the two raises
        front = Front(file)
        await front.start()
    assert said in str(error.value)


def test_hosts_and_origins_are_those_of_the_public_url_and_what_is_listed(tmp_path):
    more = 'allowed_hosts = ["inner.example"]\nallowed_origins = ["https://app.example"]\n'
    config = loaded(tmp_path, more + LEAST)
    assert hosts(config) == {
        "mcp.example",
        "mcp.example:443",
        "inner.example",
        "127.0.0.1:8080",
        "localhost:8080",
        "[::1]:8080",
    }
    assert origins(config) == {"https://mcp.example", "https://app.example"}


def test_a_document_is_made_only_for_servers_that_name_who_gives_tokens(tmp_path):
    config = loaded(tmp_path, LEAST)
    assert (documents(config), metadata_url(config, config.servers[0])) == ({}, "")
