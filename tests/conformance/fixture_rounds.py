"""The tools and the prompt that need several rounds: each answers with what it still has to know (2026-07-28)."""

from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    InputRequiredResult,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)

from tests.conformance.fixture_schemas import asked

Round = CallToolResult | InputRequiredResult


def form(message: str, field: str, kind: str = "string") -> ElicitRequest:
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=asked(field, kind)))


def sample(text: str, tokens: int) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(text=text))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=tokens))


def said(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(text=text)])


def need(*, state: str | None = None, **requests: Any) -> InputRequiredResult:
    return InputRequiredResult(input_requests=requests, request_state=state)


def given(ctx: Context, *keys: str) -> list[Any] | None:
    """Give the answers of these keys, or nothing while one is missing."""
    answers = ctx.input_responses or {}
    found = [answers.get(key) for key in keys]
    return None if None in found else found


def field(answer: Any, name: str) -> Any:
    """Give a field of a form, or nothing when it was not filled in."""
    content = getattr(answer, "content", None)
    return content.get(name) if isinstance(content, dict) else None


def single(server: MCPServer) -> None:
    """Offer tools that ask one thing."""

    @server.tool(description="Asks for a name.")
    def test_input_required_result_elicitation(ctx: Context) -> Round:
        answers = given(ctx, "user_name")
        name = field(answers[0], "name") if answers else None
        return said(f"Hello, {name}!") if name else need(user_name=form("What is your name?", "name"))

    @server.tool(description="Asks the client's model.")
    def test_input_required_result_sampling(ctx: Context) -> Round:
        answers = given(ctx, "capital_question")
        if answers is None:
            return need(capital_question=sample("What is the capital of France?", 100))
        return said(getattr(answers[0].content, "text", str(answers[0].content)))

    @server.tool(description="Asks for the roots.")
    def test_input_required_result_list_roots(ctx: Context) -> Round:
        answers = given(ctx, "client_roots")
        if answers is None:
            return need(client_roots=ListRootsRequest())
        return said(" ".join(str(root.uri) for root in answers[0].roots))

    @server.tool(description="Asks only what the client can answer.")
    def test_input_required_result_capabilities(ctx: Context) -> Round:
        can = ctx.client_capabilities
        requests: dict[str, Any] = {}
        if can and can.elicitation:
            requests["name"] = form("What is your name?", "name")
        if can and can.sampling:
            requests["question"] = sample("Say something", 50)
        if ctx.input_responses or not requests:
            return said("Nothing more to ask.")
        return need(**requests)

    @server.tool(description="Tells its progress, then asks.")
    async def test_streaming_elicitation(ctx: Context) -> Round:
        await ctx.report_progress(1, 2)
        return said("Thank you.") if ctx.input_responses else need(confirm=form("Please confirm", "ok", "boolean"))


def stateful(server: MCPServer) -> None:
    """Offer tools that hand out a state and want it back."""

    @server.tool(description="Asks for a confirmation and hands out a state.")
    def test_input_required_result_request_state(ctx: Context) -> Round:
        if given(ctx, "confirm") and ctx.request_state == "asked":
            return said("state-ok")
        return need(state="asked", confirm=form("Please confirm", "ok", "boolean"))

    @server.tool(description="Refuses a state that is not its own.")
    def test_input_required_result_tampered_state(ctx: Context) -> Round:
        if ctx.request_state is None:
            return need(state="asked", confirm=form("Please confirm", "ok", "boolean"))
        if ctx.request_state != "asked":
            raise MCPError(code=INVALID_PARAMS, message="the state is not mine")
        return said("state-ok")

    @server.tool(description="Asks three things at once.")
    def test_input_required_result_multiple_inputs(ctx: Context) -> Round:
        if given(ctx, "user_name", "greeting", "client_roots"):
            return said("All three are answered.")
        return need(
            state="three",
            user_name=form("What is your name?", "name"),
            greeting=sample("Generate a greeting", 50),
            client_roots=ListRootsRequest(),
        )

    @server.tool(description="Asks twice.")
    def test_input_required_result_multi_round(ctx: Context) -> Round:
        if ctx.request_state == "second" and (answers := given(ctx, "step2")):
            return said(f"Done: {field(answers[0], 'color')}")
        if ctx.request_state == "first" and given(ctx, "step1"):
            return need(state="second", step2=form("Step 2: What is your favorite color?", "color"))
        return need(state="first", step1=form("Step 1: What is your name?", "name"))

    @server.prompt(description="Asks before it answers.")
    def test_input_required_result_prompt(ctx: Context) -> str | InputRequiredResult:
        answers = given(ctx, "user_context")
        if answers is None:
            return need(user_context=form("What context should the prompt use?", "context"))
        return f"Use this context: {field(answers[0], 'context')}"


def rounds(server: MCPServer) -> None:
    """Offer them all."""
    single(server)
    stateful(server)
