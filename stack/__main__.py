"""`python -m stack`: the embedded database by hand."""

import sys

from stack import commands

if __name__ == "__main__":
    sys.exit(commands.main(sys.argv[1:]))
