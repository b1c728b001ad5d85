"""What Django's admin looks for when it starts: every list registers itself with our site."""

from multitask.web.backoffice import book_lists, machine_lists, money_lists, people_lists

__all__ = ["book_lists", "machine_lists", "money_lists", "people_lists"]
