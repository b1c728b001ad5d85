"""What staff does from the back office: each deed carries out one command, with a reason, after a page that asks."""
