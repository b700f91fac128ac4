"""Errors by the names of FastMCP 4."""

from mcp.shared.exceptions import MCPError

__all__ = ["AuthorizationError", "MCPError"]


class AuthorizationError(Exception):
    """Access is denied."""
