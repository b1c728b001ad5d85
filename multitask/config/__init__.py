"""Settings, root URLs and the WSGI entry: the room that knows every other one."""
