"""Server-rendered pages for clients and freelancers; they run the same commands as the API."""
