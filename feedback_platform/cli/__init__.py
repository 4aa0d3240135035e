"""The `feedback-platform` command. Each module holds the commands of one concern."""

from feedback_platform.cli.main import main

__all__ = ["main"]
