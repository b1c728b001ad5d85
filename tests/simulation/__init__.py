"""Whole stories in one process and virtual time, on a real PostgreSQL, drawn from a seed and repeatable by it.

A story is a world of its own: a new database, a new provider, and one to three tasks whose people, jobs and news
interleave. The seed and the story's number draw who does what, what goes wrong, and who goes on after whom, so the
same two numbers play the same story.

What the product cannot do today stays out: chargebacks that take money and money moved in the provider's dashboard
are not in our books, so nobody contests a payment beyond an inquiry.
"""
