"""Finds out that a spreadsheet saved the file in another dialect, and says which setting to change."""

import re
from typing import Final

from authz_sidecar.policy.findings import Findings, quote

_SETTING: Final = (
    "in LibreOffice save with `Edit filter settings` and the field delimiter `,`, "
    "in Excel set the list separator of the system to `,` and save as `CSV (Comma delimited)`"
)
_FIRST: Final = r'\s*"?(?:p|g|g2|server|subjects)"?[ ]*'
_OTHER: Final = re.compile(rf"{_FIRST}([;\t|])")
_ONE_CELL: Final = re.compile(r'\s*"(?:p|g|g2|server|subjects)\s*,')
_HINT: Final = re.compile(r"\s*\"?sep=", re.IGNORECASE)
_LOOKED_AT: Final = 64 * 1024


def is_foreign(file: str, data: bytes, found: Findings) -> bool:
    """Say whether the rows are separated by something else than commas, and report it once, not for every row."""
    for number, raw in enumerate(data[:_LOOKED_AT].split(b"\n"), start=1):
        text = raw.decode("utf-8", errors="replace").lstrip("\ufeff")
        if not text.strip(" \t\r,;") or text.lstrip(' \t"').startswith("#"):
            continue
        if _HINT.match(text):
            message = f"{quote(text.strip())} is a line for Excel alone, remove it and separate the fields by `,`"
            found.error(file, number, 1, "separator-line", message)
            return True
        if other := _OTHER.match(text):
            name = "tabs" if other[1] == "\t" else f"`{other[1]}`"
            message = f"the fields are separated by {name}, expected `,`: {_SETTING}"
            found.error(file, number, other.start(1) + 1, "other-separator", message)
            return True
        if _ONE_CELL.match(text):
            message = (
                "the whole row stands in one pair of quotes, so the program that saved it had not split it into "
                f"columns: open the file with the separator `,`, and {_SETTING}"
            )
            found.error(file, number, 1, "row-in-one-cell", message)
            return True
        return False
    return False
