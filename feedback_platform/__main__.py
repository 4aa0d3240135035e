"""`python -m feedback_platform` is the `feedback-platform` command."""

from feedback_platform.cli import main

if __name__ == "__main__":
    main()
