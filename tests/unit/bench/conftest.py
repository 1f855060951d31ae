"""The benchmark is run from the repository's folder, and imported from there."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3]))
