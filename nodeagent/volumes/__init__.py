"""What is mounted into containers."""
