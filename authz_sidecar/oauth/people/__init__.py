"""The people of the authorization server: accounts, sessions, consents, and the pages that they see."""
