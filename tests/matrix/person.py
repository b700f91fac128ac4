"""A person with a browser that has no window: logs in, says yes, and is led back to the application.

`BROWSER="python -m tests.matrix.person NAME PASSWORD %s"` for programs that open a browser.
"""

import html
import re
import sys
from urllib.parse import urljoin

import httpx2

_FORM = re.compile(r'<form method="post" action="([^"]*)"(?: class="choice")?>(.*?)</form>', re.DOTALL)
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)">')
_ONWARD = re.compile(r'id="onward"[^>]*href="([^"]*)"')
_STEPS = 10


def visit(url: str, name: str, password: str) -> int:
    """Go where the pages lead; gives the status of the last one, which is the application's."""
    with httpx2.Client(follow_redirects=True, timeout=20) as http:
        page = http.get(url)
        for _ in range(_STEPS):
            if onward := _ONWARD.search(page.text):
                return http.get(html.unescape(onward[1])).status_code
            asked = next((form for form in _FORM.finditer(page.text) if "logout" not in form[1]), None)
            if asked is None:
                return page.status_code
            said = {key: html.unescape(value) for key, value in _HIDDEN.findall(asked[2])}
            said |= {"decision": "allow"} if 'name="decision"' in asked[2] else {"name": name, "password": password}
            page = http.post(urljoin(str(page.url), html.unescape(asked[1])), data=said)
    raise AssertionError(f"the pages led nowhere in {_STEPS} steps")


if __name__ == "__main__":
    sys.exit(visit(sys.argv[3], sys.argv[1], sys.argv[2]) >= 400)
