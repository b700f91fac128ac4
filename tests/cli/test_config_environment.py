"""Variables of the environment override scalars of `authz.toml`, and their mistakes name them."""

from collections.abc import Callable
from typing import Any

import pytest

from authz_sidecar import configfile
from authz_sidecar.config import Config
from tests.cli.conftest import Write
from tests.cli.least import LEAST as GOOD
from tests.cli.mistakes import problems


@pytest.mark.parametrize(
    ("variable", "value", "look", "expected"),
    [
        pytest.param("AUTHZ_STATE_DIR", "s", lambda c: c.state_dir, "s", id="at the root"),
        pytest.param("AUTHZ_HTTP__BIND", "", lambda c: c.http.bind, "", id="in a section that is absent"),
        pytest.param("AUTHZ_LISTEN__TCP", "127.0.0.1:2", lambda c: c.listen.tcp, "127.0.0.1:2", id="over the file"),
        pytest.param("AUTHZ_AUDIT__CONSOLE", "True", lambda c: c.audit.console, True, id="a truth"),
        pytest.param("AUTHZ_AUDIT__QUEUE_LINES", "500", lambda c: c.audit.queue_lines, 500, id="a number"),
        pytest.param("AUTHZ_POLICY__ENGINE", "plain", lambda c: c.policy.engine, "plain", id="a word"),
    ],
)
def test_the_environment_overrides_scalars(
    write: Write, variable: str, value: str, look: Callable[[Config], Any], expected: object
) -> None:
    assert look(configfile.load(write(GOOD), {variable: value, "OTHER": "x"})) == expected


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        pytest.param(
            "AUTHZ_AUDIT__QUEUE",
            "5",
            "environment AUTHZ_AUDIT__QUEUE: unknown key `audit.queue`; did you mean `queue_lines`?",
            id="an unknown key",
        ),
        pytest.param(
            "AUTHZ_AUDT__CONSOLE",
            "true",
            "environment AUTHZ_AUDT__CONSOLE: unknown key `audt`",
            id="an unknown section",
        ),
        pytest.param(
            "AUTHZ_PORT", "tcp://10.0.0.1:1", "environment AUTHZ_PORT: unknown key `port`", id="an unknown root"
        ),
        pytest.param(
            "AUTHZ_AUDIT__QUEUE_LINES",
            "many",
            "environment AUTHZ_AUDIT__QUEUE_LINES: `audit.queue_lines`: expected a whole number, without quotes",
            id="no number",
        ),
        pytest.param(
            "AUTHZ_AUDIT__CONSOLE",
            "1",
            "environment AUTHZ_AUDIT__CONSOLE: `audit.console`: expected `true` or `false`, without quotes",
            id="no truth",
        ),
        pytest.param(
            "AUTHZ_ISSUERS__0__ALIAS",
            "x",
            "environment AUTHZ_ISSUERS__0__ALIAS: `issuers` is a list; edit it in the file",
            id="a list",
        ),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(write: Write, variable: str, value: str, said: str) -> None:
    (told,) = problems(write(GOOD), **{variable: value})
    assert told.startswith(said)


def test_the_command_line_s_own_variables_are_no_settings(write: Write) -> None:
    path = write(GOOD)
    assert configfile.load(path, {"AUTHZ_CONFIG": "x", "AUTHZ_TOKEN": "y"}) == configfile.load(path, {})
