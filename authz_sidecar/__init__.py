"""authz-sidecar: may the bearer of this token do this method on this tool?"""

from importlib.metadata import version

__version__ = version("authz-sidecar")
