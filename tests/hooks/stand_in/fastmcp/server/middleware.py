"""The base class, which does nothing by itself."""


class Middleware:
    """Sees messages."""
