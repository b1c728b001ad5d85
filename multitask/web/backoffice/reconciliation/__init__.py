"""The provider's statement and its comparison with the books: lists, the page of a line, and its explanation."""
