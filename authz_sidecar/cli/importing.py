"""`authz-sidecar policy import`: a Casbin policy that exists, as one of ours."""

from pathlib import Path

import click

from authz_sidecar.cli.show import YES, as_json, dump, say
from authz_sidecar.errors import ConfigError, PolicyProblems
from authz_sidecar.policy.foreigncsv import SEPARATORS

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command("import")
@click.argument("policy", type=_FILE)
@click.option("--model", required=True, type=_FILE, help="The Casbin model of that policy.")
@click.option("--csv-dialect", "dialect", type=click.Choice(list(SEPARATORS)), default="casbin", show_default=True,
              help="How the file separates its fields.")  # fmt: skip
@click.option("--subjects", type=click.Choice(["plain", "prefixed"]), default="plain", show_default=True,
              help="Whether names have `user:` and `role:` in front already.")  # fmt: skip
@click.option("--method", "methods", multiple=True, metavar="ACT=METHOD", help="What an action means in MCP.")
@click.option("--server", default="", help="The MCP server of rows that name none; default: all.")
@click.option("--output", "-o", type=click.Path(path_type=Path, dir_okay=False), help="Where to write; default: print.")
@as_json
def import_(
    policy: Path,
    model: Path,
    dialect: str,
    subjects: str,
    methods: tuple[str, ...],
    server: str,
    output: Path | None,
    json_: bool,
) -> int:
    """Read the POLICY of a Casbin application, and write one that means the same.

    Exits with 1 and says every reason when some row has no exact meaning here.

    Example: authz-sidecar policy import --model rbac_model.conf rbac_policy.csv
    """
    from authz_sidecar.policy.findings import Findings
    from authz_sidecar.policy.foreigncsv import translated
    from authz_sidecar.policy.imported import Wording, imported
    from authz_sidecar.policy.pull import as_csv

    known = dict(word.split("=", 1) for word in methods if "=" in word)
    if len(known) != len(methods):
        raise ConfigError("--method: expected ACT=METHOD, each action once, for example read=resources/read")
    if output is not None and output.exists():
        raise ConfigError(f"{output} exists and is not overwritten, name another file with --output")
    found = Findings()
    data = translated(str(policy), policy.read_bytes(), dialect, found)
    if found.problems:
        raise PolicyProblems(found.problems)
    rows = imported(
        (str(model), model.read_bytes()),
        (str(policy), data),
        Wording(methods=known, server=server, plain=subjects == "plain"),
    )
    text = as_csv(rows)
    if output is not None:
        output.write_bytes(text)
    if json_:
        dump({"rows": len(rows), "written": str(output or ""), "policy": text.decode()})
    elif output is not None:
        say(f"[green]wrote[/]  {len(rows)} rows; `authz-sidecar policy lint` looks at them beside your configuration")
    else:
        click.echo(text, nl=False)
    return YES
