"""`authz-sidecar policy test`: the policy's own tests, and what they cover."""

import asyncio
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import click
from rich.markup import escape

from authz_sidecar.cli.linting import examined, problems_json
from authz_sidecar.cli.opened import opened
from authz_sidecar.cli.show import ANSWERED_NO, YES, as_json, complain, config_option, dump, say, table, warn

_FORMATS = click.Choice(["text", "json", "junit"])
_LISTED = 50


@click.command("test")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--coverage", is_flag=True, help="Also say which rows no expectation exercises, and which could go.")
@click.option(
    "--min-coverage",
    type=click.FloatRange(0, 100),
    metavar="PCT",
    help="Exit with 1 when fewer p rows are exercised; implies --coverage.",
)
@click.option("--format", "form", type=_FORMATS, default="text", show_default=True, help="How to print.")
@config_option
@as_json
def run_expectations(
    directory: Path | None, coverage: bool, min_coverage: float | None, form: str, config_path: Path, json_: bool
) -> int:
    """Run expectations.csv and matrix.csv against the policy files of DIRECTORY (default: the configured one).

    Exits with 1 when one fails, when the policy does not load, or when too little is covered.
    """
    form = "json" if json_ else form
    report = examined(config_path, directory)
    wanted = coverage or min_coverage is not None or form == "junit"
    study = opened(config_path, directory) if wanted and not report.problems else None
    measured = asyncio.run(study.coverage()) if study is not None else None
    enough = measured is None or min_coverage is None or measured.percent >= min_coverage
    if study is not None and not study.policy.rules.size and study.unsaid:
        warn("policies in engine.d are tested, but no tool can say which of them a test exercises")
        if min_coverage is not None:
            complain("what cannot be measured is not enough for --min-coverage")
            enough = False
    if form == "json":
        dump(_as_json(report, measured, enough=enough))
    elif form == "junit":
        click.echo(_junit(report, measured))
    else:
        _print(report, measured if coverage or min_coverage is not None else None)
        if not enough and measured is not None and measured.rules:
            complain(f"{measured.percent:.1f} % of the p rows are exercised, expected {min_coverage:g} %")
    return YES if enough and not report.problems else ANSWERED_NO


def _as_json(report: Any, measured: Any, *, enough: bool) -> dict[str, object]:
    found = {"ok": enough and not report.problems, "expectations": report.expectations_run, **problems_json(report)}
    if measured is not None:
        found["coverage"] = {
            "percent": round(measured.percent, 2),
            "rules": measured.rules,
            "unexercised": [_row(rule) for rule in measured.unexercised],
            "guarded_percent": round(measured.guarded_percent, 2),
            "rows": measured.rows,
            "deletable": [_row(row) for row in measured.deletable],
        }
    return found


def _row(row: Any) -> dict[str, object]:
    return {"file": row.source, "line": row.line, "text": _text(row)}


def _text(row: Any) -> str:
    if hasattr(row, "text"):
        return str(row.text)
    return f"{row.server}, {row.method}, {row.tool}, {' '.join(row.scopes)}"


def _print(report: Any, measured: Any) -> None:
    for problem in report.problems:
        complain(str(problem))
    if report.problems:
        return
    if not report.expectations_run:
        warn("expectations.csv is missing or empty: nothing was tested")
    say(f"[green]ok[/]  {report.expectations_run} expectations hold")
    if measured is None:
        return
    exercised = measured.rules - len(measured.unexercised)
    if not measured.rows:
        return
    guarded = measured.rows - len(measured.deletable)
    say(f"exercised  {exercised} of {measured.rules} p rows ({measured.percent:.1f} %)")
    say(
        f"guarded    {guarded} of {measured.rows} rows ({measured.guarded_percent:.1f} %): the loss of one fails a test"
    )
    unexercised = {(row.source, row.line) for row in measured.unexercised}
    rows = [
        (
            f"{row.source}:{row.line}",
            "no test exercises it" if (row.source, row.line) in unexercised else "could go unnoticed",
            _text(row),
        )
        for row in measured.deletable[:_LISTED]
    ]
    if rows:
        say("")
        table(("row", "why", ""), rows)
    if len(measured.deletable) > _LISTED:
        say(escape(f"… and {len(measured.deletable) - _LISTED} more, see --json"))


def _junit(report: Any, measured: Any) -> str:
    """Give one case for each expectation; of a policy that does not load, one for each problem."""
    from authz_sidecar.policy.expect import asked

    trials = measured.trials if measured is not None else ()
    failed = [trial for trial in trials if not trial]
    count = {"tests": str(len(trials) + len(report.problems)), "failures": str(len(failed) + len(report.problems))}
    suite = Xml.Element("testsuite", {"name": "policy", **count})
    for problem in report.problems:
        case = Xml.SubElement(suite, "testcase", _case(problem, problem.code))
        Xml.SubElement(case, "failure", {"message": _clean(str(problem)), "type": problem.code})
    for trial in trials:
        Xml.SubElement(suite, "testcase", _case(trial.row, f"{asked(trial.row)} -> {trial.row.expect}"))
    return Xml.tostring(suite, encoding="unicode", xml_declaration=True)


def _case(place: Any, name: str) -> dict[str, str]:
    file = getattr(place, "file", "") or getattr(place, "source", "")
    return {"classname": file, "name": _clean(f"{file}:{place.line} {name}"), "file": file, "line": str(place.line)}


def _clean(text: str) -> str:
    """Leave out what XML 1.0 cannot say (section 2.2)."""
    return "".join(char if char.isprintable() else "?" for char in text)
