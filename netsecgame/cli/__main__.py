"""`python -m netsecgame.cli`: the `netsecgame` command."""

import sys

from netsecgame.cli import main

if __name__ == "__main__":
    sys.exit(main())
