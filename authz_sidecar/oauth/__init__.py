"""The OAuth 2.1 authorization server; its gifts to the house are public keys and revocations."""
