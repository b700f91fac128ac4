"""The audit room: every answer becomes an event, written in batches."""
