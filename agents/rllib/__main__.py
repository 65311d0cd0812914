"""For `python agents/rllib`, from any folder, and `python -m agents.rllib`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # where `agents` is

from netsecgame.errors import missing_extra

try:
    from agents.rllib.command_line import main
except ImportError as error:
    sys.exit(f"rllib: {missing_extra(error, 'rllib')}")

if __name__ == "__main__":
    sys.exit(main())
