"""The roof: builds every room by hand, connects them, and runs them; nobody else knows everyone."""

from authz_sidecar.app.examine import Report, examine, rehearse
from authz_sidecar.app.issuers import known
from authz_sidecar.app.run import serve
from authz_sidecar.app.translate import issuers, servers

__all__ = ["Report", "examine", "issuers", "known", "rehearse", "serve", "servers"]
