"""The pages for clients and freelancers: server-rendered, on the same commands as the API."""
