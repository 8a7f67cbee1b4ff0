"""An echo server on the official Python SDK: `echo_server.py PORT stateful|stateless|json`."""

import sys

from mcp.server import MCPServer

server = MCPServer("echo")


@server.tool()
def echo(message: str) -> str:
    """Says the same again."""
    return message


port, kind = int(sys.argv[1]), sys.argv[2]
server.run(
    transport="streamable-http",
    host="127.0.0.1",
    port=port,
    stateless_http=kind == "stateless",
    json_response=kind == "json",
)
