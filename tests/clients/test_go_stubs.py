"""The Go stubs that are committed are those of the wire contract."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

ROOT: Final = Path(__file__).parents[2]
STUBS: Final = ROOT / "examples" / "clients" / "go" / "authzv1" / "authz.pb.go"


def test_the_go_stubs_say_what_the_proto_says(tmp_path: Path) -> None:
    written = tmp_path / "set"
    arguments = ["-I", str(ROOT / "proto"), f"--descriptor_set_out={written}", "authz/v1/authz.proto"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *arguments], check=True, timeout=30)
    (contract,) = FileDescriptorSet.FromString(written.read_bytes()).file
    assert FileDescriptorProto.FromString(_embedded(STUBS.read_text())) == contract


def _embedded(source: str) -> bytes:
    """Give the descriptor that the stubs hold: Go string literals, joined by `+`."""
    found = re.search(r"rawDesc = (.*?)\n\n", source, re.DOTALL)
    assert found is not None
    literals = re.findall(r'"((?:[^"\\]|\\.)*)"', found[1])
    return "".join(literals).encode("ascii").decode("unicode_escape").encode("latin-1")
