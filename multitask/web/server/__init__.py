"""The web server's side of every request: bodies, lanes and threads, between the event loop and Django.

A request is read whole in the event loop, waits for its turn in a lane, runs in one worker thread through
Django's ordinary WSGI handler, and its collected response is sent by the event loop again.
"""
