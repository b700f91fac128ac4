"""A reverse proxy in front of MCP servers in any language, which asks the sidecar on every request."""
