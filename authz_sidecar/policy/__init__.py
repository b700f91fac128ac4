"""The policy room: reads the files people edit, refuses what could be misread, and swaps atomically."""
