"""The commands and the one place where an error becomes a sentence and an exit code."""

import sys
from collections.abc import Sequence
from typing import Final

import click

from authz_sidecar import __version__
from authz_sidecar.cli import asks, configs, doctor, keys, oauth, policies, revoking, serving, starting, tokens
from authz_sidecar.cli.grouped import Group
from authz_sidecar.cli.show import ANSWERED_NO, NOT_ANSWERED, WRONG, complain
from authz_sidecar.errors import AuthzError, BadRequest, ConfigError, PolicyProblems

_EPILOG: Final = """Exit codes: 0 yes, 1 no (denied, or problems were found), 2 wrong usage or configuration,
3 no answer (the sidecar cannot be reached)."""


@click.group(
    cls=Group, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="authz-sidecar", message="%(prog)s %(version)s")
def cli() -> None:
    """Authorization for MCP servers: may the bearer of this token do this method on this tool?

    New here? `authz-sidecar init` writes a configuration that runs as it is; `authz-sidecar serve` runs it.
    """


for command in (
    serving.serve,
    asks.check,
    doctor.doctor,
    starting.init,
    configs.config,
    policies.policy,
    tokens.token,
    keys.keys,
    revoking.revoke,
    revoking.revocations,
    oauth.oauth,
    starting.completion,
):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit; nobody ever sees a traceback for a mistake that is not ours."""
    try:
        result: object = cli.main(args=arguments, prog_name="authz-sidecar", standalone_mode=False)
        sys.exit(result if isinstance(result, int) else 0)
    except click.exceptions.Abort:
        complain("stopped")
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(WRONG)
    except PolicyProblems as error:
        complain(str(error))
        sys.exit(ANSWERED_NO)
    except (BadRequest, ConfigError) as error:
        complain(str(error))
        sys.exit(WRONG)
    except AuthzError as error:
        complain(str(error))
        sys.exit(NOT_ANSWERED)
    except UnicodeError:
        complain("a name or value on the command line, or in the environment, is not UTF-8")
        sys.exit(WRONG)
    except OSError as error:
        complain(f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "))
        sys.exit(WRONG)
