"""Deciding in this process: the sidecar lives inside the server that it guards."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from authz_sidecar.app.inside import Inside, NoAnswer
from authz_sidecar.errors import ConfigError
from mcp_adapter.client import FAULTS
from mcp_adapter.pdp import LARGEST_BATCH, NO_CONTEXT, Answer, Fault, Item, News, Unanswered
from mcp_adapter.wording import answer, question, questions

_Response = TypeVar("_Response")


class EmbeddedPdp:
    """Answers by the sidecar that `config` describes, run in this process: same answers, same logs, same commands.

    It starts when opened or first asked, follows edits of the policy, and stops when closed; opened again, it starts
    anew. It belongs to the event loop that started it. Its `state_dir` is its own: a second process over the same one
    does not start. A question that takes longer than `timeout` seconds is not answered.
    """

    def __init__(self, config: Path | str, *, timeout: float = 1.0) -> None:
        """Take the configuration file; nothing is read yet."""
        self._config = Path(config)
        self._timeout = timeout
        self._life: tuple[asyncio.AbstractEventLoop, asyncio.Task[Inside]] | None = None

    async def open(self) -> None:
        """Start, unless it runs; raises `ValueError`, whose text says each mistake with its line."""
        try:
            await self._running()
        except ConfigError as error:
            raise ValueError(str(error)) from None

    async def check(
        self, token: str, item: Item, *, server: str, request_id: str, context: Mapping[str, str] = NO_CONTEXT
    ) -> Answer:
        """Ask about one item; raises `Unanswered` when there is no answer."""
        inside = await self._inside()
        asked = question(token, item, server=server, request_id=request_id, context=context)
        response = await self._bounded(inside.check(asked))
        return answer(response, [response])

    async def check_batch(
        self,
        token: str,
        items: Sequence[Item],
        *,
        server: str,
        request_id: str,
        context: Mapping[str, str] = NO_CONTEXT,
    ) -> Answer:
        """Ask about 1 to 1,000 items; raises `Unanswered` when not every one has an answer."""
        if not 1 <= len(items) <= LARGEST_BATCH:
            raise Unanswered(Fault.INVALID, f"{len(items)} items in one batch, expected 1 to {LARGEST_BATCH}")
        inside = await self._inside()
        response = await self._bounded(
            inside.check_batch(questions(token, items, server=server, request_id=request_id, context=context))
        )
        return answer(response, response.results)

    async def watch(self) -> AsyncGenerator[News, None]:
        """Tell what is in force now, and then each change; raises `Unanswered` when it can tell no more."""
        inside = await self._inside()
        with _translated():
            async with aclosing(inside.changes()) as changes:
                async for news in changes:
                    yield News(revision=news.revision, epoch=news.revocation_epoch)

    async def close(self) -> None:
        """Stop: finish what is in flight and write every log."""
        life, self._life = self._life, None
        if life is not None and life[0] is asyncio.get_running_loop():
            inside = await life[1]
            await inside.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _running(self) -> Inside:
        loop = asyncio.get_running_loop()
        if self._life is None:  # INVARIANT: nothing is awaited between this look and the assignment: it starts once
            self._life = loop, loop.create_task(_started(self._config))
        life = self._life
        if life[0] is not loop:
            raise Unanswered(
                Fault.INTERNAL,
                "the embedded sidecar was started in another event loop: run the app's lifespan, or close it there",
            )
        try:
            return await asyncio.shield(life[1])
        finally:
            if self._life is life and life[1].done() and (life[1].cancelled() or life[1].exception() is not None):
                self._life = None  # whoever asks next tries anew

    async def _inside(self) -> Inside:
        try:
            return await self._running()
        except (ConfigError, OSError) as error:
            raise Unanswered(Fault.UNAVAILABLE, str(error)) from None

    async def _bounded(self, asked: Awaitable[_Response]) -> _Response:
        try:
            with _translated():
                async with asyncio.timeout(self._timeout):
                    return await asked
        except TimeoutError:
            raise Unanswered(Fault.TIMEOUT, f"no answer within {self._timeout:g} seconds") from None


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except NoAnswer as error:
        raise Unanswered(FAULTS.get(error.refusal.code, Fault.INTERNAL), error.refusal.text) from None


async def _started(config: Path) -> Inside:
    inside = Inside(config)
    await inside.open()
    return inside
