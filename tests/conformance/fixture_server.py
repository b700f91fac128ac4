"""An MCP server with every tool, resource and prompt that the conformance suite asks for, by the suite's own names.

`python -m tests.conformance.fixture_server PORT [SIDECAR AUDIT]`; both protocol eras, on loopback, bare or in the
middleware.
"""

import base64
import sys
from typing import Annotated, Any, Final

import anyio
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.shared.exceptions import MCPError
from mcp_types import (
    AudioContent,
    ClientCapabilities,
    Completion,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    JSONRPCMessage,
    MissingRequiredClientCapabilityErrorData,
    RequestParams,
    SamplingCapability,
    SamplingMessage,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import Field

from mcp_adapter import AuthzMiddleware
from tests.conformance import fixture_rounds
from tests.conformance.fixture_schemas import DEFAULTS, ENUMS, RICH, USER

PNG: Final = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV: Final = base64.b64encode(
    b"RIFF\x26\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00"
    b"data\x02\x00\x00\x00\x00\x00"
).decode()
SAMPLING_NEEDED: Final = -32021  # MissingRequiredClientCapability of 2026-07-28
_MOMENT: Final = 0.05


class Remembered(EventStore):
    """Keeps every event of this process, so that a stream can be taken up again."""

    def __init__(self) -> None:
        self._events: list[tuple[str, JSONRPCMessage | None]] = []

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        self._events.append((stream_id, message))
        return str(len(self._events))

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        seen = int(last_event_id)
        if not 0 < seen <= len(self._events):
            return None
        stream = self._events[seen - 1][0]
        for number, (owner, message) in enumerate(self._events[seen:], seen + 1):
            if owner == stream and message is not None:
                await send_callback(EventMessage(message, str(number)))
        return stream


def contents(server: MCPServer) -> None:
    """Offer tools whose answers are plain content."""

    @server.tool(description="Answers with a text.")
    def test_simple_text() -> str:
        return "This is a simple text response for testing."

    @server.tool(description="Answers with a picture.", structured_output=False)
    def test_image_content() -> list[ImageContent]:
        return [ImageContent(data=PNG, mime_type="image/png")]

    @server.tool(description="Answers with a sound.", structured_output=False)
    def test_audio_content() -> list[AudioContent]:
        return [AudioContent(data=WAV, mime_type="audio/wav")]

    @server.tool(description="Answers with a resource.", structured_output=False)
    def test_embedded_resource() -> list[EmbeddedResource]:
        return [embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")]

    @server.tool(description="Answers with content of several kinds.", structured_output=False)
    def test_multiple_content_types() -> list[Any]:
        return [
            TextContent(text="Multiple content types test:"),
            ImageContent(data=PNG, mime_type="image/png"),
            embedded("test://mixed-content-resource", "application/json", '{"test":"data","value":123}'),
        ]

    @server.tool(description="Always fails.")
    def test_error_handling() -> str:
        raise ValueError("This tool intentionally returns an error for testing")

    @server.tool(description="Takes an argument that clients repeat in a header.")
    def test_header_mirror(
        region: Annotated[str, Field(description="Where", json_schema_extra={"x-mcp-header": "Region"})], query: str
    ) -> str:
        return f"{query} in {region}"

    @server.tool(description="Tool with JSON Schema 2020-12 features")
    def json_schema_2020_12_tool(name: str = "") -> str:
        return name

    # The function's own schema cannot say all this; what is listed is replaced.
    server._tool_manager.get_tool("json_schema_2020_12_tool").parameters = RICH


def embedded(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


def notices(server: MCPServer) -> None:
    """Offer tools that say something before they answer."""

    @server.tool(description="Logs three lines.")
    async def test_tool_with_logging(ctx: Context) -> str:
        for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(line)
            await anyio.sleep(_MOMENT)
        return "Logged three lines."

    @server.tool(description="Logs when the request asked for it.")
    async def test_logging_tool(ctx: Context) -> str:
        await ctx.info("a line that not everybody asked for")
        return "Logged."

    @server.tool(description="Tells its progress.")
    async def test_tool_with_progress(ctx: Context) -> str:
        for progress in (0, 50, 100):
            await ctx.report_progress(progress, 100)
            await anyio.sleep(_MOMENT)
        return "Done."

    @server.tool(description="Closes its stream before it answers.")
    async def test_reconnection(ctx: Context) -> str:
        await ctx.close_sse_stream()
        await anyio.sleep(_MOMENT * 4)
        return "Reconnection test completed"

    @server.tool(description="Tells that the list of tools changed.")
    async def test_trigger_tool_change(ctx: Context) -> str:
        await ctx.notify_tools_changed()
        return "Told."

    @server.tool(description="Tells that the list of prompts changed.")
    async def test_trigger_prompt_change(ctx: Context) -> str:
        await ctx.notify_prompts_changed()
        return "Told."


def questions(server: MCPServer) -> None:
    """Offer tools that ask the client back in the middle of the call, as the old era does."""

    @server.tool(description="Asks the model of the client.")
    async def test_sampling(prompt: str, ctx: Context) -> str:
        message = SamplingMessage(role="user", content=TextContent(text=prompt))
        answer = await ctx.session.create_message([message], max_tokens=100, related_request_id=ctx.request_id)
        return f"LLM response: {getattr(answer.content, 'text', answer.content)}"

    @server.tool(description="Asks the person.")
    async def test_elicitation(message: str, ctx: Context) -> str:
        answer = await ctx.session.elicit_form(message, USER, ctx.request_id)
        return f"User response: action={answer.action}, content={answer.content}"

    @server.tool(description="Asks the person, with defaults.")
    async def test_elicitation_sep1034_defaults(ctx: Context) -> str:
        answer = await ctx.session.elicit_form("Please look at the defaults", DEFAULTS, ctx.request_id)
        return f"Elicitation completed: action={answer.action}, content={answer.content}"

    @server.tool(description="Asks the person to choose.")
    async def test_elicitation_sep1330_enums(ctx: Context) -> str:
        answer = await ctx.session.elicit_form("Please choose", ENUMS, ctx.request_id)
        return f"Elicitation completed: action={answer.action}, content={answer.content}"

    @server.tool(description="Needs a client that can sample.")
    def test_missing_capability(ctx: Context) -> str:
        if ctx.client_capabilities is None or ctx.client_capabilities.sampling is None:
            needed = ClientCapabilities(sampling=SamplingCapability())
            data = MissingRequiredClientCapabilityErrorData(required_capabilities=needed)
            raise MCPError(
                code=SAMPLING_NEEDED,
                message="this tool needs a client that can sample",
                data=data.model_dump(by_alias=True, exclude_none=True),
            )
        return "The client can sample."


def resources(server: MCPServer) -> None:
    """Offer the resources."""

    @server.resource("test://static-text", description="A text.", mime_type="text/plain")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", description="A picture.", mime_type="image/png")
    def static_binary() -> bytes:
        return base64.b64decode(PNG)

    @server.resource("test://watched-resource", description="May change.", mime_type="text/plain")
    def watched_resource() -> str:
        return "Watched resource content"

    @server.resource("test://template/{id}/data", description="One of many.", mime_type="application/json")
    def template(id: str) -> str:  # noqa: A002 - the suite's name
        return f'{{"id":"{id}","templateTest":true,"data":"Data for ID: {id}"}}'


def prompts(server: MCPServer) -> None:
    """Offer the prompts."""

    @server.prompt(description="Takes nothing.")
    def test_simple_prompt() -> str:
        return "This is a simple prompt for testing."

    @server.prompt(description="Takes two arguments.")
    def test_prompt_with_arguments(
        arg1: Annotated[str, Field(description="First test argument")],
        arg2: Annotated[str, Field(description="Second test argument")],
    ) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt(description="Embeds a resource.")
    def test_prompt_with_embedded_resource(
        resourceUri: Annotated[str, Field(description="URI of the resource to embed")],  # noqa: N803 - the suite's name
    ) -> list[Any]:
        content = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
        return [user(content), user(TextContent(text="Please process the embedded resource above."))]

    @server.prompt(description="Embeds a picture.")
    def test_prompt_with_image() -> list[Any]:
        picture = ImageContent(data=PNG, mime_type="image/png")
        return [user(picture), user(TextContent(text="Please analyze the image above."))]


def user(content: Any) -> Any:
    from mcp.server.mcpserver import UserMessage

    return UserMessage(content=content)


def utilities(server: MCPServer) -> None:
    """Answer what the old era asks besides: completions, subscriptions, the log level."""

    @server.completion()
    async def complete(_ref: Any, argument: Any, _context: Any) -> Completion:
        cities = [city for city in ("paris", "park", "party") if city.startswith(argument.value)]
        return Completion(values=cities, total=len(cities), has_more=False)

    async def done(_ctx: Any, _params: RequestParams) -> EmptyResult:
        return EmptyResult()

    inner = server._lowlevel_server
    inner.add_request_handler("resources/subscribe", SubscribeRequestParams, done)
    inner.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, done)
    inner.add_request_handler("logging/setLevel", SetLevelRequestParams, done)


def build(sidecar: str = "", audit: str = "") -> Any:
    """Give the app."""
    server = MCPServer("conformance", version="1.0.0")
    for part in (contents, notices, questions, resources, prompts, utilities, fixture_rounds.rounds):
        part(server)
    app = server.streamable_http_app(event_store=Remembered(), retry_interval=500)
    return AuthzMiddleware(app, server="everything", sidecar=sidecar, audit=audit, timeout=10) if sidecar else app


if __name__ == "__main__":
    app = build(*sys.argv[2:])
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", timeout_graceful_shutdown=1)
