"""Migrations of the database, run by `Store.migrate`; package data, so that no file has to be found beside us."""
