"""The clocks of servers, which differ a little."""

from datetime import timedelta
from typing import Final

# How far ahead another server's clock may be. A moment further ahead was written by a clock that was wrong.
AHEAD: Final = timedelta(minutes=1)
