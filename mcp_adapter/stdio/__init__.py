"""Guards a local MCP server that speaks over its standard input and output."""
