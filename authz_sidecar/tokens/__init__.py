"""The token room: issuers, keys, and the verifier that proves who is calling."""
