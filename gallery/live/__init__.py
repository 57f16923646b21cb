"""Live updates over sockets: the consumer, its messages, and their publisher."""
