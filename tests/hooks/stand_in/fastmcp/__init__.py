"""As much of FastMCP as the hook imports, where FastMCP itself cannot be; the matrix runs the real one."""
