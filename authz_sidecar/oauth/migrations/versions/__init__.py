"""One file for each step of the database, in the order of their `down_revision`."""
