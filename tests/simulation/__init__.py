"""Whole stories in one process and virtual time, on a real PostgreSQL, drawn from a seed and repeatable by it.

A story is a world of its own: a new database, a new provider, and one to three tasks whose people, jobs and news
interleave. The seed and the story's number draw who does what, what goes wrong, and who goes on after whom, so the
same two numbers play the same story.

In a third of the stories money comes back or moves without us (`losses.py`): banks contest payments, people use the
provider's dashboard, the provider writes lines of its own, and for a while nobody reads its statement. The finance
staff does what there is to do about it (`finance.py`).

A quarter of the stories is in Egyptian pounds (`egypt`): another provider, which pays out of a budget. `--egypt` plays
those alone.
"""
