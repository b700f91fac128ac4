"""Files that spreadsheets saved: read right, or refused with the setting to change."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import parse
from tests.policy.plainly import SHIPPED, shipped

POLICY = (
    b"# p, subject, server\n"
    b"p, role:a, ops-assistant, tools/call, lookup, allow\n"
    b"\n"
    b"# until 2027-01-31\n"
    b"g, user:a, role:a\n"
)


def meaning(files: dict[str, bytes]) -> object:
    found = Findings()
    rules = parse(files, found).rules
    assert not found.problems
    return (
        [(one.subject, one.server, one.method, one.tool, one.effect, one.until) for one in rules.rules],
        [(one.member, one.role, one.until) for one in rules.memberships],
        [(one.server, one.method, one.tool, one.scopes) for one in rules.scopes],
        [(one.subjects, one.server, one.method, one.tool, one.scopes, one.expect) for one in rules.expectations],
    )


def of(policy: bytes) -> object:
    return meaning({"policy.csv": policy, "model.conf": shipped()["model.conf"]})


def problem(policy: bytes) -> tuple[str, str]:
    found = Findings()
    parse({"policy.csv": policy, "model.conf": shipped()["model.conf"]}, found)
    assert found.problems
    return found.problems[0].code, str(found.problems[0])


@pytest.mark.parametrize(
    "saved",
    [
        pytest.param(POLICY.replace(b"\n", b"\r\n"), id="line ends of Windows"),
        pytest.param(
            b"# p, subject, server,,,\np,role:a,ops-assistant,tools/call,lookup,allow\n,,,,,\n"
            b"# until 2027-01-31,,,,,\ng,user:a,role:a,,,\n",
            id="rows as long as the longest",
        ),
        pytest.param(
            b'"# p, subject, server"\n"p","role:a","ops-assistant","tools/call","lookup","allow"\n\n'
            b'"# until 2027-01-31"\n"g","user:a","role:a"\n',
            id="every cell in quotes",
        ),
        pytest.param(POLICY.replace(b"allow\n", b"allow,,,\n"), id="cells behind the last one"),
    ],
)
def test_what_has_one_meaning_is_read(saved: bytes) -> None:
    assert of(saved) == of(POLICY)


@pytest.mark.parametrize(
    ("saved", "code", "says"),
    [
        pytest.param(b"\xef\xbb\xbf" + POLICY, "byte-order-mark", "not `CSV UTF-8`", id="CSV UTF-8 of Excel"),
        pytest.param(POLICY.decode().encode("utf-16"), "byte-order-mark", "`Unicode Text`", id="Unicode Text of Excel"),
        pytest.param(POLICY.decode().encode("utf-16-le"), "byte-order-mark", "is UTF-16", id="UTF-16 without a mark"),
        pytest.param(POLICY.decode().encode("utf-16-be"), "byte-order-mark", "is UTF-16", id="UTF-16, the other way"),
        pytest.param(POLICY.replace(b", ", b";"), "other-separator", "list separator", id="semicolons"),
        pytest.param(b"\xef\xbb\xbfp;role:a\r\n", "byte-order-mark", "not `CSV UTF-8`", id="mark and semicolons"),
        pytest.param(b"p\trole:a\ttools/call\n", "other-separator", "by tabs", id="tabs"),
        pytest.param(b"p|role:a|tools/call\n", "other-separator", "by `|`", id="bars"),
        pytest.param(b"sep=;\r\np;role:a\r\n", "separator-line", "for Excel alone", id="a line for Excel"),
        pytest.param(b'"sep=,"\r\n' + POLICY, "separator-line", "remove it", id="a line for Excel in quotes"),
        pytest.param(b'"p, role:a, s, m, t, allow"\n', "row-in-one-cell", "one pair of quotes", id="a row in one cell"),
        pytest.param(
            "p, role:a, s, m, “t”, deny\n".encode(), "typographic-quote", "U+201C", id="quotes of a word processor"
        ),
        pytest.param(b"p, role:a, s, m, caf\xe9, deny\n", "not-utf-8", "byte 0xe9", id="Latin 1"),
        pytest.param(
            b'p, role:a, *, *, " lookup", deny\n', "blank-at-edge", "`Quote all text cells`", id="blanks inside quotes"
        ),
    ],
)
def test_what_could_be_misread_is_refused_with_what_to_do(saved: bytes, code: str, says: str) -> None:
    found = problem(saved)
    assert found[0] == code
    assert says in found[1]


def test_another_separator_is_said_once() -> None:
    found = Findings()
    parse({"policy.csv": b"p;role:a;*;*;*;deny\n" * 1_000, "model.conf": shipped()["model.conf"]}, found)
    assert [(one.line, one.column, one.code) for one in found.problems] == [(1, 2, "other-separator")]


@pytest.mark.parametrize("name", ["scopes.csv", "expectations.csv", "matrix.csv"])
def test_tables_with_a_header_are_looked_at_as_well(name: str) -> None:
    found = Findings()
    first = b"subjects;server" if name == "expectations.csv" else b"server;method;tool;user:a"
    parse(shipped() | {name: first + b"\n"}, found)
    assert [(one.file, one.code) for one in found.problems] == [(name, "other-separator")]


# What a person does in Calc: open, save. The numbers are the filter's: separator, quote, character set, first line,
# column formats, language, quote all text, keep numbers, save as shown, formulas, spaces, sheet.
_OPEN = "Text - txt - csv (StarCalc):44,34,76,1"
_UTF8, _UTF16, _LATIN1 = 76, 65535, 12


def _calc(home: Path, *arguments: str) -> None:
    program = shutil.which("soffice")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("LibreOffice is missing")
        pytest.skip("needs LibreOffice")
    command = [program, f"-env:UserInstallation=file://{home}/profile", "--headless", "--norestore", *arguments]
    done = subprocess.run(command, cwd=home, capture_output=True, timeout=50, env=os.environ | {"HOME": str(home)})
    assert done.returncode == 0, done.stderr


def save(home: Path, files: dict[str, bytes], options: str, *, by: str = "") -> dict[str, bytes]:
    """Open each file in LibreOffice and save it as CSV, on the way as another kind of file."""
    for name in ("in", "between", "out"):
        (home / name).mkdir(parents=True)
    for name, data in files.items():
        (home / "in" / name).write_bytes(data)
    sources = [str(home / "in" / name) for name in files]
    filters = [f"--infilter={_OPEN}"]
    if by:
        _calc(home, "--convert-to", by, "--outdir", str(home / "between"), *filters, *sources)
        sources, filters = [str((home / "between" / name).with_suffix(f".{by}")) for name in files], []
    _calc(home, "--convert-to", f"csv:{options}", "--outdir", str(home / "out"), *filters, *sources)
    return {name: (home / "out" / name).read_bytes() for name in files}


def options(*, separator: str = ",", charset: int = _UTF8, quote_all: bool = False) -> str:
    words = f"{ord(separator)},34,{charset},1,,0,{str(quote_all).lower()},true,false"
    return f"Text - txt - csv (StarCalc):{words}"


def csv_files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in SHIPPED.glob("*.csv")}


@pytest.mark.libreoffice
@pytest.mark.parametrize(
    "by", [pytest.param("", id="csv"), pytest.param("ods", id="ods"), pytest.param("xlsx", id="xlsx")]
)
def test_what_libreoffice_opened_and_saved_says_the_same(tmp_path: Path, by: str) -> None:
    files = csv_files()
    files["policy.csv"] += b'# until 2027-01-31\ng, user:noor, role:support\n# say "so", and so\n'
    saved = save(tmp_path, files, options(), by=by)
    assert saved["policy.csv"] != files["policy.csv"]
    assert meaning(shipped() | saved) == meaning(shipped() | files)


@pytest.mark.libreoffice
@pytest.mark.parametrize(
    ("settings", "code"),
    [
        pytest.param(options(separator=";"), "other-separator", id="semicolons"),
        pytest.param(options(separator="\t"), "other-separator", id="tabs"),
        pytest.param(options(charset=_UTF16), "byte-order-mark", id="UTF-16"),
        pytest.param(options(quote_all=True), "blank-at-edge", id="all text in quotes"),
    ],
)
def test_what_libreoffice_saved_with_other_settings_is_refused(tmp_path: Path, settings: str, code: str) -> None:
    saved = save(tmp_path, {"policy.csv": (SHIPPED / "policy.csv").read_bytes()}, settings)
    assert problem(saved["policy.csv"])[0] == code


@pytest.mark.libreoffice
def test_what_libreoffice_saved_in_latin_1_is_read_or_refused(tmp_path: Path) -> None:
    plain = {"policy.csv": POLICY}
    assert of(save(tmp_path / "plain", plain, options(charset=_LATIN1))["policy.csv"]) == of(POLICY)
    accents = {"policy.csv": "p, user:é, *, *, *, deny\n".encode()}
    assert problem(save(tmp_path / "accents", accents, options(charset=_LATIN1))["policy.csv"])[0] == "not-utf-8"
