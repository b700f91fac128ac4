"""The engines: each turns checked rows into something that answers."""
