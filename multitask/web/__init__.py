"""What people and programs see over HTTP: the API, the pages and the back office."""
