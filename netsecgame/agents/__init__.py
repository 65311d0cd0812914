"""The client library: agents that play over TCP."""
