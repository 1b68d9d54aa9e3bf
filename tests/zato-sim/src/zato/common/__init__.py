"""What the commands and the components share."""
