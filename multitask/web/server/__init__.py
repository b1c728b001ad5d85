"""The path of a request between the event loop and Django: bodies, lanes and threads.

The event loop reads the whole request, which then waits for its turn in a lane and runs in one worker thread through
Django's ordinary WSGI handler. The event loop sends the collected response.
"""
