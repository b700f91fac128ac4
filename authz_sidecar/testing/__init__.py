"""The tests that the author of a plug runs over it; importing them needs nothing but this package."""
