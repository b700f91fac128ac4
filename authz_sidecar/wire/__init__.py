"""Stubs generated from `proto/authz/v1/authz.proto` by `make proto`; never edited by hand."""
