"""Makes `python -m mcp_adapter` the command `mcp-authz`."""

from mcp_adapter.cli import main

if __name__ == "__main__":
    main()
