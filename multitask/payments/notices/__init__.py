"""What people are told, on the pages and by email."""
