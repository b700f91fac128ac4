"""For every test: no token may stand in what it leaves, removes, prints or logs, no new file in the root; no hurry."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from authz_sidecar.tokens import mint
from tests import canaries
from tests.effort import examples
from tests.root import strays

# How long an example takes says more of what else a machine does than of the code.
settings.register_profile(
    "calm", settings(), deadline=None, max_examples=examples(200), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("calm")

_before = pytest.StashKey[frozenset[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Remember every token that tests mint, and look into every folder before it is removed."""
    if not hasattr(config, "workerinput"):
        config.stash[_before] = strays()
    original = mint.mint

    def remembered(*given: Any, **named: Any) -> str:
        return canaries.minted(original(*given, **named))

    mint.mint = remembered
    canaries.watch()


def pytest_collection() -> None:
    """Leave the garbage collector out of it while thousands of tests are made, none of which is garbage."""
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files whose tests may take long, so that no worker ends with one alone."""
    long = {item.path for item in items if (limit := item.get_closest_marker("timeout")) and limit.args[0] > 100}
    items.sort(key=lambda item: item.path not in long)


def pytest_collection_finish() -> None:
    """Let it look at what the tests make, and never again at the tests themselves: a quarter of their time."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Fail the test whose files or output hold a token; its log settings end with it."""
    report: pytest.TestReport = yield
    if call.when == "teardown":
        structlog.reset_defaults()  # whoever set the log up did so for a stream that ends with the test
        home = getattr(item, "funcargs", {}).get("tmp_path")
        canaries.note([home] if isinstance(home, Path) else [])
        printed = [f"{name}: {said}" for name, text in report.sections if (said := canaries.in_bytes(text.encode()))]
        found = [*canaries.taken(), *printed]
        if found and report.passed:
            report.outcome = "failed"
            report.longrepr = "a token stands where none may be (tests/canaries.py):\n" + "\n".join(found)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Look once more into all that is left, also by fixtures that outlive a test."""
    factory = getattr(session.config, "_tmp_path_factory", None)
    if hasattr(session.config, "workerinput") or factory is None:
        return
    canaries.note([factory.getbasetemp()])
    if found := canaries.taken():
        _fail(session, "a token stands where none may be (tests/canaries.py):\n" + "\n".join(found))
    if new := sorted(strays() - session.config.stash[_before]):
        _fail(session, f"a test wrote into the root of the repository: {', '.join(new)}")


def _fail(session: pytest.Session, why: str) -> None:
    session.exitstatus = pytest.ExitCode.TESTS_FAILED
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    reporter.write_line("")
    for line in why.splitlines():  # named like a test that failed, so that whoever reads the log finds it
        reporter.write_line(f"ERROR {line}", red=True)
