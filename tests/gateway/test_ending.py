"""`mcp-authz doctor` tells when certificates end."""

import time

import pytest

from mcp_adapter.gateway.checkup import checkup
from mcp_adapter.gateway.configfile import load
from mcp_adapter.gateway.ending import endings
from tests.gateway.certificates import authority
from tests.gateway.standing import config


@pytest.mark.parametrize(
    ("leaves", "ok", "detail"),
    [
        pytest.param([90.2], True, "ends in 90 days", id="long to go"),
        pytest.param([3.2], True, "ends in 3 days; renew it", id="soon over"),
        pytest.param([-2.1], False, "ended 2 days ago; renew it", id="over"),
        pytest.param([90.2, 40.2], True, "the first ends in 40 days", id="a chain"),
        pytest.param([-2.1, 40.2], False, "ended 2 days ago; renew it", id="a chain with one that is over"),
    ],
)
def test_the_end_of_a_certificate_is_told(tmp_path, sidecar, leaves, ok, detail):
    ca = authority(tmp_path, "ca", days=500)
    made = [ca.leaf(tmp_path, f"leaf{number}", days=days)[0].read_bytes() for number, days in enumerate(leaves)]
    (tmp_path / "chain.crt").write_bytes(b"".join(made))
    more = '[listen]\nbind = "127.0.0.1:0"\ntls_cert_file = "chain.crt"\ntls_key_file = "leaf0.key"\n'
    (found,) = endings(load(config(tmp_path, sidecar, "http://127.0.0.1:9", more)), tmp_path, time.time)
    assert (found.what, found.ok, found.detail) == ("certificate `chain.crt`", ok, detail)


@pytest.mark.parametrize(
    ("days", "ok", "detail"),
    [
        pytest.param([-2.1, 40.2], True, "ends in 40 days", id="one of two over"),
        pytest.param([-2.1, -9.1], False, "ended 2 days ago; renew it", id="both over"),
    ],
)
def test_an_authority_that_is_over_does_no_harm_beside_another(tmp_path, sidecar, days, ok, detail):
    made = [authority(tmp_path, f"ca{number}", days=end).file.read_bytes() for number, end in enumerate(days)]
    (tmp_path / "ca.pem").write_bytes(b"".join(made))
    path = config(tmp_path, sidecar, "https://127.0.0.1:9", server='ca_file = "ca.pem"')
    (found,) = endings(load(path), tmp_path)
    assert (found.what, found.ok, found.detail) == ("authorities `ca.pem`", ok, detail)


async def test_the_doctor_tells_each_file_once_and_those_that_cannot_be_read(tmp_path, sidecar):
    authority(tmp_path, "ca", days=40.2).leaf(tmp_path, "leaf", days=20.2)
    (tmp_path / "none.pem").write_text("no certificate")
    more = '[listen]\nbind = "127.0.0.1:0"\ntls_cert_file = "leaf.crt"\ntls_key_file = "leaf.key"\n'
    more += 'client_ca_file = "ca.pem"\n'
    server = 'ca_file = "ca.pem"\ncert_file = "gone.crt"\nkey_file = "leaf.key"\n'
    server += '[[servers]]\nname = "b"\npath = "/b"\nurl = "https://127.0.0.1:9/"\nca_file = "none.pem"'
    found = await checkup(config(tmp_path, sidecar, "https://127.0.0.1:9", more, server=server))
    told = [(one.what, one.ok, one.detail.replace(f"{tmp_path}/", "")) for one in found[1:5]]
    assert told == [
        ("certificate `leaf.crt`", True, "ends in 20 days"),
        ("certificate `gone.crt`", False, "gone.crt: No such file or directory"),
        ("authorities `ca.pem`", True, "ends in 40 days"),
        ("authorities `none.pem`", False, "none.pem: holds no certificate in PEM"),
    ]
