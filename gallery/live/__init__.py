"""What goes over sockets: consumers, messages, and how they are published."""
