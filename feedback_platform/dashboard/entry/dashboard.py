"""The script that Streamlit runs for each visitor; its argument is the published database."""

import sys
from pathlib import Path

from feedback_platform.dashboard.app import show

show(Path(sys.argv[1]))
