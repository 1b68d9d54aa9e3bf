"""The `zato` command."""
