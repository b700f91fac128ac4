"""The conditions room: reads, checks, prices and evaluates the `when` of a rule (CEL)."""
