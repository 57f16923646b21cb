"""Every read that pages, sockets and workers use."""
