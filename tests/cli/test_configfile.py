"""Reading `authz.toml`: every mistake is said, with its line and what to do, and no bytes break it."""

from pathlib import Path

import pytest

from authz_sidecar import configfile
from authz_sidecar.config import Config
from tests.cli.conftest import Write
from tests.cli.least import LEAST as GOOD
from tests.cli.mistakes import problems

LOOPBACK = "is not a loopback address with a port, for example `127.0.0.1:9464`"


def test_the_least_that_is_needed_is_enough(write: Write) -> None:
    found = configfile.load(write(GOOD), {})
    assert (found.servers[0].mode, found.policy.engine, found.audit.when_full) == ("enforce", "casbin", "deny")
    assert found.issuers[0].leeway_seconds == 30


def test_relative_paths_begin_beside_the_file(write: Write, tmp_path: Path) -> None:
    found = configfile.load(write(GOOD), {"HOME": "/nowhere"})
    assert found.at("a/b") == tmp_path / "a" / "b"
    assert found.at("/a/b") == Path("/a/b")
    assert found.state == tmp_path / "var"


@pytest.mark.parametrize(
    ("listen", "data", "admin"),
    [
        pytest.param("", "var/run/authz.sock", "var/run/admin.sock", id="nothing said"),
        pytest.param('[listen]\ntcp = "127.0.0.1:1"', None, "var/run/admin.sock", id="tcp alone"),
        pytest.param('[listen]\nsocket = "s/a.sock"', "s/a.sock", "s/admin.sock", id="a socket"),
        pytest.param('[admin]\nsocket = "b/c.sock"', "var/run/authz.sock", "b/c.sock", id="an admin socket"),
    ],
)
def test_where_it_listens(write: Write, tmp_path: Path, listen: str, data: str | None, admin: str) -> None:
    found = configfile.load(write(GOOD.replace('[listen]\ntcp = "127.0.0.1:50051"', listen)), {})
    assert found.data_socket == (tmp_path / data if data else None)
    assert found.admin_socket == tmp_path / admin


@pytest.mark.parametrize(
    ("added", "said"),
    [
        pytest.param(
            "[audit]\nwhen_ful = 'deny'",
            "authz.toml:14: unknown key `audit.when_ful`; did you mean `when_full`?",
            id="a key with a slip",
        ),
        pytest.param(
            "[nonsense]\nx = 1",
            "authz.toml:13: unknown key `nonsense`; known here: " + ", ".join(Config.model_fields),
            id="a section that nobody knows",
        ),
        pytest.param(
            "methods = ['a']\nmod = 'observe'",
            "authz.toml:14: unknown key `servers[0].mod`; did you mean `mode`?",
            id="a key in a list",
        ),
        pytest.param(
            "mode = 'Observe'",
            "authz.toml:13: `servers[0].mode`: input should be 'enforce' or 'observe'",
            id="an unknown word",
        ),
        pytest.param(
            "[audit]\nqueue_lines = '1000'",
            "authz.toml:14: `audit.queue_lines`: expected a whole number, without quotes",
            id="text for a number",
        ),
        pytest.param(
            "[audit]\nqueue_lines = 1",
            "authz.toml:14: `audit.queue_lines`: input should be greater than or equal to 100",
            id="a number out of bounds",
        ),
        pytest.param(
            "[audit]\nconsole = 1",
            "authz.toml:14: `audit.console`: expected `true` or `false`, without quotes",
            id="a number for a truth",
        ),
        pytest.param(
            "[http]\nbind = '0.0.0.0:9464'",
            "authz.toml:14: `http.bind`: `0.0.0.0:9464` " + LOOPBACK,
            id="metrics for the network",
        ),
        pytest.param("[http]\nbind = 'localhost'", "authz.toml:14: `http.bind`: `localhost` " + LOOPBACK, id="no port"),
        pytest.param(
            "[http]\nbind = 'example.com:1'", "authz.toml:14: `http.bind`: `example.com:1` " + LOOPBACK, id="a name"
        ),
        pytest.param(
            '[policy]\npath = "a\\u0000b"',
            "authz.toml:14: `policy.path`: a path has no control characters",
            id="a NUL in a path",
        ),
        pytest.param(
            "[policy]\npath = '~nobody-of-this-name/x'",
            "authz.toml:14: `policy.path`: `~nobody-of-this-name/x`: there is no such home directory",
            id="nobody's home",
        ),
        pytest.param(
            "[[servers]]\nname = 'ops'\naudience = 'b'",
            "authz.toml: the server name `ops` stands twice; each must be its own",
            id="one name twice",
        ),
        pytest.param(
            "[[servers]]\nname = 'b'\naudience = 'https://ops.example/mcp'",
            "authz.toml: the audience `https://ops.example/mcp` stands twice; each must be its own",
            id="one audience twice",
        ),
        pytest.param(
            "[[servers]]\nname = 'a b'\naudience = 'b'",
            "authz.toml:14: `servers[1].name`: `a b` is not a name: letters, digits, `.`, `_` and `-`, at most 128",
            id="an odd name",
        ),
        pytest.param("[[servers]]\nname = 'b'", "authz.toml:13: `servers[1].audience` is missing", id="no audience"),
        pytest.param(
            "[scopes.implies]\n'a' = 'b'",
            'authz.toml:14: `scopes.implies.a`: expected a list, for example `["one", "two"]`',
            id="a scope that implies text",
        ),
        pytest.param(
            "[[policy]]\nengine = 'casbin'",
            "authz.toml: `policy`: stands once, write `[policy]`",
            id="a table twice bracketed",
        ),
        pytest.param(
            "[audit]\npath = 3", "authz.toml:14: `audit.path`: expected a text in quotes", id="a number for a text"
        ),
    ],
)
def test_a_mistake_is_said_with_its_line(write: Write, added: str, said: str) -> None:
    assert problems(write(GOOD + added)) == [said]


def test_base_is_no_key(write: Write) -> None:
    assert problems(write(f"base = '/'\n{GOOD}"))[0].startswith("authz.toml:1: unknown key `base`")


def test_everything_is_said_at_once_in_the_order_of_the_file(write: Write) -> None:
    text = GOOD.replace("alias", "alas").replace('audience = "https://ops.example/mcp"', "audience = 5")
    said = problems(write(text + "[http]\nbnd = ''\n"))
    assert [line.split(": ")[0] for line in said] == [
        "authz.toml:4",
        "authz.toml:5",
        "authz.toml:12",
        "authz.toml:14",
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param('jwks_file = "keys.json"', "", "one key source is needed", id="no key"),
        pytest.param(
            'jwks_file = "keys.json"',
            'jwks_file = "a"\npem_file = "b"',
            "found `jwks_file` and `pem_file`",
            id="two keys",
        ),
        pytest.param('["ES256"]', '["HS256"]', "a public key is never a shared secret", id="a public key as a secret"),
        pytest.param(
            "jwks_file", "secret_file", "`HS256` and `secret_file` go together", id="a secret as a public key"
        ),
        pytest.param(
            'jwks_file = "keys.json"\nalgorithms = ["ES256"]',
            'secret_file = "s"\nalgorithms = ["HS256", "ES256"]',
            "must be `HS256` alone",
            id="a secret beside a key",
        ),
        pytest.param('["ES256"]', '["none"]', "input should be 'RS256'", id="no signature"),
        pytest.param('["ES256"]', "[]", "should have at least 1 item", id="no algorithm"),
        pytest.param('"https://idp.example"', '""', "should have at least 1 character", id="no issuer"),
        pytest.param('tcp = "127.0.0.1:50051"', 'tls_cert_file = "c"', "TLS needs both", id="half a TLS"),
        pytest.param(
            'tcp = "127.0.0.1:50051"',
            'tls_cert_file = "c"\ntls_key_file = "k"',
            "TLS needs `tcp`",
            id="TLS on a socket",
        ),
        pytest.param("tcp", 'client_ca_file = "c"\ntcp', "`client_ca_file` needs", id="mTLS without TLS"),
    ],
)
def test_what_cannot_be_meant_is_refused(write: Write, before: str, after: str, said: str) -> None:
    (told,) = problems(write(GOOD.replace(before, after, 1)))
    assert said in told


@pytest.mark.parametrize("missing", ["issuers", "servers"])
def test_without_issuer_or_server_there_is_nothing_to_do(write: Write, missing: str) -> None:
    start = GOOD.index(f"[[{missing}]]")
    end = GOOD.find("[[", start + 2) if missing == "issuers" else len(GOOD)
    assert problems(write(GOOD[:start] + GOOD[end:])) == [f"authz.toml: `{missing}` is missing"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        pytest.param("a = \n", "authz.toml:1:5: not valid TOML: Invalid value", id="half a line"),
        pytest.param("a = 1\na = 2\n", "authz.toml:2:6: not valid TOML: Cannot overwrite a value", id="a key twice"),
        pytest.param(f"a = {'1' * 5000}", "authz.toml: not valid TOML: a number is too long, or", id="a long number"),
        pytest.param("a = " + "[" * 5000, "authz.toml: not valid TOML: ", id="a deep list"),
        pytest.param("a = '", "authz.toml: not valid TOML: ", id="an open string"),
        pytest.param(b"a = 1\nb = '\xff'", "authz.toml:2: not UTF-8", id="no UTF-8"),
        pytest.param(
            b"#" * 1_048_577, "authz.toml: larger than 1048576 bytes, so surely not a configuration", id="large"
        ),
    ],
)
def test_what_is_no_toml_is_told_with_its_place(write: Write, data: str | bytes, said: str) -> None:
    (told,) = problems(write(data))
    assert told.startswith(said)


def test_no_file_says_what_writes_one(tmp_path: Path) -> None:
    assert problems(tmp_path / "no.toml")[0].endswith("no such file; `authz-sidecar init` writes one")
    assert "directory" in problems(tmp_path)[0]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        pytest.param(
            "[[servers]]", "[servers]", "`servers`: is a list of tables, write `[[servers]]`", id="one bracket"
        ),
        pytest.param("[listen]", "listen = 1\n[x]", "`listen`: expected a table, with keys of its own", id="no table"),
    ],
)
def test_brackets_that_are_wrong_are_told_in_words_of_toml(write: Write, before: str, after: str, said: str) -> None:
    assert any(line.endswith(said) for line in problems(write(GOOD.replace(before, after, 1))))


def test_a_byte_order_mark_is_named(write: Write) -> None:
    assert problems(write(b"\xef\xbb\xbf" + GOOD.encode())) == [
        "authz.toml:1:1: begins with a byte order mark, save as plain UTF-8"
    ]
