"""The least that a configuration needs."""

from typing import Final

LEAST: Final = """\
[listen]
tcp = "127.0.0.1:50051"

[[issuers]]
alias = "main"
issuer = "https://idp.example"
jwks_file = "keys.json"
algorithms = ["ES256"]

[[servers]]
name = "ops"
audience = "https://ops.example/mcp"
"""
