"""`python -m stack`: the commands of the local stack."""

import sys

from stack import commands

if __name__ == "__main__":
    sys.exit(commands.main(sys.argv[1:]))
