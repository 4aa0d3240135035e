"""Print the version of the package; with a tag, fail unless it is of that version.

Example: python3 version.py v0.1.0
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "feedback_platform" / "__init__.py"

# Read, not imported: nothing needs to be installed for it.
assigned = {
    target.id: ast.literal_eval(statement.value)
    for statement in ast.parse(PACKAGE.read_text("utf-8")).body
    if isinstance(statement, ast.Assign)
    for target in statement.targets
    if isinstance(target, ast.Name) and target.id == "__version__"
}
version = assigned["__version__"]
if len(sys.argv) > 1 and sys.argv[1] != f"v{version}":
    sys.exit(f"The tag is {sys.argv[1]}, but the package is {version}: it would be v{version}.")
sys.stdout.write(f"{version}\n")
