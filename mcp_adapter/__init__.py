"""The policy enforcement point: asks the sidecar on every MCP request, and does as it says."""
