"""The system calls: load, unload, execute. Decides nothing."""
