"""Users and staff: the list, the page of a person, and the actions of administrators."""
