"""Our database backend, which tells the simulation of every commit."""
