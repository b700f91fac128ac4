"""The policy enforcement point: asks the sidecar on every MCP request, and does as it says."""

from mcp_adapter.asgi import AuthzMiddleware
from mcp_adapter.principal import Principal, current_principal

__all__ = ["AuthzMiddleware", "Principal", "current_principal"]
