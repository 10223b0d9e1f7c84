"""Reading and writing of films by PyAV; nothing here knows of networks."""
