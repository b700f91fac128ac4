"""Every way to look at a whole policy, held against asking it about everything."""

import asyncio

from authz_sidecar.policy.matrix import fill
from authz_sidecar.ports import Policy
from tests.policy.drawn import answers, questions


def assert_agreed(made: Policy) -> None:
    """Who can, what can and the matrix say the same as each answer."""
    asked = questions(made)
    said = {key for key, (permitted, _) in answers(made).items() if permitted}

    async def ask() -> tuple[set[object], set[object], set[object]]:
        who = {
            (grant.name.name, one) for one in asked.universe async for grant in asked.who_can(one) if grant.permitted
        }
        what = {
            (name.name, grant.target)
            for name in asked.names
            async for grant in asked.what_can((name.name,))
            if grant.permitted
        }
        table = await fill(asked, servers=frozenset(), kinds=frozenset())
        return who, what, {key for key, grant in table.grants.items() if grant.permitted}

    assert asyncio.run(ask()) == (said, said, said)
