"""Settings, root URLs and the ASGI application. This package may import every other one."""
