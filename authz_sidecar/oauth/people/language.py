"""Says everything in the language of whoever reads it."""

import time
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Final

from markupsafe import Markup

FALLBACK: Final = "en"
NAMES: Final[Mapping[str, str]] = {"en": "English", "ko": "한국어"}
"""The languages there are, each in its own words."""
_MOST: Final = 20


def _catalog(language: str) -> Mapping[str, str]:
    text = resources.files("authz_sidecar.oauth.people").joinpath("words", f"{language}.toml").read_text("utf-8")
    return {f"{part}.{key}": words for part, entries in tomllib.loads(text).items() for key, words in entries.items()}


CATALOGS: Final[Mapping[str, Mapping[str, str]]] = {language: _catalog(language) for language in NAMES}


@dataclass(frozen=True, slots=True)
class Words:
    """One language. `words("login.title")` gives the sentence with its fields filled in, escaped for HTML."""

    language: str

    def __call__(self, key: str, **fields: object) -> Markup:
        """Give the sentence; raises `KeyError` for one that nobody wrote."""
        return Markup(CATALOGS[self.language][key]).format(**fields)  # noqa: S704 - the sentence is ours; fields escape

    def described(self, words: Mapping[str, str], name: str) -> str:
        """Give what the operator wrote in this language, or in the fallback, or the bare name."""
        return words.get(self.language) or words.get(FALLBACK) or name

    def moment(self, seconds: float) -> str:
        """Spell a time."""
        at = time.gmtime(seconds)
        months = CATALOGS[self.language]["date.months"].split()
        fields = {"year": at.tm_year, "month": months[at.tm_mon - 1], "day": at.tm_mday}
        return str(self("date.form", **fields, clock=time.strftime("%H:%M", at)))


def chosen(*, asked: str = "", remembered: str = "", wished: Iterable[str] = (), accepted: str = "") -> Words:
    """Choose: what was clicked now, what was clicked before, the client's `ui_locales`, the browser's languages."""
    candidates = (asked, remembered, *wished, *_accepted(accepted))
    found = (one.partition("-")[0].lower() for one in candidates)
    return Words(next((one for one in found if one in NAMES), FALLBACK))


def _accepted(header: str) -> list[str]:
    """Read `Accept-Language` (RFC 9110 section 12.5.4), the dearest first; what cannot be read counts for nothing."""
    ranked = []
    for part in header.split(",")[:_MOST]:
        tag, _, weight = part.strip().partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if 0 < quality <= 1:
            ranked.append((-quality, tag.strip()))
    return [tag for _, tag in sorted(ranked, key=lambda one: one[0])]
