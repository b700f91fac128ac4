"""Fuzzes one target in this process: `python -m tests.fuzz.child TARGET SECONDS DIRECTORY`.

What the target imports of ours is instrumented, so that inputs that reach new code are kept and changed further. One
input in 64 is held to its bounds; libFuzzer's own limits hold for all of them.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from tests.fuzz.target import CORPUS

LONGEST: Final = 4_096
_SLOWEST: Final = 25
"""Seconds; a hang is told from a busy machine."""
_MOST_MB: Final = 2_048
_SAMPLE: Final = 64


def main(name: str, seconds: str, directory: Path) -> None:
    """Run until the time is over; libFuzzer ends the process."""
    atheris: Any = import_module("atheris")  # it publishes no types
    with atheris.instrument_imports(include=["authz_sidecar"]):
        target: Any = import_module(f"tests.fuzz.{name}")
    from tests.fuzz.spent import hold  # behind the target: nothing of ours may be imported before it is instrumented

    runs = 0

    def one(data: bytes) -> None:
        nonlocal runs
        runs += 1
        if runs % _SAMPLE:
            target.run(data)
        else:
            hold(target.run, data, target.LIMIT)

    inputs = directory / "inputs"
    inputs.mkdir()
    for number, seed in enumerate(target.SEEDS):
        (inputs / f"seed-{number}").write_bytes(seed)
    words = directory / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in target.WORDS))
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={LONGEST}",
        f"-timeout={_SLOWEST}",
        f"-rss_limit_mb={_MOST_MB}",
        f"-artifact_prefix={directory}/found-",
        *([f"-dict={words}"] if target.WORDS else []),
        "-print_final_stats=1",
        "-verbosity=1",
    ]
    known = CORPUS / name
    atheris.Setup([sys.argv[0], *options, str(inputs), *([str(known)] if known.is_dir() else [])], one)
    atheris.Fuzz()


def _escaped(word: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word.encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
