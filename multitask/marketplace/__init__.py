"""The marketplace: tasks, the applications for them, and the work on them."""
