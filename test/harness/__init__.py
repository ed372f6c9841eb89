"""What the process tests share: servers of both kinds, the client protocol over raw sockets, and how cases are told."""
