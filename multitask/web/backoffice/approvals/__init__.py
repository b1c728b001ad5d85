"""Large decisions that need a second person: the list, and the actions that approve or reject them."""
